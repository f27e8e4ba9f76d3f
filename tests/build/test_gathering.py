"""Gathering thresholds of our own making: the rule, what profiles are tried on, and that they hold."""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.build import gathering as module
from pfamnet.build.gathering import (
    E_VALUE,
    MOST_LOST,
    Scores,
    Searched,
    bits,
    gathering,
    pieces,
    score_at,
    set_gathering,
    threshold,
    to_block,
)
from pfamnet.build.hmms import build_profile, build_profiles
from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Threads, Work
from pfamnet.families import Family
from pfamnet.profiles.search import Thresholds
from pfamnet.trainset.trainset import Fold, TrainSet, read_trainset

STATISTICS = SimpleNamespace(f_tau=-4.0, f_lambda=np.log(2))
# what was not found scores minus infinity
scores = st.lists(st.just(-np.inf) | st.floats(-20, 300), max_size=30).map(np.array)


@pytest.fixture(scope="module")
def train_set(tmp_path_factory):
    """Four families of 24 rows, the first two of one clan."""
    folder = tmp_path_factory.mktemp("trainset")
    synthetic.write_stockholm(folder / "seeds.sto", families=4, ga=None)
    return read_trainset([folder / "seeds.sto"], holdout=0.25)


@pytest.fixture(scope="module")
def built(train_set, tmp_path_factory):
    work = Work(tmp_path_factory.mktemp("work"), BuildOptions(()), False)
    return build_profiles(train_set, "hmmalign", work, Threads())


@pytest.fixture
def profiles(built):
    """New ones each time: they are changed in place."""
    return [hmm.copy() for hmm in built]


def made(train_set, hmms, tmp_path, cpus=1, seed=42):
    folder = tmp_path / f"{cpus}.{seed}"
    folder.mkdir(exist_ok=True)
    said = set_gathering(train_set, hmms, seed, Work(folder, BuildOptions(()), False), Threads(cpus))
    return [tuple(hmm.cutoffs.gathering) for hmm in hmms], said


# The rule


def cutoff(known, others, train=(), least=10.0):
    return threshold(*(np.array(values, float) for values in (known, train, others)), least)


def test_where_nothing_else_scores_the_threshold_is_the_least():
    assert cutoff([50, 60, 70], [3, 9]) == cutoff([50, 60, 70], []) == cutoff([], []) == 10.25


def test_it_is_the_next_quarter_bit_above_the_strongest_other():
    assert cutoff([50, 60, 70], [20]) == 20.25
    assert cutoff([21, 60, 70], [20.3]) == 20.5


def test_where_they_mix_the_fewest_errors_count():
    assert cutoff([25, 40, 50, 60, 70, 80], [5, 12, 29, 30]) == 30.25
    assert cutoff([15, 16, 50, 60, 70, 80], [11, 49]) < 15  # one other is fewer than two known


def test_others_alone_cannot_take_a_family_from_its_known_domains():
    found = cutoff([30, 31, 32, 33], list(np.linspace(40, 90, 500)) + [12])
    assert 12 < found <= 30


def test_train_domains_bound_from_above_and_no_more():
    assert cutoff([], [40], train=[60, 60, 60]) == 10.25
    assert cutoff([], [20, 40], train=[60, 60, 60]) == 20.25
    assert cutoff([], [], train=[11, 12, 13]) == 10.25


@given(scores, scores, scores, st.floats(0, 40), st.randoms(use_true_random=False))
def test_any_scores_make_a_threshold_above_the_least_whatever_their_order(known, train, others, least, rng):
    found = threshold(known, train, others, least)
    assert found > least and found % 0.25 == 0
    mixed = [np.array(rng.sample(values.tolist(), len(values))) for values in (known, train, others)]
    assert threshold(*mixed, least) == found
    if len(known) and (known > least + 0.25).all():
        assert (known < found - 0.25).mean() <= MOST_LOST


@given(scores, scores, st.integers(1, 20_000))
def test_the_two_thresholds_are_significant_and_that_of_domains_is_not_the_higher(known, others, families):
    pairs = (np.column_stack([values, values - 1]) for values in (known, np.zeros(0), others))
    hmm = SimpleNamespace(evalue_parameters=STATISTICS)
    sequence, domain = gathering(Scores(*pairs), hmm, families)
    assert domain <= sequence
    assert families * np.exp(-STATISTICS.f_lambda * (domain - STATISTICS.f_tau)) <= E_VALUE


def test_the_least_score_is_that_of_the_profiles_own_p_value(profiles):
    """As HMMER prints it."""
    hit = module.hits(profiles[0], to_block([synthetic.ancestor(0)]), Thresholds(Z=1.0))[0]
    assert score_at(profiles[0].evalue_parameters, hit.pvalue) == pytest.approx(hit.score, abs=1e-3)


# What profiles are tried on


def test_a_sequence_in_which_the_arithmetic_overflows_is_not_found(profiles):
    block = module.to_block(["*", "".join(profiles[0].consensus).upper(), "*"])
    found = module.bits(profiles[0], block, module.FILTERED.unfiltered())
    assert np.isfinite(found).all(1).tolist() == [False, True, False]


def test_relatives_are_not_among_the_others(train_set):
    material = Searched(train_set, 1)
    for index, clan in enumerate([{0, 1}, {0, 1}, {2}, {3}]):
        strange = material.unrelated(index)
        of_others = {piece.family for piece, yes in zip(material.chosen, strange) if yes}
        assert of_others == {0, 1, 2, 3} - clan
        assert strange[len(material.chosen) :].all() and len(strange) == len(material.others)


