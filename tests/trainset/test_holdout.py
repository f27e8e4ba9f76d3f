"""Holding out a dev fold."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.trainset.entries import Entry
from pfamnet.trainset.holdout import hold_out


def domain(name, sequence, key, fold=""):
    return Entry(name, sequence, [(0, len(sequence), key)], False, "x: record", 1, "", fold)


def protein(name, keys, fold=""):
    return Entry(name, "ACD", [(0, 3, key) for key in keys], True, "x: record", 1, "", fold)


def held(entries, share=0.1, seed=42):
    hold_out(entries, share, seed)
    return [entry.name for entry in entries if entry.fold == "dev"]


def test_a_fraction_of_each_family():
    sizes = {"F1": 1, "F2": 2, "F4": 4, "F5": 5, "F40": 40}
    rows = [(key, i) for key, size in sizes.items() for i in range(size)]
    entries = [domain(f"{key}-{i}", f"AC{'D' * i}", key) for key, i in rows]
    dev = held(entries)
    assert Counter(name.split("-")[0] for name in dev) == {"F5": 1, "F40": 4}
    assert all(entry.fold for entry in entries)


def test_small_families_have_their_share():
    entries = [domain(f"{k}-{i}", f"AC{'D' * k}{'E' * i}", f"F{k}") for k in range(400) for i in range(5)]
    families = [name.split("-")[0] for name in held(entries, 0.03)]
    assert 40 < len(families) == len(set(families)) < 80  # 60 of 2,000 rows


def test_same_rows_whatever_the_order_and_other_families():
    def names(keys, step, seed=42):
        rows = [domain(f"{k}{i}", f"AC{'D' * i}", k) for k in keys for i in range(30)]
        return {name for name in held(rows[::step], seed=seed) if name.startswith("F")}

    assert names("F", 1) == names("GFH", -1)
    assert names("F", 1) != names("F", 1, seed=1)


def test_identical_sequences_stay_together():
    entries = [domain(f"a{i}", "ACD" if i < 15 else "ACDE", "F") for i in range(20)]
    assert held(entries, 0.5) in ([], [f"a{i}" for i in range(15, 20)])
    assert held([domain(f"a{i}", "ACD", "F") for i in range(20)], 0.5) == []


def test_given_folds_are_left_alone():
    entries = [domain(f"a{i}", f"AC{'D' * i}", "F", "train") for i in range(30)]
    entries += [protein(f"p{i}", ["F"], "dev") for i in range(3)]
    assert held(entries, 0.5) == ["p0", "p1", "p2"]


def test_nothing_is_held_out_of_no_fraction():
    entries = [domain(f"a{i}", f"AC{'D' * i}", "F") for i in range(30)] + [protein("p", [])]
    assert held(entries, 0) == []
    assert {entry.fold for entry in entries} == {"train"}


def test_proteins():
    entries = [replace(protein(f"p{i}", ["F"] * (i % 3)), sequence=f"AC{'D' * i}") for i in range(1000)]
    held(entries)
    dev = [entry for entry in entries if entry.fold == "dev"]
    assert 90 <= sum(len(entry.labels) for entry in dev) <= 100
    assert 15 < sum(not entry.labels for entry in dev) < 55


def test_relatives_are_not_held_out_more_often():
    """Of 300 clusters of ten relatives without a domain, about a tenth."""
    rng = np.random.default_rng(0)
    clusters = [synthetic.random_sequence(rng, 60) for _ in range(300)]
    relatives = [cluster + "A" * n for cluster in clusters for n in range(10)]
    entries = [replace(protein(f"p{i}", []), sequence=sequence) for i, sequence in enumerate(relatives)]
    assert 15 < len(held(entries)) / 10 < 50


keys = st.lists(st.sampled_from(["F1", "F2", "F3"]), max_size=3)


# Clusters


def relatives_of(count, families=6, changed=0.35, seed=0):
    """Rows of several families that resemble each other more or less."""
    rng = np.random.default_rng(seed)
    return [
        domain(f"d{i}", synthetic.domain(i % families, rng, changed), f"F{i % families}")
        for i in range(count)
    ]


def similar(one, other, share):
    sets = [{e.sequence[i : i + 5] for i in range(len(e.sequence) - 4)} for e in (one, other)]
    shared = len(sets[0] & sets[1])
    return shared >= 5 and shared / min(map(len, sets)) > share


@pytest.mark.parametrize("changed", [0.3, 0.45, 0.6])
def test_no_dev_row_resembles_a_train_row(changed):
    entries = relatives_of(150, changed=changed)
    hold_out(entries, 0.3, 42, 0.05)
    folds = {fold: [e for e in entries if e.fold == fold] for fold in ("train", "dev")}
    assert len(folds["train"]) + len(folds["dev"]) == 150
    assert not any(similar(a, b, 0.05) for a in folds["train"] for b in folds["dev"])
    if changed == 0.6:  # the clusters are small: rows can be held out, and are
        assert 30 <= len(folds["dev"]) <= 48
        for family in range(6):
            assert 5 <= sum(e.labels[0][2] == f"F{family}" for e in folds["dev"]) <= 8


def test_a_protein_among_domains_leaves_their_rule_unchanged():
    entries, alone = relatives_of(150, changed=0.6), relatives_of(150, changed=0.6)
    hold_out(alone, 0.3, 42)
    hold_out([*entries, protein("p", [])], 0.3, 42)
    assert [entry.fold for entry in entries] == [entry.fold for entry in alone]
    folds = {fold: [e for e in entries if e.fold == fold] for fold in ("train", "dev")}
    assert 30 <= len(folds["dev"]) <= 48
    assert not any(similar(a, b, 0.05) for a in folds["train"] for b in folds["dev"])


def test_proteins_that_share_a_domain_may_be_apart():
    rng = np.random.default_rng(0)
    domains = [synthetic.random_sequence(rng, 30) for _ in range(41)]
    chain = [a + synthetic.random_sequence(rng, 240) + b for a, b in zip(domains, domains[1:])]
    proteins = [replace(protein(f"p{i}", ["F"]), sequence=sequence) for i, sequence in enumerate(chain)]
    assert similar(*proteins[:2], 0.05) and not similar(*proteins[:2], 0.15)
    assert len(held(proteins, 0.25)) == 10
    assert held([replace(entry, whole=False, fold="") for entry in proteins], 0.25) == []  # one cluster


def test_clusters_are_the_same_whatever_the_order():
    def names(entries, seed=42):
        hold_out(entries, 0.2, seed, 0.05)
        return {entry.name for entry in entries if entry.fold == "dev"}

    first = names(relatives_of(120, changed=0.6))
    assert first == names(relatives_of(120, changed=0.6)[::-1]) and first
    assert first != names(relatives_of(120, changed=0.6), seed=1)


def test_a_family_that_is_one_cluster_stays_in_train():
    entries = relatives_of(20, families=1, changed=0.05)
    hold_out(entries, 0.4, 42, 0.05)
    assert {entry.fold for entry in entries} == {"train"}


def test_what_resembles_rows_of_a_fold_goes_with_them():
    rng = np.random.default_rng(0)
    a, b, c = (synthetic.random_sequence(rng, 60) for _ in range(3))
    entries = [
        domain("train", a, "F", "train"),
        domain("dev", b, "F", "dev"),
        domain("both", a[:30] + b[30:], "F"),
        domain("like train", a[:40], "F"),
        domain("like dev", b[:25] + c[25:], "F"),
        domain("alone", synthetic.random_sequence(rng, 60), "F"),
    ]
    assert hold_out(entries, 0.1, 42, 0.1) == 2
    assert [entry.fold for entry in entries] == ["train", "dev", "none", "train", "none", "train"]
    fewer = [domain("dev", b, "F", "dev"), domain("train", a, "F", "train"), domain("like dev", b[:40], "F")]
    assert hold_out(fewer, 0.1, 42, 0.1) == 0 and fewer[2].fold == "dev"


def test_short_duplicates_stay_together():
    entries = [domain("a", "ACD", "F", "dev"), domain("b", "ACD", "F"), domain("c", "ACDE", "F", "train")]
    hold_out(entries, 0.1, 42, 0.1)
    assert entries[1].fold == "dev"


@given(st.lists(keys, max_size=12), st.lists(st.sampled_from(["F1", "F4"]), max_size=6))
def test_no_family_loses_its_last_training_row(proteins, domains):
    entries = [protein(f"p{i}", labels) for i, labels in enumerate(proteins)]
    entries = [replace(e, sequence="ACD" + "F" * i) for i, e in enumerate(entries)]
    entries += [domain(f"d{i}", "ACD" + "E" * i, key) for i, key in enumerate(domains)]
    hold_out(entries, 0.9, 42, 0.1)
    everywhere = {key for entry in entries for _, _, key in entry.labels}
    assert everywhere == {key for e in entries if e.fold == "train" for _, _, key in e.labels}
