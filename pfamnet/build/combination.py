"""The weights of the combined score, fitted on dev as a scan will ask for them.

Some dev domains, cut out, go through the very appraisal of `pfamnet-scan --top`:
candidates of the network, two passes of their profiles.  The weight
of profiles is fitted on all of them; errors are counted on either half with weights that
were fitted on the other one: of the network alone, of the candidates' profiles
alone, and of both together.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..model.combination import Combination, log_probabilities
from ..records import Record
from ..scan.evidence import Appraiser, Evidence, View
from ..training.dev_accuracy import Measure

WEIGHTS = np.concatenate([[0.0], np.geomspace(0.01, 10, 61)])  # of profiles
NEVER = -1e30  # nats: the score of no candidate
PROFILES_ALONE = Combination(1e6)  # the network only breaks ties


def fit_on_dev(runtime, appraiser: Appraiser, corpus, fold, limit: int, cpus: int, watch: Callable) -> dict:
    """A network's entry of `combination` in model.json.

    Arguments:
        runtime: of the network.
        appraiser: as a scan's.
        corpus, fold: dev, as a `Corpus` and as a `Fold`.
        limit: domains to look at, at most.
        cpus: threads; the weights do not depend on their number.
        watch: wraps the iteration (progress).
    """
    known = np.random.default_rng(0).permutation(np.flatnonzero(corpus.domains[:, 3] >= 0))
    rows = known[:limit].tolist()

    def appraise(row: int) -> Evidence:
        index, start, end, _ = corpus.domains[row].tolist()
        record = Record(str(row), "", fold.sequences[index][start:end], 1)
        return appraiser.of(record, View(runtime.logits(record.sequence)))

    with ThreadPoolExecutor(cpus) as pool:
        found = list(watch(pool.map(appraise, rows), len(rows)))
    terms = terms_of(found, [Measure.right_families(corpus, row) for row in rows])
    return {
        "weights": terms.fit().to_json(),
        "domains": len(terms),
        "errors": {
            "network": terms.errors(Combination(0.0)),
            "profiles": terms.errors(PROFILES_ALONE),
            "both": crossed(terms),
        },
    }


def crossed(terms: Terms) -> int:
    """Errors on each half with the weights that are fitted on the other one."""
    halves = (terms[::2], terms[1::2])
    if not len(halves[1]):
        return terms.errors(Combination())
    return sum(half.errors(other.fit()) for half, other in (halves, halves[::-1]))


def terms_of(found: list[Evidence], right: list[set[int]]) -> Terms:
    """The evidence on each domain, and the families that are right there, as arrays."""
    return Terms(
        padded([evidence.log_p for evidence in found], NEVER),
        padded([evidence.nats for evidence in found], 0.0),
        padded(
            [np.isin(evidence.families, list(families)) for evidence, families in zip(found, right)], False
        ).astype(bool),
    )


def told(name: str, entry: dict) -> str:
    """A line that says what the fit came to."""
    errors = entry["errors"]
    return (
        f"{name}: errors in naming {entry['domains']} dev domains: network {errors['network']}, "
        f"profiles of its candidates {errors['profiles']}, both {errors['both']} "
        f"(weight {entry['weights']['profile']:g} of profiles)"
    )


class Terms:
    """The terms of the score on n domains, for m families each; arrays (n, m).

    `right` are, as bool, the families that are correct; a domain may have none among its own.
    """

    def __init__(self, log_p: np.ndarray, nats: np.ndarray, right: np.ndarray):
        self.log_p, self.nats, self.right = log_p, nats, right

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
