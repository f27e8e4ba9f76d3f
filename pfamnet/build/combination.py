"""The weights of network, profile, length and rarity in the combined score, fitted on the validation set.

Validation domains, cut out, go through the appraisal of `pfamnet-scan --top`. The weights are
those of a conditional logit (McFadden 1974): they make the correct families likeliest among the
candidates. They are fitted on all domains; errors are counted on each half with the weights
fitted on the other.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from ..model.combination import Combination
from ..records import Record
from ..scan.evidence import Appraiser, Evidence, View
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from ..trainset.trainset import Fold
from .work import Threads

USUAL = np.array(astuple(Combination(1.0, 1.0, 1.0, 0.0)))  # without any domains
PRIOR = 1.0  # the weight of that, in domains of one nat
STEPS, ENOUGH = 50, 1e-6  # of Newton's method at most; a smaller gain ends it
PROFILES_ALONE = Combination(1e-6, 1.0)  # the network only breaks ties


def fit_on_dev(
    runtime, appraiser: Appraiser, corpus: Corpus, fold: Fold, limit: int, threads: Threads
) -> dict:
    """A network's entry of `combination` in model.json, from at most `limit` validation domains.

    The validation set comes in both forms: `corpus` and `fold`.
    """
    known = np.random.default_rng(0).permutation(np.flatnonzero(corpus.domains[:, 3] >= 0))
    rows = known[:limit].tolist()

    def appraise(row: int) -> Evidence:
        index, start, end, _ = corpus.domains[row].tolist()
        record = Record(str(row), "", fold.sequences[index][start:end], 1)
        return appraiser.of(record, View(runtime.logits(record.sequence)))

    found = threads.map("combination", appraise, rows)
    right = [np.isin(e.families, list(Measure.right_families(corpus, row))) for e, row in zip(found, rows)]
    terms = Terms(
        np.stack([padded([e.terms[k] for e in found], np.nan) for k in range(len(USUAL))], -1),
        padded(right, False).astype(bool),
    )
    network, profiles = terms.errors(Combination(1.0, 0.0)), terms.errors(PROFILES_ALONE)
    errors = {"network": network, "profiles": profiles, "both": crossed(terms)}
    return {"weights": terms.fit().to_json(), "domains": len(terms), "errors": errors}


def crossed(terms: Terms) -> int:
    """Errors on each half with the weights that are fitted on the other."""
    halves = (terms[::2], terms[1::2])
    return sum(half.errors(other.fit()) for half, other in (halves, halves[::-1]))


@dataclass(frozen=True)
class Terms:
    """The terms of the score on n domains, for m families each."""

    values: np.ndarray  # (n, m, 4), as in `Evidence`; NaN where a domain has fewer families
    right: np.ndarray  # (n, m) bool: the correct families; a domain may have none among its own

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, rows) -> Terms:
        return Terms(self.values[rows], self.right[rows])

    def errors(self, combination: Combination) -> int:
        """How many domains get a wrong family."""
        if not len(self):
            return 0
        scores = self.values @ np.array(astuple(combination))
        picks = np.where(np.isnan(scores), -np.inf, scores).argmax(1)
        return int((~self.right[np.arange(len(self)), picks]).sum())

    def cost(self, weights: np.ndarray) -> float:
        """Minus the log-likelihood of the correct families, and of the weights."""
        known = self[self.right.any(1)]
        scores = known.values @ weights
        every, right = log_sum(scores, ~np.isnan(scores)), log_sum(scores, known.right)
        return float((every - right).sum() + PRIOR * ((weights - USUAL) ** 2).sum())

    def fit(self) -> Combination:
        """The likeliest weights; none is negative."""
        used = np.ones(len(USUAL), bool)
        while True:
            weights = self.fitted(used)
            if (weights >= 0).all():
                return Combination(*np.round(weights, 4).tolist())
            used &= weights > 0

    def fitted(self, used: np.ndarray) -> np.ndarray:
        """The likeliest weights (4,), 0 where they are not `used`, by Newton's method."""
        known = self[self.right.any(1)]
        values = np.nan_to_num(known.values)
        weights = USUAL * used
        cost = self.cost(weights)
        for _ in range(STEPS):
            scores = known.values @ weights
            chance = shares(scores, ~np.isnan(scores))
            gradient = np.einsum("nm,nmk->k", chance - shares(scores, known.right), values)
            gradient += 2 * PRIOR * (weights - USUAL)
            mean = np.einsum("nm,nmk->nk", chance, values)
            curvature = np.einsum("nm,nmk,nml->kl", chance, values, values, optimize=True) - mean.T @ mean
            curvature += 2 * PRIOR * np.eye(len(weights))
            step = np.zeros(len(weights))
            step[used] = np.linalg.solve(curvature[np.ix_(used, used)], gradient[used])
            while (gain := cost - self.cost(weights - step)) < 0 and np.abs(step).max() > ENOUGH:
                step /= 2
            if gain < ENOUGH:
                return weights
            weights, cost = weights - step, cost - gain
        return weights


def log_sum(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Logarithms of the sums of exp(scores) of the chosen of each row (n,)."""
    return np.logaddexp.reduce(np.where(chosen, scores, -np.inf), axis=1)


def shares(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The softmax of the chosen of each row (n, m), 0 for others."""
    return np.exp(np.where(chosen, scores, -np.inf) - log_sum(scores, chosen)[:, None])


def padded(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Rows of different lengths as one array.

    >>> padded([np.array([1., 2.]), np.array([3.])], 0).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    table = np.full((len(rows), max(map(len, rows), default=0)), fill, float)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
