"""The combined score: what its weights mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pfamnet.model.combination import Combination, evidence, log_probabilities


def test_the_score_is_a_sum_of_evidence():
    scores = Combination(0.5).scores(np.array([-1.0, -2.0]), np.array([4.0, 8.0]))
    assert scores.tolist() == [1.0, 2.0]


@given(arrays(float, (3, 4), elements=st.floats(-500, 500)))
def test_log_probabilities_are_of_a_distribution(logits):
    log_p = log_probabilities(logits)
    assert np.allclose(np.exp(log_p).sum(1), 1) and (log_p <= 1e-9).all()


@given(st.dictionaries(st.integers(0, 5), st.floats(-50, 900)))
def test_not_being_found_is_never_better_than_being_found(bits):
    nats = evidence(bits, range(6))
    missing = [nats[family] for family in range(6) if family not in bits]
    assert all(value <= 0 and value <= nats[family] + 1e-9 for value in missing for family in bits)


@pytest.mark.parametrize(
    "fields", ({}, {"profile": -1}, {"profile": "x"}, {"profile": float("nan")}, {"profile": None})
)
def test_what_is_no_combination_is_refused(fields):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Combination.from_json(fields)


def test_weights_come_back_from_json():
    assert Combination.from_json(Combination(0.3).to_json()) == Combination(0.3)
