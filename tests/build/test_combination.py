"""The weights of the combined score are fitted to what is correct."""

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pfamnet.build import combination as fitting
from pfamnet.build.combination import NEVER, WEIGHTS, Terms, padded
from pfamnet.model.combination import Combination


def mask(*labels, families=3):
    return np.array(labels)[:, None] == np.arange(families)


def fit(*terms):
    return Terms(*terms).fit()


def errors(combination, *terms):
    return Terms(*terms).errors(combination)


def test_examples_in_the_docstrings():
    assert doctest.testmod(fitting).failed == 0


@given(
    arrays(float, (6, 3), elements=st.floats(-20, 0)),
    arrays(float, (6, 3), elements=st.floats(-5, 300)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_no_weight_of_the_profiles_alone_makes_fewer_errors(log_p, nats, labels):
    right = mask(*labels)
    fitted = errors(fit(log_p, nats, right), log_p, nats, right)
    assert fitted <= min(errors(Combination(round(weight, 6)), log_p, nats, right) for weight in WEIGHTS)


def test_misleading_profiles_weigh_nothing():
    log_p = np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    wrong, right = np.roll(np.eye(3), 1, axis=1), mask(0, 1, 2)
    assert fit(log_p, 20 * wrong, right) == Combination(0.0)


def test_a_domain_without_its_family_among_the_candidates_does_no_harm():
    log_p = np.log([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    assert np.isfinite(fit(log_p, np.zeros((2, 3)), mask(0, -1)).profile)


def test_rows_of_different_lengths_are_filled_up_with_what_never_wins():
    log_p = padded([np.array([-1.0, -2.0]), np.array([-3.0])], NEVER)
    right = np.array([[True, False], [True, False]])
    fitted = fit(log_p, np.zeros((2, 2)), right)
    assert errors(fitted, log_p, np.zeros((2, 2)), right) == 0
