"""The weights of the combined score are fitted to what is correct."""

import doctest
from dataclasses import astuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pfamnet.build import combination as fitting
from pfamnet.build.combination import PROFILES_ALONE, Terms, crossed, padded
from pfamnet.model.combination import Combination


def mask(*labels, families=3):
    return np.array(labels)[:, None] == np.arange(families)


def terms(right, *values):
    """Terms of some domains; what is not given is the same for all families."""
    values = [*values, *[0.0] * (4 - len(values))]
    return Terms(np.stack([np.broadcast_to(x, right.shape) for x in values], -1), right)


def simulated(weights, count=2000, families=5, seed=0):
    """Domains whose families are drawn as a combination says."""
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=(2, 3, 1, 2), size=(count, families, 4))
    drawn = (values @ np.array(weights) + rng.gumbel(size=(count, families))).argmax(1)
    return Terms(values, mask(*drawn, families=families))


def test_examples_in_the_docstrings():
    assert doctest.testmod(fitting).failed == 0


def test_the_weights_that_drew_the_families_are_found_again():
    fitted = simulated((0.4, 1.1, 1.3, 0.7)).fit()
    assert np.allclose(astuple(fitted), (0.4, 1.1, 1.3, 0.7), atol=0.15)


@settings(max_examples=40, deadline=None)
@given(
    arrays(float, (6, 3, 4), elements=st.floats(-20, 20)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    arrays(float, 4, elements=st.floats(0, 5)),
)
def test_no_other_weights_are_likelier(values, labels, others):
    made = Terms(values, mask(*labels))
    fitted = made.fit()
    weights = np.array(astuple(fitted))
    assert (weights >= 0).all()
    for part in (others, others * (weights > 0)):
        if not (part * (weights == 0)).any():
            assert made.cost(weights) <= made.cost(part) + 1e-2


def test_what_misleads_weighs_nothing():
    log_p = np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    wrong, right = np.roll(np.eye(3), 1, axis=1), mask(0, 1, 2)
    fitted = terms(right, log_p, 20 * wrong).fit()
    assert fitted.profile == 0 and fitted.network > 1
    assert terms(right, log_p, 20 * wrong).errors(fitted) == 0


def test_the_length_tells_families_apart_that_neither_network_nor_profiles_do():
    right = mask(0, 1, 2)
    made = terms(right, 0.0, 0.0, -3.0 * ~right)
    assert made.fit().length > 1 and made.errors(made.fit()) == 0 < made.errors(Combination())


def test_without_domains_all_weigh_the_same():
    nothing = Terms(np.zeros((0, 0, 4)), np.zeros((0, 0), bool))
    assert nothing.fit() == Combination(1.0, 1.0, 1.0, 0.0) and crossed(nothing) == 0
    one = terms(mask(1), np.log([[0.2, 0.7, 0.1]]))
    assert crossed(one) == 0


def test_a_domain_without_its_family_among_the_candidates_does_no_harm():
    log_p = np.log([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    with_it, without = terms(mask(0, -1), log_p), terms(mask(0), log_p[:1])
    assert with_it.fit() == without.fit() and with_it.errors(with_it.fit()) == 1


def test_rows_of_different_lengths_are_filled_up_with_what_never_wins():
    log_p = padded([np.array([-1.0, -2.0]), np.array([-3.0])], np.nan)
    made = terms(np.array([[True, False], [True, False]]), log_p)
    assert made.errors(made.fit()) == 0
    assert made.fit() == terms(np.array([[True, False]]), log_p[:1]).fit()


def test_profiles_alone_are_told_apart_by_the_network_only_where_they_are_equal():
    nats, log_p = np.array([[3.0, 3.0, 1.0]]), np.array([[-9.0, -1.0, 0.0]])
    assert terms(mask(1), log_p, nats).errors(PROFILES_ALONE) == 0
