"""Candidates on average, and at most: what thresholds let through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_calibration import FAMILIES, Runtime, make_fold, watch

from pfamnet.build.modes import MOST, choose_modes, mode_settings, peaks_of_all, usual_threshold


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
    modes = choose_modes(ranks, peaks, some_peaks(1), 16, 0.99)
    fast, default, sensitive = (modes[mode] for mode in ("fast", "default", "sensitive"))
    assert [mode["candidates"] for mode in (fast, default, sensitive)] == [8, 16, 64]
    assert all(mode["most"] == MOST * mode["candidates"] for mode in modes.values())
    assert fast["threshold"] > default["threshold"] > sensitive["threshold"]
    assert fast["recall"] == pytest.approx(0.97) and sensitive["recall"] == 1.0


def test_where_fewer_are_enough_for_the_recall_fewer_are_tried():
    ranks, peaks = np.zeros(50), np.full(50, 99.0)
    assert choose_modes(ranks, peaks, some_peaks(2), 16, 0.99)["default"]["threshold"] == 99.0


def test_a_model_of_few_families_tries_them_all():
    all_peaks = peaks_of_all(Runtime(), make_fold(), 100, 1, watch)
    assert len(all_peaks) == 20 and all(len(peaks) == FAMILIES for _, peaks in all_peaks)
    lowest = min(peaks[-1] for _, peaks in all_peaks)
    assert usual_threshold(all_peaks, FAMILIES) == pytest.approx(lowest)
    assert mode_settings(1, 0.995)["fast"][0] == 1


def test_peaks_are_the_same_in_any_number_of_threads():
    one, three = (peaks_of_all(Runtime(), make_fold(), 7, cpus, watch) for cpus in (1, 3))
    assert len(one) == 7
    for (count, peaks), (other_count, other) in zip(one, three, strict=True):
        assert count == other_count and (peaks == other).all() and (np.diff(peaks) <= 0).all()
