"""Candidates on average and at most, thresholds for a recall, ranks, decoys and what they are for."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.build.calibration import (
    CONTEXT,
    DECOY_LENGTHS,
    JUDGED,
    LONG,
    baselines,
    calibrate,
    checked,
    decoy_scores,
    decoys,
    never,
    others,
    stricter,
    too_little,
)
from pfamnet.build.sensitivities import (
    EVERY_FAMILY,
    LEAST,
    MOST,
    choose_sensitivities,
    dev_ranks,
    peaks_of_all,
    recall_by_rank,
    recall_threshold,
    usual_threshold,
)
from pfamnet.build.work import Threads
from pfamnet.families import Family, clan_numbers
from pfamnet.network.blocks import Blocks
from pfamnet.network.candidates import ANY, Scoring
from pfamnet.profiles.words import Words
from pfamnet.trainset.trainset import Fold

FAMILIES = 30
LEVEL = np.zeros(FAMILIES)  # baselines
ALONE = Scoring(np.arange(FAMILIES), np.full(FAMILIES, ANY))  # each family is a clan of its own


def families(clan=""):
    return [Family(str(number), str(number), clan=clan) for number in range(FAMILIES)]


class Runtime:
    """Stands in for a network: logits that depend on the sequence and nothing else."""

    block = 16

    def logits(self, sequence):
        seed = sum(ord(letter) * 31**i for i, letter in enumerate(sequence[:40])) + len(sequence)
        rng = np.random.default_rng(seed)
        return rng.normal(size=(-(-len(sequence) // 16), FAMILIES + 1)).astype(np.float32)

    def blocks(self, sequence):
        return Blocks.of(self.logits(sequence))


class Knowing(Runtime):
    """Has a large peak for the family that a sequence begins with ('A' is 0, 'C' is 1)."""

    def logits(self, sequence):
        logits = super().logits(sequence)
        logits[0, 1 + "ACDEFGHIKL".index(sequence[0])] += 50
        return logits


ONE = Threads()


def make_fold(count=20):
    rng = np.random.default_rng(0)
    sequences = [
        letter + synthetic.random_sequence(rng, 30 + 20 * i)
        for i, letter in zip(range(count), "ACDEFGHIKL" * count)
    ]
    domains = [(i, 0, len(sequence), i % 10) for i, sequence in enumerate(sequences)]
    return Fold(sequences, [str(i) for i in range(count)], np.array(domains, np.int32), np.ones(count, bool))


# Threshold


@given(
    st.lists(st.tuples(st.integers(0, 20), st.floats(-10, 10)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.floats(0.5, 1),
)
def test_the_threshold_keeps_the_recall_and_is_the_highest_that_does(pairs, most, recall):
    ranks, peaks = np.array(pairs, float).T
    threshold = recall_threshold(ranks, peaks, most, recall)
    reachable = (ranks < most).sum()
    kept = ((ranks < most) & (peaks >= threshold)).sum()
    wanted = min(reachable, np.ceil(recall * len(ranks)))
    assert kept >= wanted
    higher = ((ranks < most) & (peaks > threshold)).sum()
    assert not reachable or higher < wanted


def test_where_no_family_is_ever_among_the_candidates_the_threshold_is_finite():
    assert recall_threshold(np.array([np.inf, np.inf]), np.array([-np.inf, -np.inf]), 10, 0.99) == 0.0


def test_recall_by_rank_counts_the_first():
    recall = recall_by_rank(np.array([0, 0, 3, 5, np.inf]))
    assert recall["1"] == 0.4 and recall["4"] == 0.6 and recall["8"] == recall["128"] == 0.8


# Ranks


def test_a_network_that_knows_has_every_family_first():
    ranks, peaks = dev_ranks(Knowing(), make_fold(), 100, ONE)
    assert len(ranks) == 20 and (ranks == 0).all() and (peaks > 15).all()


def test_matches_of_words_count_for_ranks_and_peaks():
    fold, plain = make_fold(), dev_ranks(Runtime(), make_fold(), 100, ONE)
    nothing = Words(np.zeros((1, 20), np.int8), np.zeros(FAMILIES, np.uint16), [1] * FAMILIES)
    everything = lambda sequence: (np.arange(FAMILIES), np.full(FAMILIES, 5.0))
    for matched, more in ((nothing.matches, 0.0), (everything, 5.0)):
        ranks, peaks = dev_ranks(Runtime(), fold, 100, ONE, matched)
        assert ranks.tolist() == plain[0].tolist() and peaks == pytest.approx(plain[1] + more, abs=1e-5)
        with_words, without = (peaks_of_all(Runtime(), fold, 9, ONE, some) for some in (matched, None))
        pairs = zip(with_words, without, strict=True)
        assert all(one == pytest.approx(other + more, abs=1e-5) for (_, one), (_, other) in pairs)


def test_ranks_do_not_depend_on_the_number_of_threads():
    one, three = (dev_ranks(Runtime(), make_fold(), 100, Threads(cpus)) for cpus in (1, 3))
    assert np.array_equal(one[0], three[0]) and np.array_equal(one[1], three[1])


def test_no_more_sequences_are_looked_at_than_the_limit():
    assert len(dev_ranks(Runtime(), make_fold(), 7, ONE)[0]) == 7


def test_families_left_out_are_not_asked_for():
    fold = make_fold()
    fold.domains[::2, 3] = -1
    assert len(dev_ranks(Runtime(), fold, 100, ONE)[0]) == 10


# Decoys


@pytest.mark.parametrize("length", DECOY_LENGTHS)
def test_decoys_have_their_length_and_the_folds_residues(length):
    made = list(decoys(make_fold(), length, 40, 1))
    assert len(made) == 40 and {len(decoy) for decoy in made} == {length}
    assert len(set(made)) == 40


def test_half_of_the_decoys_are_reversed_windows_and_half_shuffled():
    fold = make_fold()
    made = list(decoys(fold, 64, 200, 1))
    long = [sequence[::-1] for sequence in fold.sequences if len(sequence) >= 64]
    whole = lambda decoy: any(decoy in sequence for sequence in long)
    assert not any(map(whole, made[::2]))
    assert sum(map(whole, made[1::2])) > 50  # others are put together from short sequences


def test_long_decoys_are_of_sequences_as_long():
    """A reversed protein may resemble its family from end to end; pieces of several do not."""
    rng = np.random.default_rng(0)
    sequences = [synthetic.random_sequence(rng, 600 if i % 4 == 0 else 60) for i in range(4 * LONG)]
    fold = Fold(
        sequences,
        [str(i) for i in range(len(sequences))],
        np.zeros((0, 4), np.int32),
        np.ones(len(sequences), bool),
    )
    reversed_ones = list(decoys(fold, 512, 40, 0))[1::2]
    assert all(any(decoy[::-1] in sequence for sequence in sequences[::4]) for decoy in reversed_ones)
    short = list(decoys(fold, 32, 40, 0))[1::2]
    assert any(any(decoy[::-1] in sequence for sequence in sequences[1::4]) for decoy in short)


def test_shuffling_keeps_the_composition():
    fold = Fold(["AC" * 32], ["a"], np.zeros((0, 4), np.int32), np.ones(1, bool))
    for decoy in decoys(fold, 64, 4, 0):
        assert Counter(decoy) == {"A": 32, "C": 32}


def test_decoys_depend_on_the_seed_alone():
    fold = make_fold()
    assert list(decoys(fold, 128, 5, 3)) == list(decoys(fold, 128, 5, 3))
    assert list(decoys(fold, 128, 5, 3)) != list(decoys(fold, 128, 5, 4))


def test_every_decoy_has_as_many_scores_as_families():
    made = list(decoys(make_fold(), 64, 6, 0))
    scores = decoy_scores(Runtime(), made, ALONE, LEVEL, Threads(2), nothing)
    assert scores.shape == (6, FAMILIES) and (np.diff(scores) <= 0).all()


def test_scores_of_decoys_are_over_the_baselines_of_their_families():
    made = list(decoys(make_fold(), 64, 6, 0))
    scores, lower = (
        decoy_scores(Runtime(), made, ALONE, level, ONE, nothing) for level in (LEVEL, LEVEL + 2.5)
    )
    assert np.allclose(scores - 2.5, lower)
    high = LEVEL.copy()
    high[:-1] = 1000.0
    assert (decoy_scores(Runtime(), made, ALONE, high, ONE, nothing)[:, 1:] < -900).all()


def nothing(place, families):
    """No profile finds anything."""
    return set()


def test_what_is_in_a_decoy_after_all_is_no_false_call():
    made, one_clan = list(decoys(make_fold(), 64, 6, 0)), Scoring(np.zeros(FAMILIES, int), ALONE.longest)
    allowed, seen = [np.arange(FAMILIES) != 3] * 6, []
    known = lambda place, families: seen.append(families) or {families[1]}
    every, rest = (decoy_scores(Runtime(), made, one_clan, LEVEL, ONE, k, allowed) for k in (nothing, known))
    assert (every[:, JUDGED] > 0).all()  # against no family alone
    assert np.array_equal(rest[:, :-1], np.delete(every, 1, axis=1))
    assert (rest[:, -1] == np.minimum(every[:, -1], 0)).all()
    assert len(seen) == 6 and all(3 not in families and len(families) == JUDGED for families in seen)


# Domains whose own families may not be named


LETTERS = "ACDEFGHIKL"


def long_fold():
    """Domains of 10 families, of which the sequence tells: 'A' is 0, 'C' is 1; some overlap."""
    sequences = [(letter + "WY") * 50 for letter in LETTERS]
    domains = [(i, 20, 70 if i == 5 else 120, i) for i in range(10)]
    domains += [(3, 20, 120, 4), (5, 80, 120, 6), (7, 30, 110, -1)]
    return Fold(sequences, list("abcdefghij"), np.array(domains, np.int32), np.ones(10, bool))


@pytest.mark.parametrize("length", (40, 100, 130, 300))
def test_what_lies_in_a_window_may_not_be_named_nor_its_clan(length):
    clans = ["one", "one", "", "", "", "", "", "", "", "two"] + ["two"] + [""] * 19
    fold, made = long_fold(), list(others(long_fold(), clan_numbers(clans), length, 30, 1))
    assert len(made) == 30 and {len(window) for window, *_ in made} == {length}
    for window, named, sources in made:
        there = {LETTERS.index(letter) for letter in window if letter in LETTERS}
        struck = there - {5} | ({4} if 3 in there else set()) | ({0, 1} if there & {0, 1} else set())
        struck |= {10} if 9 in there else set()
        assert struck <= set(np.flatnonzero(~named)) <= struck | ({5, 6} if 5 in there else set())
        assert sources == {LETTERS.index(letter) for letter in window if letter in LETTERS}
        assert named.shape == (FAMILIES,) and any(window[:20] in sequence for sequence in fold.sequences)
    if length == 40:  # the two domains of this sequence do not meet
        assert {tuple(np.flatnonzero(~named)) for window, named, _ in made if "G" in window} == {(5,), (6,)}


def test_windows_depend_on_the_seed_alone():
    once, again, other = (
        [window for window, *_ in others(long_fold(), np.arange(10), 90, 8, seed)] for seed in (1, 1, 2)
    )
    assert once == again != other


def test_families_take_turns_and_so_do_the_domains_of_each():
    fold = long_fold()
    fold.domains[:, 1:3], fold.domains[1:, 3] = (20, 120), 1  # one domain of family 0, twelve of family 1
    made = [sources for *_, sources in others(fold, np.arange(10), 90, 24, 1)]
    assert made.count({0}) == 12 and {len(sources) for sources in made} == {1}
    assert {index for sources in made for index in sources} == set(range(10))


def test_a_fold_without_labels_has_none():
    fold = long_fold()
    fold.domains[:, 3] = -1
    assert list(others(fold, np.arange(FAMILIES), 90, 8, 1)) == []


class Sure(Runtime):
    """Knows the ten families, and takes each for its neighbour too; of disorder it makes nothing."""

    def logits(self, sequence):
        logits = super().logits(sequence)
        for place in range(len(logits)):
            block = sequence[16 * place : 16 * place + 16]
            for family, letter in enumerate(LETTERS):
                if block.count(letter + "WY") > 3:
                    logits[place, 1 + family] += 60
                    logits[place, 2 + family] += 6
        return logits


def test_families_that_a_network_does_not_know_make_it_less_sure():
    """The E-value of what it takes for a neighbour grows to what it happens to be worth."""
    fold, score = long_fold(), np.array([15.0])  # that of seven blocks of a neighbour
    calibration, check = calibrate(Sure(), fold, fold, families(), 20_000, 0, ONE, nothing)
    (row,) = [row for row in check if row["nominal"] == 1.0]
    assert row["kinds"].keys() == {"shuffled", "reversed", "others"}
    assert 0.5 < row["observed"] < 2 and row["kinds"]["others"] <= row["observed"]
    of_order, check = calibrate(Sure(), fold, fold, families("same"), 20_000, 0, ONE, nothing)
    assert check[0]["kinds"].keys() == {"shuffled", "reversed"}  # nothing is left to be named
    evalue, without = (FAMILIES * np.exp(which.log_p(score, 128))[0] for which in (calibration, of_order))
    assert without < 0.01 < 0.1 < evalue


class Backwards(Runtime):
    """Takes what ends in a letter for its family: 'A' is 0, 'C' is 1; the more of it, the surer."""

    def logits(self, sequence):
        logits = np.zeros((-(-len(sequence) // 16), FAMILIES + 1), np.float32)
        logits[:, 0] = 4
        if sequence[-1] in LETTERS:
            logits[0, 1 + LETTERS.index(sequence[-1])] = 4 + sequence.count(sequence[-1])
        return logits


def rows_fold(rows):
    domains = [(i, 0, len(row), family) for i, (family, row) in enumerate(rows)]
    domains = np.array(domains, np.int32).reshape(-1, 4)
    return Fold([row for _, row in rows], ["x"] * len(rows), domains, np.zeros(len(rows), bool))


def test_a_baseline_is_what_three_of_four_reversed_rows_of_a_family_do_not_exceed():
    own = [(0, "A" * n + "W" * 13) for n in (1, 2, 3, 4, 9)]
    fold = rows_fold([*own, (1, "DC" * 5), (-1, "AAAAA")])
    levels = baselines(Backwards(), fold, ALONE, 10**6, 0, ONE, nothing)
    # a row's score is the number of its letter: against all else, which is background
    assert levels[0] == pytest.approx(4.0, abs=0.5) and (levels[1:] == 0).all()


def test_a_row_that_its_profile_finds_reversed_gives_no_baseline():
    fold = rows_fold([(0, "A" * n + "W" * 13) for n in (4, 9)])
    found = lambda sequence, families: {0} if sequence.count("A") == 9 else set()
    some, none = (
        baselines(Backwards(), fold, ALONE, 10**6, 0, ONE, known)
        for known in (found, lambda sequence, families: set(families))
    )
    assert some[0] == pytest.approx(4.0, abs=0.5) and (none == 0).all()


@pytest.mark.parametrize("residues, rows", ((1, 1), (30 * 100 * 3, 3), (10**9, 8)))
def test_rows_for_baselines_have_so_many_residues_at_most(residues, rows):
    fold, asked = rows_fold([(0, "A" * 100)] * 20), []
    baselines(Backwards(), fold, ALONE, residues, 0, ONE, lambda *what: asked.append(what) or set())
    assert len(asked) == rows


def test_a_row_for_a_baseline_comes_with_what_surrounds_it():
    long = "".join(np.random.default_rng(0).permutation(list(LETTERS * 200)))
    fold, asked = rows_fold([(0, long), (1, long[:300]), (2, "W" * 90)]), []
    fold.domains[:, 1:3] = (800, 850), (100, 120), (0, 90)
    look = lambda sequence: asked.append(sequence) or Runtime().blocks(sequence)
    baselines(SimpleNamespace(blocks=look), fold, ALONE, 10**6, 0, ONE, nothing)
    whole = (long[800 - CONTEXT : 850 + CONTEXT], long[:300], "W" * 90)
    assert asked == [sequence[::-1] for sequence in whole]


def test_a_training_set_without_labels_gives_no_baselines():
    for fold in (rows_fold([(-1, "A" * 50)]), rows_fold([])):
        assert not baselines(Backwards(), fold, ALONE, 10**6, 0, ONE, nothing).any()


def test_a_calibration_has_the_baselines_of_the_training_set():
    own = [(0, "A" * 9 + "W" * 13)]
    calibration, _ = calibrate(Backwards(), rows_fold(own), long_fold(), families(), 2_000, 0, ONE, nothing)
    ((family, nats),) = calibration.baselines
    assert family == 0 and nats == pytest.approx(9.0, abs=0.5)


@given(
    st.lists(st.floats(-5, 50), min_size=12, max_size=12), st.lists(st.floats(-5, 50), min_size=6, max_size=6)
)
def test_p_is_that_of_the_sort_of_decoys_that_scores_highest(order, strange):
    rows = np.array(order).reshape(2, 3, 2)
    found = {"shuffled": rows[0], "reversed": rows[1], "others": np.array(strange).reshape(3, 2)}
    for kinds in (found, {kind: found[kind] for kind in ("shuffled", "reversed")}):
        scores = stricter(kinds)
        for score in (-3, 0, 10, 40):
            assert (scores >= score).mean() == max((part >= score).mean() for part in kinds.values())


def test_kinds_of_which_there_are_fewer_decoys_count_as_much():
    few, many = np.array([[9.0, 1.0]]), np.arange(8.0).reshape(4, 2)
    assert stricter({"shuffled": few, "others": many}).tolist() == [[1, 1], [2, 3], [9, 9], [9, 9]]


# Calibration


def test_calls_on_fresh_decoys_are_as_many_as_the_evalue_says():
    calibration, check = calibrate(Runtime(), make_fold(), make_fold(), families(), 80_000, 0, ONE, nothing)
    assert [tail.residues for tail in calibration.tails] == list(DECOY_LENGTHS)
    observed = {row["nominal"]: row["observed"] for row in check}
    assert observed[0.1] == pytest.approx(0.1, rel=0.5)
    assert list(observed.values()) == sorted(observed.values())


# Candidates


def some_peaks(seed, sequences=30, families=200):
    """Sequences that resemble few families or many."""
    rng = np.random.default_rng(seed)
    return [
        (int(rng.integers(1, 4)), np.sort(rng.normal(rng.normal(0, 2), 2, families))[::-1])
        for _ in range(sequences)
    ]


def passing(all_peaks, threshold, most):
    return sum(min(int((peaks >= threshold).sum()), most * count) for count, peaks in all_peaks)


@given(st.integers(0, 50), st.integers(1, 60))
def test_as_many_pass_on_average_as_were_asked_for(seed, mean):
    all_peaks = some_peaks(seed)
    spans = sum(count for count, _ in all_peaks)
    threshold = usual_threshold(all_peaks, mean)
    room = sum(min(MOST * mean * count, len(peaks)) for count, peaks in all_peaks)
    assert passing(all_peaks, threshold, MOST * mean) == min(mean * spans, room)


def test_more_effort_tries_more():
    ranks = np.arange(100) % 40
    peaks = 10 - ranks / 2
    chosen = choose_sensitivities(ranks, peaks, some_peaks(1), 16, 0.99)
    fast, default, sensitive = (chosen[mode] for mode in ("fast", "default", "sensitive"))
    assert [mode["candidates"] for mode in (fast, default, sensitive)] == [8, 16, 64]
    assert all(mode["most"] == MOST * mode["candidates"] for mode in chosen.values())
    assert fast["threshold"] > default["threshold"] > sensitive["threshold"]
    assert fast["passing"] <= 8 and fast["passing"] < default["passing"] <= 16 and sensitive["passing"] <= 64
    assert fast["recall"] == pytest.approx(0.97) and sensitive["recall"] == 1.0
    low = choose_sensitivities(ranks, peaks, some_peaks(1), 16, 0.5)
    assert low["fast"]["recall"] == 0 and low["fast"]["threshold"] >= low["default"]["threshold"]


def test_where_fewer_are_enough_for_the_recall_fewer_are_tried():
    ranks, peaks = np.zeros(50), np.full(50, 99.0)
    chosen = choose_sensitivities(ranks, peaks, some_peaks(2), 16, 0.99)["default"]
    assert chosen["threshold"] == 99.0 and chosen["passing"] == 0


def test_a_model_of_few_families_tries_them_all():
    all_peaks = peaks_of_all(Runtime(), make_fold(), 100, ONE)
    assert len(all_peaks) == 20 and all(len(peaks) == FAMILIES for _, peaks in all_peaks)
    lowest = min(peaks[-1] for _, peaks in all_peaks)
    assert usual_threshold(all_peaks, FAMILIES) == pytest.approx(lowest)
    assert choose_sensitivities(np.zeros(2), np.ones(2), all_peaks, 1, 0.995)["fast"]["candidates"] == 1
    # a few validation rows with high peaks must not exclude a family
    chosen = choose_sensitivities(np.zeros(20), np.full(20, 99.0), all_peaks, FAMILIES, 0.995)
    assert chosen["default"]["threshold"] == EVERY_FAMILY < lowest < chosen["fast"]["threshold"]


def test_peaks_are_the_same_in_any_number_of_threads():
    one, three = (peaks_of_all(Runtime(), make_fold(), 7, Threads(cpus)) for cpus in (1, 3))
    assert len(one) == 7
    for (count, peaks), (other_count, other) in zip(one, three, strict=True):
        assert count == other_count and (peaks == other).all() and (np.diff(peaks) <= 0).all()


def test_from_too_few_domains_no_threshold_and_no_calls_are_learnt():
    peaks = [(1, np.arange(9.0)[::-1])]
    for count in (LEAST - 1, LEAST):
        chosen = choose_sensitivities(np.zeros(count), np.ones(count), peaks, 2, 0.99)
        assert (chosen["default"]["threshold"] == EVERY_FAMILY) == (count < LEAST)
    both, order = [{"kinds": {"shuffled": 0, "others": 0}}], [{"kinds": {"shuffled": 0}}]
    assert too_little(LEAST, both) == ""
    assert too_little(LEAST - 1, both) == "9 validation domains, 10 are needed"
    assert "no domains of other families" in too_little(LEAST, order)
    assert never().log_p(np.array([-50.0, 0.0, 1e4]), 300).tolist() == [0.0, 0.0, 0.0]


def test_decoys_of_each_length_count_alike_however_many_they_are():
    evalues = {"shuffled": [np.full((90, 2), 9.0), np.full((10, 2), 0.1)], "reversed": [np.full((5, 1), 9.0)]}
    assert checked(1.0, evalues) == {
        "nominal": 1.0,
        "observed": 1.0,
        "kinds": {"shuffled": 1.0, "reversed": 0.0},
    }
