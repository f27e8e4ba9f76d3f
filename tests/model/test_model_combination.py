"""The combined score: what its weights mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pfamnet.model.combination import Combination, agreement, evidence, log_probabilities, rarity


def test_the_score_is_a_sum_of_evidence():
    terms = np.array([[-1.0, -2.0], [4.0, 8.0], [-3.0, 0.0], [-1.0, -5.0]])
    assert Combination(2.0, 0.5, 1.0, 0.2).scores(*terms).tolist() == [-3.2, -1.0]
    assert Combination(2.0, 0.5, 1.0, 0.2).scores(*terms[:2]).tolist() == [0.0, 0.0]  # a part of a protein


def test_lengths_that_agree_lose_nothing_and_others_the_more_the_further():
    longer, shorter = agreement(100, np.array([100, 110, 200, 1000])), agreement(100, np.array([100, 50, 10]))
    assert longer[0] == shorter[0] == 0 and (np.diff(longer) < 0).all() and (np.diff(shorter) < 0).all()
    assert longer[2] == pytest.approx(shorter[1])  # of twice the length, of half of it
    assert longer[3] - longer[2] > -3  # whether a protein is twice or ten times as long says little
    assert np.isfinite(agreement(1, np.array([0, 10**5]))).all()


def test_a_family_of_fewer_rows_is_rarer():
    assert rarity(np.array([0, 1, 9])).tolist() == pytest.approx([0, -np.log(2), -np.log(10)])


@given(arrays(float, (3, 4), elements=st.floats(-500, 500)))
def test_log_probabilities_are_of_a_distribution(logits):
    log_p = log_probabilities(logits)
    assert np.allclose(np.exp(log_p).sum(1), 1) and (log_p <= 1e-9).all()


@given(st.dictionaries(st.integers(0, 5), st.floats(-50, 900)))
def test_not_being_found_is_never_better_than_being_found(bits):
    nats = evidence(bits, range(6))
    missing = [nats[family] for family in range(6) if family not in bits]
    assert all(value <= 0 and value <= nats[family] + 1e-9 for value in missing for family in bits)


@pytest.mark.parametrize("name", ["network", "profile", "length", "rarity"])
@pytest.mark.parametrize("value", [-1, "x", float("nan"), float("inf"), None, ...])
def test_what_is_no_combination_is_refused(name, value):
    fields = Combination(0.3, 0.2, 0.1, 0.0).to_json() | {name: value}
    if value is ...:
        del fields[name]
    with pytest.raises((ValueError, KeyError, TypeError)):
        Combination.from_json(fields)


def test_weights_come_back_from_json():
    assert Combination.from_json(Combination(0.3, 0.2, 0.1, 0.0).to_json()) == Combination(0.3, 0.2, 0.1, 0.0)
