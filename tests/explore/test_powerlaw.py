"""Power laws: the zeta function, what is found again of numbers drawn from one, and what is none."""

import math

import numpy as np
import pytest

from pfamnet.explore.powerlaw import PowerLaw, _inverse, chance, fit, zeta


@pytest.mark.parametrize(
    ("s", "q", "value"),
    [
        (2, 1, math.pi**2 / 6),
        (4, 1, math.pi**4 / 90),
        (3, 1, 1.2020569031595942),
        (2, 3, math.pi**2 / 6 - 1.25),
        (1.5, 1, 2.612375348685488),
    ],
)
def test_zeta(s, q, value):
    assert zeta(s, q) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("alpha", "xmin"), [(1.8, 1), (2.5, 6)])
def test_a_law_is_found_again(alpha, xmin):
    rng = np.random.default_rng(1)
    law = PowerLaw(alpha, 0, xmin, 1, 1, 0)
    sizes = _inverse(law, rng.random(1500))
    assert sizes.min() == xmin
    share = (sizes >= 2 * xmin).mean()
    assert share == pytest.approx(float(chance(law, 2 * xmin)), abs=0.05)
    found = fit(sizes, draws=10)
    assert found.alpha == pytest.approx(alpha, abs=4 * found.error + 0.05)
    assert 0 < found.error < 0.2 and found.p > 0.1 and found.draws == 10


def test_what_is_no_power_law_is_told():
    sizes = np.random.default_rng(0).poisson(100, 2000) + 1
    law = fit(np.concatenate([sizes, np.arange(1, 60).repeat(40)]), draws=10)
    assert law.p < 0.1 or law.tail < 300  # the law is refused, or but a piece of the end is one


def test_few_numbers_have_no_law():
    assert fit([]) is None and fit([3] * 100) is None and fit([1, 2, 3]) is None


def test_the_same_numbers_have_the_same_law():
    sizes = np.random.default_rng(0).zipf(2, 300)
    assert fit(sizes, 10) == fit(sizes[::-1], 10)
