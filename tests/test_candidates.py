"""Proposals against brute force; P-values as a calibration must have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pfamnet.candidates import CALLED, CHUNK, SPAN, Calibration, best_blocks, best_runs, propose

# whole numbers and ties, so that sums are exact
ODDS = arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-5, 5))
BINS = ((64.0, 0.02, 3.0, 1.5), (256.0, 0.03, 4.0, 2.0), (1024.0, 0.05, 6.0, 2.5))


@given(ODDS)
def test_the_best_run_has_the_largest_sum_of_all_runs(odds):
    sums, firsts, lasts = best_runs(odds)
    for column, (total, first, last) in enumerate(zip(sums, firsts, lasts, strict=True)):
        runs = [odds[a:b, column].sum() for a in range(len(odds)) for b in range(a + 1, len(odds) + 1)]
        assert total == max(runs)
        assert 0 <= first < last <= len(odds)
        assert odds[first:last, column].sum() == total


@given(ODDS)
def test_a_run_neither_begins_nor_ends_with_what_lowers_its_sum(odds):
    for column, (total, first, last) in enumerate(zip(*best_runs(odds), strict=True)):
        if total > 0:
            for cut in range(first + 1, last):
                assert odds[first:cut, column].sum() > 0
                assert odds[cut:last, column].sum() > 0


@given(ODDS)
def test_a_column_has_the_same_run_alone(odds):
    together = best_runs(odds)
    for column in range(odds.shape[1]):
        alone = best_runs(odds[:, column : column + 1])
        assert [part[column] for part in together] == [part[0] for part in alone]


def test_no_families_no_runs():
    assert [len(part) for part in best_runs(np.zeros((5, 0)))] == [0, 0, 0]


# Proposals


def logits_of(odds):
    """Logits in which the log-odds are `odds`, whatever class 0 has."""
    zero = np.random.default_rng(0).normal(size=(len(odds), 1))
    return np.concatenate([zero, odds + zero], 1)


def peaks_of(odds):
    odds = odds.astype(float)
    return (odds - np.log(1 + np.exp(odds).sum(1, keepdims=True)) / 2).max(0)


def test_families_are_proposed_by_their_best_block_and_best_first():
    odds = np.full((6, 4), -3.0)
    odds[2:4, 1] = 5, 4
    odds[0, 3] = 6
    odds[5, 0] = 1
    proposal = propose(logits_of(odds), 16, 90, threshold=0)
    assert proposal.families.tolist() == [3, 1, 0]
    # the mean of log-odds and log-probability: half the logarithm of all odds is taken off
    assert proposal.peaks == pytest.approx(
        [odds_ - np.log(1 + np.exp(odds_) + 3 * np.exp(-3)) / 2 for odds_ in (6, 5, 1)])
    assert proposal.scores == pytest.approx([6, 9, 1])
    assert proposal.regions.tolist() == [[0, 16], [32, 64], [80, 90]]


@given(arrays.arrays(np.float32, (7, 9), elements=st.integers(-4, 4)), st.integers(-4, 5), st.integers(1, 9))
def test_a_proposal_holds_what_passes_and_no_more_than_allowed(odds, threshold, most):
    zeros = np.zeros((7, 1), np.float32)
    logits = np.concatenate([zeros, odds], 1)
    proposal, peaks = propose(logits, 16, 7 * 16, threshold, most), best_blocks(logits)
    passing = (peaks >= threshold).sum()
    assert len(proposal.families) == min(passing, most)
    assert (np.diff(proposal.peaks) <= 0).all() and (proposal.peaks >= threshold).all()
    left = np.delete(peaks, proposal.families)
    if len(proposal.families) < passing:
        assert left.max() <= proposal.peaks[-1]
    assert (proposal.scores >= odds.max(0)[proposal.families]).all()
    # of equal peaks the first family goes first
    pairs = list(zip(-proposal.peaks, proposal.families, strict=True))
    assert pairs == sorted(pairs)


def test_nothing_proposed_is_a_proposal_too():
    proposal = propose(np.zeros((3, 4)), 16, 48, threshold=1.0)
    assert proposal.regions.shape == (0, 2) and len(proposal.families) == len(proposal.scores) == 0


@pytest.mark.parametrize("blocks, allowed", [(1, 2), (SPAN, 2), (SPAN + 1, 4), (3 * SPAN, 6)])
def test_a_long_protein_may_have_more_candidates(blocks, allowed):
    logits = np.random.default_rng(0).normal(size=(blocks, 30))
    assert len(propose(logits, 16, 16 * blocks, most=2).families) == allowed


def test_runs_are_worked_out_for_a_bounded_number_of_families():
    proposal = propose(np.random.default_rng(0).normal(size=(4, 1000)), 16, 64)
    assert len(proposal.families) == 999 and len(proposal.scores) == len(proposal.regions) == CALLED


@given(st.integers(1, 2 * CHUNK + 5), st.integers(0, 3))
def test_peaks_are_those_of_all_blocks_however_many(blocks, seed):
    logits = np.random.default_rng(seed).normal(size=(blocks, 4)).astype(np.float32)
    assert best_blocks(logits) == pytest.approx(peaks_of(logits[:, 1:] - logits[:, :1]), abs=1e-5)


def test_a_block_that_is_surely_of_one_family_proposes_fewer_others():
    """Of two families with the same log-odds, the one in the less certain block goes first."""
    odds = np.array([[9.0, 2, -9], [-9, -9, 2]])
    assert propose(logits_of(odds), 16, 32).families.tolist() == [0, 2, 1]


def test_no_logit_is_too_large():
    logits = np.array([[0, 1e4, -1e4], [1e4, -1e4, 0]], np.float32)
    assert np.isfinite(best_blocks(logits)).all()


@given(st.floats(-50, 50))
def test_only_the_difference_to_class_0_counts(shift):
    odds = np.random.default_rng(1).integers(-8, 8, (5, 6)).astype(float)
    logits = np.concatenate([np.zeros((5, 1)), odds], 1)
    one, other = propose(logits, 16, 80), propose(logits + shift, 16, 80)
    assert one.scores == pytest.approx(other.scores, abs=1e-9)


# P-values


def test_the_tail_is_exponential():
    calibration = Calibration(BINS)
    assert np.exp(calibration.log_p([3.0, 4.5, 33.0], 64)) == pytest.approx(
        [0.02, 0.02 * np.exp(-1), 0.02 * np.exp(-20)]
    )


@given(arrays.arrays(np.float64, 20, elements=st.floats(-1e3, 1e3)), st.integers(1, 50_000))
def test_p_values_fall_with_the_score_and_never_exceed_one(scores, length):
    log_p = Calibration(BINS).log_p(np.sort(scores), length)
    assert (log_p <= 0).all() and (np.diff(log_p) <= 0).all() and np.isfinite(log_p).all()


@given(st.floats(7, 100), st.integers(65, 1023))
def test_between_two_lengths_p_lies_between_theirs(score, length):
    calibration = Calibration(BINS)
    low, high = (64, 256) if length <= 256 else (256, 1024)
    ends = sorted(float(calibration.log_p(score, at)) for at in (low, high))
    assert ends[0] - 1e-9 <= float(calibration.log_p(score, length)) <= ends[1] + 1e-9


def test_the_middle_between_two_lengths_is_that_of_their_logarithms():
    calibration = Calibration(BINS)
    ends = [float(calibration.log_p(9.0, at)) for at in (64, 256)]
    assert float(calibration.log_p(9.0, 128)) == pytest.approx(sum(ends) / 2)


def test_scores_of_several_proteins_at_once():
    scores = np.random.default_rng(0).normal(10, 3, (4, 5))
    calibration = Calibration(BINS)
    together = calibration.log_p(scores, 100)
    assert np.allclose(together, [calibration.log_p(row, 100) for row in scores])


@pytest.mark.parametrize("bins", [BINS, BINS[:1]])
def test_beyond_the_last_length_p_grows_as_the_length_does(bins):
    calibration, last = Calibration(bins), int(bins[-1][0])
    for times in (2, 16, 100):
        assert np.exp(calibration.log_p(90.0, times * last)) == pytest.approx(
            times * np.exp(calibration.log_p(90.0, last))
        )
    assert calibration.log_p(-50.0, 100 * last) == 0
    assert calibration.log_p(90.0, 1) == calibration.log_p(90.0, int(bins[0][0]))


def test_a_fit_finds_the_exponential_that_the_decoys_have():
    rng, families, decoys = np.random.default_rng(0), 50, 4000
    scores = {length: rng.exponential(scale, (decoys, families)) for length, scale in ((64, 1.5), (256, 3.0))}
    calibration = Calibration.fit(scores, families)
    for (length, p, location, scale), true in zip(calibration.bins, (1.5, 3.0), strict=True):
        assert scale == pytest.approx(true, rel=0.1)
        for score in (8 * true, 12 * true):
            assert calibration.log_p(score, int(length)) == pytest.approx(-score / true, abs=0.6)
    assert [row[0] for row in calibration.bins] == [64, 256]


def test_calls_at_an_evalue_are_as_many_as_it_says():
    rng, families = np.random.default_rng(1), 200
    calibration = Calibration.fit({100: rng.gumbel(0, 2, (2000, families))}, families)
    fresh = rng.gumbel(0, 2, (4000, families))
    for nominal in (0.02, 0.1, 0.4):
        calls = (families * np.exp(calibration.log_p(fresh, 100)) <= nominal).sum() / len(fresh)
        assert calls == pytest.approx(nominal, rel=0.3)


@pytest.mark.parametrize("decoys, families", [(400, 1), (20, 1), (12, 2), (100, 3)])
def test_a_fit_with_few_families_is_finite(decoys, families):
    scores = np.random.default_rng(0).normal(size=(decoys, families))
    calibration = Calibration.fit({64: scores}, families)
    assert np.isfinite(calibration.bins).all()
    assert 0 < calibration.bins[0][1] <= 1


def test_equal_scores_are_no_division_by_zero():
    calibration = Calibration.fit({64: np.zeros((50, 4))}, 4)
    assert np.isfinite(calibration.bins).all() and calibration.log_p(1.0, 64) < calibration.log_p(0.0, 64)


@pytest.mark.parametrize("place, value", (
    (0, 0), (0, np.inf), (1, 0), (1, 1.1), (1, np.nan), (2, np.inf), (2, np.nan), (3, 0), (3, -1), (3, np.nan), (3, 1e-20),
))  # fmt: skip
def test_a_calibration_by_which_no_p_value_can_be_worked_out(place, value):
    row = list(BINS[0])
    row[place] = value
    with pytest.raises(ValueError):
        Calibration((tuple(row),))


@pytest.mark.parametrize("bins", ((), BINS[::-1], BINS[:1] * 2))
def test_lengths_of_a_calibration_ascend(bins):
    with pytest.raises(ValueError):
        Calibration(bins)
