"""P-values as a calibration must have them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pfamnet.network.evalues import CALLS, Calibration, Tail


def tail(residues, p, score, scale):
    """One score of a known P-value, and an exponential on both sides of it."""
    return Tail(residues, (score,), (float(np.log(p)),), scale)


TAILS = (tail(64.0, 0.02, 3.0, 1.5), tail(256.0, 0.03, 4.0, 2.0), tail(1024.0, 0.05, 6.0, 2.5))
KNOTS = Tail(128.0, (1.0, 3.0, 4.0), (-1.0, -2.0, -4.0), 0.5)


def test_between_known_scores_the_logarithm_of_p_is_interpolated():
    scores = np.array([1.0, 2.0, 3.5, 4.0, 5.0, 0.0])
    # beyond: one nat for each half nat of the score; before: as between the first two
    assert KNOTS.at(scores) == pytest.approx([-1.0, -1.5, -3.0, -4.0, -6.0, -0.5])


def test_the_tail_is_exponential():
    calibration = Calibration(TAILS)
    assert np.exp(calibration.log_p([3.0, 4.5, 33.0], 64)) == pytest.approx(
        [0.02, 0.02 * np.exp(-1), 0.02 * np.exp(-20)]
    )


@given(arrays.arrays(np.float64, 20, elements=st.floats(-1e3, 1e3)), st.integers(1, 50_000))
def test_p_values_fall_with_the_score_and_never_exceed_one(scores, length):
    log_p = Calibration(TAILS).log_p(np.sort(scores), length)
    assert (log_p <= 0).all() and (np.diff(log_p) <= 0).all() and np.isfinite(log_p).all()


@given(st.floats(7, 100), st.integers(65, 1023))
def test_between_two_lengths_p_lies_between_theirs(score, length):
    calibration = Calibration(TAILS)
    low, high = (64, 256) if length <= 256 else (256, 1024)
    ends = sorted(float(calibration.log_p(score, at)) for at in (low, high))
    assert ends[0] - 1e-9 <= float(calibration.log_p(score, length)) <= ends[1] + 1e-9


def test_the_middle_between_two_lengths_is_that_of_their_logarithms():
    calibration = Calibration(TAILS)
    ends = [float(calibration.log_p(9.0, at)) for at in (64, 256)]
    assert float(calibration.log_p(9.0, 128)) == pytest.approx(sum(ends) / 2)


def test_scores_of_several_proteins_at_once():
    scores = np.random.default_rng(0).normal(10, 3, (4, 5))
    calibration = Calibration(TAILS)
    together = calibration.log_p(scores, 100)
    assert np.allclose(together, [calibration.log_p(row, 100) for row in scores])


@pytest.mark.parametrize("tails", [TAILS, TAILS[:1]])
def test_beyond_the_last_length_p_grows_as_the_length_does(tails):
    calibration, last = Calibration(tails), int(tails[-1].residues)
    for times in (2, 16, 100):
        assert np.exp(calibration.log_p(90.0, times * last)) == pytest.approx(
            times * np.exp(calibration.log_p(90.0, last))
        )
    assert calibration.log_p(-50.0, 100 * last) == 0
    assert calibration.log_p(90.0, 1) == calibration.log_p(90.0, int(tails[0].residues))


def test_a_fit_finds_the_exponential_that_the_decoys_have():
    rng, families = np.random.default_rng(0), 50
    scores = {length: rng.exponential(scale, (4000, families)) for length, scale in ((64, 1.5), (256, 3.0))}
    calibration = Calibration.fit(scores, families)
    assert [tail.residues for tail in calibration.tails] == [64, 256]
    for found, true in zip(calibration.tails, (1.5, 3.0), strict=True):
        assert found.scale == pytest.approx(true, rel=0.3)
        for score in (true, 3 * true, 8 * true, 12 * true):
            assert calibration.log_p(score, int(found.residues)) == pytest.approx(-score / true, abs=1.0)


def test_calls_at_an_evalue_are_as_many_as_it_says():
    """In the tail, and where scores are common and no longer exponential."""
    rng, families = np.random.default_rng(1), 200
    calibration = Calibration.fit({100: rng.gumbel(0, 2, (2000, families))}, families)
    fresh = rng.gumbel(0, 2, (20000, families))
    for nominal in (0.005, 0.02, 0.1, 0.4, 1, 3, 10, 30):
        calls = (families * np.exp(calibration.log_p(fresh, 100)) <= nominal).sum() / len(fresh)
        assert calls == pytest.approx(nominal, rel=0.35 if nominal < 0.1 else 0.15)


def test_only_the_best_scores_of_each_decoy_are_needed():
    rows = np.sort(np.random.default_rng(2).gumbel(0, 2, (1000, 500)))[:, ::-1]
    best, all_ = Tail.fit(100, rows[:, :64], 500), Tail.fit(100, rows, 500)
    assert best.scale == all_.scale and len(best.scores) == len(CALLS)
    assert best.scores == pytest.approx(all_.scores, abs=0.05)


@pytest.mark.parametrize("decoys, families", [(400, 1), (20, 1), (12, 2), (100, 3), (4, 2)])
def test_a_fit_with_few_families_is_finite(decoys, families):
    scores = np.random.default_rng(0).normal(size=(decoys, families))
    calibration = Calibration.fit({64: scores}, families)
    assert np.isfinite(calibration.log_p([-9.0, 0.0, 9.0], 64)).all()
    assert calibration.log_p(9.0, 64) < calibration.log_p(1.0, 64)


def test_equal_scores_are_no_division_by_zero():
    calibration = Calibration.fit({64: np.zeros((50, 4))}, 4)
    assert np.isfinite(calibration.log_p(1.0, 64)) and calibration.log_p(1.0, 64) < calibration.log_p(0.0, 64)


def test_a_calibration_is_the_same_after_a_round_through_json():
    calibration = Calibration((KNOTS, *TAILS[1:]), ((3, 12.5), (40, 0.1)))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_a_score_counts_over_the_baseline_of_its_family():
    calibration = Calibration(TAILS, ((1, 2.5), (3, 10.0)))
    scores, families = np.array([9.0, 9.0, 9.0, 9.0, 9.0]), np.array([3, 0, 1, 2, 700_000])
    assert calibration.excess(scores, families).tolist() == [-1.0, 9.0, 6.5, 9.0, 9.0]
    assert Calibration(TAILS).excess(scores, families).tolist() == scores.tolist()
    assert calibration.excess(np.zeros(0), np.zeros(0, int)).tolist() == []


UNSOUND_BASELINES = ((-1, 1.0),), ((3, 1.0), (3, 2.0)), ((4, 1.0), (3, 1.0)), ((1 << 20, 1.0),)
UNSOUND_BASELINES += ((0, 0.0),), ((0, -1.0),), ((0, np.nan),), ((0, np.inf),)


@pytest.mark.parametrize("baselines", UNSOUND_BASELINES)
def test_baselines_are_of_families_in_order_and_positive(baselines):
    with pytest.raises(ValueError):
        Calibration(TAILS, baselines)


UNSOUND = {
    "no residues": (0, (1.0,), (-1.0,), 1.0),
    "endless": (np.inf, (1.0,), (-1.0,), 1.0),
    "nothing known": (64, (), (), 1.0),
    "score": (64, (np.nan,), (-1.0,), 1.0),
    "a P-value over one": (64, (1.0,), (0.1,), 1.0),
    "no P-value": (64, (1.0,), (np.nan,), 1.0),
    "P of zero": (64, (1.0,), (-np.inf,), 1.0),
    "no scale": (64, (1.0,), (-1.0,), 0.0),
    "negative": (64, (1.0,), (-1.0,), -1.0),
    "scale": (64, (1.0,), (-1.0,), np.nan),
    "tiny": (64, (1.0,), (-1.0,), 1e-20),
    "scores fall": (64, (2.0, 1.0), (-1.0, -2.0), 1.0),
    "P grows": (64, (1.0, 2.0), (-2.0, -1.0), 1.0),
    "more scores": (64, (1.0, 2.0), (-1.0,), 1.0),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_a_tail_by_which_no_p_value_can_be_worked_out(case):
    with pytest.raises(ValueError):
        Tail(*UNSOUND[case])


@pytest.mark.parametrize("tails", ((), TAILS[::-1], TAILS[:1] * 2))
def test_lengths_of_a_calibration_ascend(tails):
    with pytest.raises(ValueError):
        Calibration(tails)
