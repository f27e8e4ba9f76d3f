"""A power law fitted to counts: Clauset, Shalizi and Newman, SIAM Review 51 (2009) 661.

Sizes from `xmin` on are taken as p(x) = x ** -alpha / zeta(alpha, xmin), x whole. Of each
xmin, alpha is that of the greatest likelihood; the xmin is that of the least distance
between the fitted and the observed distribution (Kolmogorov-Smirnov). How well it fits
is told by sets of numbers drawn from the fitted law itself, each fitted anew: `p` is the
share of them that lie further from their fit than the data do. Below 0.1 a power law is
no good account of the data.
"""

from dataclasses import dataclass

import numpy as np

ALPHAS = np.arange(1.05, 6.0, 0.05)
CANDIDATES = 50  # sizes tried as xmin, at most
FEWEST = 10  # sizes that a fit is made of, at least


@dataclass(frozen=True)
class PowerLaw:
    """`tail` sizes of `count` are at least `xmin`; `error` is alpha's standard error."""

    alpha: float
    error: float
    xmin: int
    tail: int
    count: int
    distance: float
    p: float = float("nan")
    draws: int = 0


def zeta(s, q):
    """Hurwitz's zeta function for s > 1, q >= 1 (arrays), by Euler and Maclaurin."""
    s, q = np.broadcast_arrays(np.asarray(s, float), np.asarray(q, float))
    terms = 10
    total = sum((q + k) ** -s for k in range(terms))
    end = q + terms
    return (
        total
        + end ** (1 - s) / (s - 1)
        + end**-s / 2
        + s * end ** (-s - 1) / 12
        - s * (s + 1) * (s + 2) * end ** (-s - 3) / 720
    )


def fit(sizes, draws=100, seed=0):
    """The power law of whole numbers from 1 on, or None where there are too few different ones.

    `draws` sets of numbers are drawn for `p`; 0 leaves it open.
    """
    sizes = np.sort(np.asarray(sizes, np.int64))
    best = _fit(sizes)
    if best is None or not draws:
        return best
    rng = np.random.default_rng(seed)
    distances = [_fit(_drawn(sizes, best, rng)) for _ in range(draws)]
    further = np.mean([law is not None and law.distance >= best.distance for law in distances])
    return PowerLaw(**vars(best) | {"p": float(further), "draws": draws})


def _fit(sizes):
    values, counts = np.unique(sizes, return_counts=True)
    tails = np.cumsum(counts[::-1])[::-1]
    candidates = np.flatnonzero((tails >= FEWEST) & (np.arange(len(values)) < len(values) - 1))
    if not len(candidates):
        return None
    places = np.unique(np.linspace(0, len(candidates) - 1, CANDIDATES).round().astype(int))
    return min(
        (_fit_from(values[i:], counts[i:], len(sizes)) for i in candidates[places]),
        key=lambda law: law.distance,
    )


def _fit_from(values, counts, total):
    """The best law from the first of these values on."""
    xmin, tail = int(values[0]), int(counts.sum())
    logs = float((counts * np.log(values)).sum())
    likelihood = -tail * np.log(zeta(ALPHAS, xmin)) - ALPHAS * logs
    top = int(np.clip(likelihood.argmax(), 1, len(ALPHAS) - 2))
    left, middle, right = likelihood[top - 1 : top + 2]
    bend, step = left - 2 * middle + right, ALPHAS[1] - ALPHAS[0]
    alpha = (
        float(ALPHAS[top] + np.clip((left - right) / (2 * bend), -1, 1) * step)
        if bend < 0
        else float(ALPHAS[top])
    )
    error = step / np.sqrt(-bend) if bend < 0 else np.nan
    law = PowerLaw(alpha, float(error), xmin, tail, total, 0.0)
    observed = np.cumsum(counts) / tail
    here, next_one = chance(law, values), chance(law, np.append(values[1:], values[-1] + 1))
    # the law grows at every whole number, the data at theirs alone
    distance = max(
        np.abs(1 - observed - (here - _at(law, values))).max(),
        np.abs(1 - observed - next_one)[:-1].max(initial=0),
    )
    return PowerLaw(**vars(law) | {"distance": float(distance)})


def chance(law, values):
    """The chance that a size of the tail is at least so large."""
    return zeta(law.alpha, values) / zeta(law.alpha, law.xmin)


def _at(law, values):
    return np.asarray(values, float) ** -law.alpha / zeta(law.alpha, law.xmin)


def _drawn(sizes, law, rng):
    """As many numbers: below xmin of the data, from there on of the law."""
    below = sizes[sizes < law.xmin]
    tail = int((rng.random(len(sizes)) < law.tail / len(sizes)).sum())
    made = _inverse(law, rng.random(tail))
    return np.concatenate([rng.choice(below, len(sizes) - tail) if len(below) else made[:0], made])


def _inverse(law, chances):
    """The largest whole numbers of which the chance is above these."""
    low = np.full(len(chances), law.xmin, np.int64)
    high = low * 2
    while (grow := (chance(law, high) > chances) & (high < 2**52)).any():
        low[grow], high[grow] = high[grow], high[grow] * 2
    while (high - low > 1).any():
        middle = (low + high) // 2
        above = chance(law, middle) > chances
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low
