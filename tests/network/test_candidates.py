"""Proposals against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pfamnet.families import Family
from pfamnet.network import candidates
from pfamnet.network.blocks import CHUNK, Blocks, log_none
from pfamnet.network.candidates import (
    ANY,
    CALLED,
    SPAN,
    Scoring,
    best_blocks,
    best_runs,
    may_reach,
    merged,
    propose,
)

# whole numbers and ties, so that sums are exact
ODDS = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-5, 5)
)


LONGEST = st.lists(st.integers(1, 14), min_size=4, max_size=4)


def runs(odds, longest):
    return best_runs(odds, np.array(longest[: odds.shape[1]]))


@given(ODDS, LONGEST)
def test_the_best_run_has_the_largest_sum_of_all_runs_that_are_not_too_long(odds, longest):
    for column, (total, first, last) in enumerate(zip(*runs(odds, longest), strict=True)):
        ends = [(a, min(a + longest[column], len(odds))) for a in range(len(odds))]
        assert total == max(odds[a:b, column].sum() for a, end in ends for b in range(a + 1, end + 1))
        assert 0 <= first < last <= min(first + longest[column], len(odds))
        assert odds[first:last, column].sum() == total


@given(ODDS, LONGEST)
def test_a_run_neither_begins_nor_ends_with_what_lowers_its_sum(odds, longest):
    for column, (total, first, last) in enumerate(zip(*runs(odds, longest), strict=True)):
        if total > 0:
            for cut in range(first + 1, last):
                assert odds[first:cut, column].sum() > 0
                assert odds[cut:last, column].sum() > 0


@given(ODDS, LONGEST)
def test_a_column_has_the_same_run_alone(odds, longest):
    together = runs(odds, longest)
    for column in range(odds.shape[1]):
        alone = runs(odds[:, column : column + 1], longest[column:])
        assert [part[column] for part in together] == [part[0] for part in alone]


def test_no_families_no_runs():
    assert [len(part) for part in runs(np.zeros((5, 0)), [])] == [0, 0, 0]


def test_a_run_is_half_as_long_again_as_the_profile_and_one_block_more():
    families = [Family(str(length), str(length), length) for length in (1, 32, 33, 320, 0)]
    longest = Scoring.of(families, 16).longest
    assert longest[:4].tolist() == [2, 4, 5, 31]
    assert longest[4] > 10**6  # of unknown length


def test_an_array_of_repeats_scores_as_its_best_part():
    odds = np.full((40, 2), 3.0)
    odds[20:23] = 4.0
    families = [Family("repeat", "repeat", 32, "clan"), Family("long", "long", 640, "clan")]
    logits = np.concatenate([np.zeros((40, 1)), odds], 1)
    proposal = propose(Blocks.of(logits), 16, 640, Scoring.of(families, 16))
    repeat, long = proposal.families.argsort()
    assert proposal.regions[repeat].tolist() == [19 * 16, 23 * 16]
    assert proposal.regions[long].tolist() == [0, 640]


# Proposals


def logits_of(odds):
    """Logits in which the log-odds are `odds`, whatever class 0 has."""
    zero = np.random.default_rng(0).normal(size=(len(odds), 1))
    return np.concatenate([zero, odds + zero], 1)


def proposed(logits, block, length, *args, **options):
    families = logits.shape[1] - 1
    scoring = Scoring(np.arange(families), np.full(families, ANY))  # each family is a clan of its own
    return propose(Blocks.of(logits), block, length, scoring, *args, **options)


def peaks_of(odds):
    odds = odds.astype(float)
    return (odds - np.log(1 + np.exp(odds).sum(1, keepdims=True)) / 2).max(0)


def test_families_are_proposed_by_their_best_block_and_best_first():
    odds = np.full((6, 4), -3.0)
    odds[2:4, 1] = 5, 4
    odds[0, 3] = 6
    odds[5, 0] = 1
    proposal = proposed(logits_of(odds), 16, 90, threshold=0)
    assert proposal.families.tolist() == [3, 1, 0]
    # the mean of log-odds and log-probability: half the logarithm of all odds is taken off
    assert proposal.peaks == pytest.approx(
        [odds_ - np.log(1 + np.exp(odds_) + 3 * np.exp(-3)) / 2 for odds_ in (6, 5, 1)]
    )
    against = np.log(np.exp(odds) / (1 + np.exp(odds).sum(1, keepdims=True) - np.exp(odds)))
    expected = [against[0, 3], against[2:4, 1].sum(), against[5, 0]]
    assert proposal.scores == pytest.approx(expected, abs=1e-3)
    assert proposal.regions.tolist() == [[0, 16], [32, 64], [80, 90]]


@given(arrays.arrays(np.float32, (7, 9), elements=st.integers(-4, 4)), st.integers(-4, 5), st.integers(1, 9))
def test_a_proposal_holds_what_passes_and_no_more_than_allowed(odds, threshold, most):
    zeros = np.zeros((7, 1), np.float32)
    logits = np.concatenate([zeros, odds], 1)
    proposal, (_, peaks) = proposed(logits, 16, 7 * 16, threshold, most), best_blocks(Blocks.of(logits))
    passing = (peaks >= threshold).sum()
    assert len(proposal.families) == min(passing, most)
    assert (np.diff(proposal.peaks) <= 0).all() and (proposal.peaks >= threshold).all()
    left = np.delete(peaks, proposal.families)
    if len(proposal.families) < passing:
        assert left.max() <= proposal.peaks[-1]
    assert (proposal.scores <= np.maximum(odds, 0).sum(0)[proposal.families] + 1e-3).all()
    # of equal peaks the first family goes first
    pairs = list(zip(-proposal.peaks, proposal.families, strict=True))
    assert pairs == sorted(pairs)


def test_nothing_proposed_is_a_proposal_too():
    proposal = proposed(np.zeros((3, 4)), 16, 48, threshold=1.0)
    assert proposal.regions.shape == (0, 2) and len(proposal.families) == len(proposal.scores) == 0


@pytest.mark.parametrize("blocks, allowed", [(1, 2), (SPAN, 2), (SPAN + 1, 4), (3 * SPAN, 6)])
def test_a_long_protein_may_have_more_candidates(blocks, allowed):
    logits = np.random.default_rng(0).normal(size=(blocks, 30))
    assert len(proposed(logits, 16, 16 * blocks, most=2).families) == allowed


def test_runs_are_worked_out_for_a_bounded_number_of_families():
    proposal = proposed(np.random.default_rng(0).normal(size=(4, 1000)), 16, 64)
    assert len(proposal.families) == 999 and len(proposal.scores) == len(proposal.regions) == CALLED


@given(st.integers(1, 2 * CHUNK + 5), st.integers(0, 3))
def test_peaks_are_those_of_all_blocks_however_many(blocks, seed):
    logits = np.random.default_rng(seed).normal(size=(blocks, 4)).astype(np.float32)
    families, peaks = best_blocks(Blocks.of(logits))
    assert families.tolist() == [0, 1, 2]
    assert peaks == pytest.approx(peaks_of(logits[:, 1:] - logits[:, :1]), abs=1e-5)


@given(st.sets(st.integers(0, 8)), st.integers(-3, 3), st.integers(0, 99))
def test_a_match_adds_its_nats_to_a_peak(matched, threshold, seed):
    rng = np.random.default_rng(seed)
    blocks = Blocks.of(rng.normal(size=(5, 10)).astype(np.float32))
    families, nats = np.array(sorted(matched), int), rng.uniform(0, 9, len(matched))
    _, peaks = best_blocks(blocks)
    peaks[families] += nats
    passed, found = best_blocks(blocks, threshold, (families, nats))
    assert passed.tolist() == np.flatnonzero(peaks >= threshold).tolist()
    assert found == pytest.approx(peaks[passed])


@given(st.floats(-12, 6), st.sampled_from([(1.0, 0.0), (0.25, 40.0)]))
def test_what_may_reach_a_threshold_is_what_does_and_little_more(threshold, scale):
    step, zero = scale
    logits = np.random.default_rng(2).normal(0, 3, (6, 40)).astype(np.float32)
    blocks = Blocks(
        np.clip(np.rint(logits / step + zero), 0, 255).astype(np.uint8), log_none(logits), step, zero
    )
    blocks = blocks if zero else Blocks.of(logits)
    passed, peaks = best_blocks(blocks)
    may = may_reach(blocks, threshold)
    assert may[passed[peaks >= threshold]].all()
    assert not may[passed[peaks < threshold - 2 * step]].any()


def test_a_match_proposes_a_family_that_the_network_does_not():
    odds = np.array([[5.0, -9, -9]])
    matches = np.array([1]), np.array([14.0])
    proposal = proposed(logits_of(odds), 16, 16, threshold=-2.0, matches=matches)
    assert proposal.families.tolist() == [0, 1]
    assert proposal.scores[1] < 0  # what the network says of it is the same


def test_a_block_that_is_surely_of_one_family_proposes_fewer_others():
    """Of two families with the same log-odds, the one in the less certain block goes first."""
    odds = np.array([[9.0, 2, -9], [-9, -9, 2]])
    assert proposed(logits_of(odds), 16, 32).families.tolist() == [0, 2, 1]


def test_no_logit_is_too_large():
    logits = np.array([[0, 1e4, -1e4], [1e4, -1e4, 0]], np.float32)
    assert np.isfinite(best_blocks(Blocks.of(logits))[1]).all()


@given(st.integers(-50, 50))
def test_only_the_difference_to_class_0_counts(shift):
    odds = np.random.default_rng(1).integers(-8, 8, (5, 6)).astype(float)
    logits = np.concatenate([np.zeros((5, 1)), odds], 1)
    one, other = proposed(logits, 16, 80), proposed(logits + shift, 16, 80)
    assert one.scores == pytest.approx(other.scores, abs=1e-3)


def test_few_families_at_a_time_have_the_same_runs(monkeypatch):
    logits = np.random.default_rng(3).normal(size=(30, 12)).astype(np.float32)
    together = proposed(logits, 16, 480)
    monkeypatch.setattr(candidates, "CELLS", 60)  # of eleven families two at a time
    alone = proposed(logits, 16, 480)
    for name in ("families", "peaks", "scores", "regions"):
        np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))


def test_of_parts_each_family_has_its_best_peak_and_its_best_score():
    one = candidates.Proposal(np.array([3, 1]), np.array([5.0, 2.0]), np.array([9.0]), np.array([[0, 16]]))
    other = candidates.Proposal(np.array([1, 3]), np.array([4.0, 1.0]), np.array([7.0]), np.array([[16, 32]]))
    both = merged([one, other.moved(100)])
    assert both.families.tolist() == [3, 1] and both.peaks.tolist() == [5, 4]
    assert both.scores.tolist() == [9, 7] and both.regions.tolist() == [[0, 16], [116, 132]]
    nothing = merged([])
    assert nothing.families.shape == (0,) and nothing.regions.shape == (0, 2)


@given(
    arrays.arrays(np.uint8, (9, 6), elements=st.integers(0, 255)),
    st.floats(-90, 20),
    st.sampled_from([0.25, 0.93135, 3.0]),
)
def test_integers_propose_what_their_logits_do(levels, threshold, step):
    """The level that a family needs in a block is rounded; what is proposed is not."""
    whole = Blocks(levels, np.zeros(9, np.float32), step, 250.0)
    counted = Blocks(levels, Blocks.of(whole.logits()).none, step, 250.0)
    both = counted, Blocks.of(whole.logits())
    scoring = Scoring(np.array([0, 1, 0, 2, 2]), np.array([1, 2, 4, 9, ANY]))
    one, other = (propose(blocks, 16, 144, scoring, threshold) for blocks in both)
    for name in ("families", "peaks", "scores", "regions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