def test_what_overlaps_a_family_or_one_left_out():
    fold = Fold(
        ["ACDEFGHIKLMNPQRSTVWY"],
        ["p"],
        np.array([[0, 0, 8, 0], [0, 6, 12, 1], [0, 12, 16, 2], [0, 15, 20, -1]]),
        np.ones(1, bool),
    )
    assert pieces(fold) == [("ACDEFGHI", 0, (0, 1)), ("HIKLMN", 1, (0, 1))]


def test_the_sample_is_bounded_and_of_all_families(train_set):
    material = Searched(train_set, 1, residues=2000)
    assert {piece.family for piece in material.chosen} == {0, 1, 2, 3}
    assert 2000 <= sum(len(piece.sequence) for piece in material.chosen) < 2200
    assert len(material.others) == 3 * len(material.chosen)


def test_a_domain_of_every_family_is_tried_however_many_there_are(train_set):
    material = Searched(train_set, 1, residues=100)
    assert sorted(piece.family for piece in material.chosen) == [0, 1, 2, 3]
    decoys = len(material.others) - 4
    assert 2 <= decoys < 8 and all(material.unrelated(i)[4:].all() for i in range(4))


def near(text, rng):
    """A sequence of which a tenth differs."""
    others = synthetic.RESIDUES[rng.integers(0, 20, len(text))]
    return "".join(np.where(rng.random(len(text)) < 0.1, others, list(text)))


def test_sisters_without_rows_are_told_apart(tmp_path):
    """Two profiles that each find the other's family, and no row of either."""
    rng = np.random.default_rng(3)
    ancestor = synthetic.random_sequence(rng, 120)
    other, kept = synthetic.random_sequence(rng, 120), rng.random(120) < 0.6
    sister = "".join(np.where(kept, list(ancestor), list(other)))
    families = [Family(name, name) for name in ("one", "two")]
    hmms = [
        build_profile(family, [], [near(text, rng) for _ in range(20)])
        for family, text in zip(families, (ancestor, sister))
    ]
    nothing = Fold([], [], np.zeros((0, 4), np.int32), np.zeros(0, bool))
    alone, _ = made(TrainSet(families[:1], nothing, None), [hmms[0].copy()], tmp_path)
    pairs, _ = made(TrainSet(families, nothing, None), hmms, tmp_path, seed=43)
    assert pairs[0][0] > alone[0][0]
    members = to_block([ancestor])
    assert (bits(hmms[0], members, Thresholds()) >= pairs[0]).all()


def test_dev_that_train_stands_in_for_is_not_taken_for_dev(train_set):
    stand_in = replace(train_set, dev=train_set.train)
    assert not any(Searched(stand_in, 1).dev) and all(Searched(train_set, 1).dev)


# Thresholds of profiles


def test_members_pass_and_others_do_not(train_set, profiles, tmp_path):
    pairs, said = made(train_set, profiles, tmp_path)
    assert said["made"] == said["of"] == 4 and said["e_value"] == E_VALUE
    rng = np.random.default_rng(9)
    sequences = [synthetic.domain(family, rng) for family in range(4) for _ in range(20)]
    strangers = to_block([synthetic.random_sequence(rng, 150) for _ in range(200)])
    for family, (hmm, pair) in enumerate(zip(profiles, pairs)):
        called = (
            (bits(hmm, to_block(sequences), Thresholds().unfiltered()) >= pair).all(1).reshape(4, 20).mean(1)
        )
        assert called[family] >= 0.95 and called.sum() == called[family]
        assert not (bits(hmm, strangers, Thresholds()) >= pair).any()


def test_profiles_that_bring_cutoffs_keep_them(train_set, profiles, tmp_path):
    alone = made(train_set, [hmm.copy() for hmm in profiles], tmp_path)[0]
    profiles[2].cutoffs.gathering = 77.0, 66.0
    pairs, said = made(train_set, profiles, tmp_path, seed=42, cpus=2)
    assert pairs[2] == (77.0, 66.0) and said["made"] == 3
    assert [pairs[i] for i in (0, 1, 3)] == [alone[i] for i in (0, 1, 3)]
    for hmm in profiles:
        hmm.cutoffs.gathering = 20.0, 20.0
    assert made(train_set, profiles, tmp_path, seed=7)[1] == {"made": 0, "of": 4}
    assert not any((tmp_path / "1.7").iterdir())


def test_neither_threads_nor_the_order_of_rows_matter(train_set, profiles, tmp_path):
    one = made(train_set, [hmm.copy() for hmm in profiles], tmp_path)[0]

    def mixed(fold):
        order = random.Random(1).sample(range(len(fold.sequences)), len(fold.sequences))
        domains = fold.domains[::-1].copy()
        domains[:, 0] = np.argsort(order)[domains[:, 0]]
        return Fold(
            [fold.sequences[i] for i in order], [fold.names[i] for i in order], domains, fold.whole[order]
        )

    other = replace(train_set, train=mixed(train_set.train), dev=mixed(train_set.dev))
    assert made(other, profiles, tmp_path, cpus=3)[0] == one


def test_thresholds_once_made_are_taken_up_again(train_set, profiles, tmp_path, monkeypatch):
    again = [hmm.copy() for hmm in profiles]
    first = made(train_set, profiles, tmp_path)
    monkeypatch.setattr(module, "Searched", None)  # would fail
    assert made(train_set, again, tmp_path) == first


def test_a_family_without_any_row_gets_one_too(train_set, profiles, tmp_path):
    def without(fold):
        return replace(fold, domains=fold.domains[fold.domains[:, 3] != 3])

    pairs, _ = made(replace(train_set, train=without(train_set.train), dev=None), profiles, tmp_path)
    assert len(pairs) == 4 and all(5 < pair[0] < 40 for pair in pairs)
