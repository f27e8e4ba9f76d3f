"""Holding out a dev fold."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.trainset_entries import Entry
from pfamnet.trainset_holdout import hold_out


def domain(name, sequence, key, fold=""):
    return Entry(name, sequence, [(0, len(sequence), key)], False, "x: record", 1, "", fold)


def protein(name, keys, fold=""):
    return Entry(name, "ACD", [(0, 3, key) for key in keys], True, "x: record", 1, "", fold)


def held(entries, share=0.1, seed=42):
    hold_out(entries, share, seed)
    return [entry.name for entry in entries if entry.fold == "dev"]


def test_share_of_each_family():
    sizes = {"F1": 1, "F2": 2, "F4": 4, "F5": 5, "F40": 40}
    rows = [(key, i) for key, size in sizes.items() for i in range(size)]
    entries = [domain(f"{key}-{i}", f"AC{'D' * i}", key) for key, i in rows]
    dev = held(entries)
    assert Counter(name.split("-")[0] for name in dev) == {"F5": 1, "F40": 4}
    assert all(entry.fold for entry in entries)


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


def test_no_share():
    entries = [domain(f"a{i}", f"AC{'D' * i}", "F") for i in range(30)] + [protein("p", [])]
    assert held(entries, 0) == []
    assert {entry.fold for entry in entries} == {"train"}


def test_proteins():
    entries = [protein(f"p{i}", ["F"] * (i % 3)) for i in range(1000)]
    dev = held(entries)
    assert 70 < len(dev) < 130
    fewer = [protein(f"p{i}", ["F"]) for i in range(500, 700)]
    assert set(held(fewer)) == {name for name in dev if 500 <= int(name[1:]) < 700}


keys = st.lists(st.sampled_from(["F1", "F2", "F3"]), max_size=3)


@settings(deadline=None)
@given(st.lists(keys, max_size=12), st.lists(st.sampled_from(["F1", "F4"]), max_size=6))
def test_no_family_loses_its_last_training_row(proteins, domains):
    entries = [protein(f"p{i}", labels) for i, labels in enumerate(proteins)]
    entries += [domain(f"d{i}", "ACD" + "E" * i, key) for i, key in enumerate(domains)]
    hold_out(entries, 0.9, 42)
    everywhere = {key for entry in entries for _, _, key in entry.labels}
    assert everywhere == {key for e in entries if e.fold == "train" for _, _, key in e.labels}
