"""The weight of profiles against the network, fitted on the validation set.

Validation domains, cut out, go through the appraisal of `pfamnet-scan --top`. The weight is
fitted on all of them; errors are counted on each half with the weight fitted on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.combination import Combination, log_probabilities
from ..records import Record
from ..scan.evidence import Appraiser, Evidence, View
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from ..trainset.trainset import Fold
from .work import Threads

WEIGHTS = np.concatenate([[0.0], np.geomspace(0.01, 10, 61)])  # of profiles
NEVER = -1e30  # nats: the score of no candidate
PROFILES_ALONE = Combination(1e6)  # the network only breaks ties


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
        padded([evidence.log_p for evidence in found], NEVER),
        padded([evidence.nats for evidence in found], 0.0),
        padded(right, False).astype(bool),
    )
    network, profiles = terms.errors(Combination(0.0)), terms.errors(PROFILES_ALONE)
    errors = {"network": network, "profiles": profiles, "both": crossed(terms)}
    return {"weights": terms.fit().to_json(), "domains": len(terms), "errors": errors}


def crossed(terms: Terms) -> int:
    """Errors on each half with the weight that is fitted on the other."""
    halves = (terms[::2], terms[1::2])
    if not len(halves[1]):
        return terms.errors(Combination())
    return sum(half.errors(other.fit()) for half, other in (halves, halves[::-1]))


@dataclass(frozen=True)
class Terms:
    """The terms of the score on n domains, for m families each; arrays (n, m)."""

    log_p: np.ndarray
    nats: np.ndarray
    right: np.ndarray  # bool: the correct families; a domain may have none among its own

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, rows) -> Terms:
        return Terms(self.log_p[rows], self.nats[rows], self.right[rows])

    def scores(self, combination: Combination) -> np.ndarray:
        return combination.scores(self.log_p, self.nats)

    def errors(self, combination: Combination) -> int:
        """How many domains get a wrong family."""
        picks = self.scores(combination).argmax(1)
        return int((~self.right[np.arange(len(self)), picks]).sum())

    def cost(self, combination: Combination) -> tuple[int, float]:
        """Errors, and minus the log-likelihood of the correct families."""
        known = self.right.any(1)
        chances = np.exp(log_probabilities(self.scores(combination)[known]))
        likelihood = np.log(chances.sum(1, where=self.right[known]) + 1e-300).sum()
        return self.errors(combination), -float(likelihood)

    def fit(self) -> Combination:
        """The weight of profiles with the fewest errors; among equals, the likeliest."""
        return min((Combination(weight) for weight in np.round(WEIGHTS, 6).tolist()), key=self.cost)


def padded(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Rows of different lengths as one array.

    >>> padded([np.array([1., 2.]), np.array([3.])], 0).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    table = np.full((len(rows), max(map(len, rows), default=0)), fill, float)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
