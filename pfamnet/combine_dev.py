"""The weights of the combined score, fitted on dev as a scan will ask for them.

Some dev domains, cut out, go through the very appraisal of `pfamnet-scan --top`:
candidates of the network, two passes of their profiles, prototypes.  On every
other domain the weights are fitted, on the rest errors are counted: of the
network alone, of the candidates' profiles alone, and of both together.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np

from .appraise import Appraiser, Evidence, look
from .combine import NEVER, Combination, fit, padded
from .fasta import Record
from .measure import Measure

PROFILES_ALONE = 1e6   # a weight beside which the network only breaks ties


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
    known = np.flatnonzero(corpus.domains[:, 3] >= 0)
    rows = np.random.default_rng(0).permutation(known)[:limit].tolist()

    def appraise(row: int) -> Evidence:
        index, start, end, _ = corpus.domains[row].tolist()
        record = Record(str(row), "", fold.sequences[index][start:end], 1)
        return appraiser.of(record, look(runtime, record.sequence, appraiser.prototypes))

    with ThreadPoolExecutor(cpus) as pool:
        found = list(watch(pool.map(appraise, rows), len(rows)))
    right = [np.isin(evidence.families, list(Measure.right_families(corpus, row)))
             for evidence, row in zip(found, rows)]
    half = Terms(found[::2], right[::2])
    combination = half.fit()
    rest = Terms(found[1::2], right[1::2]) if len(found) > 1 else half
    return {"weights": combination.to_json(), "domains": len(half.right), "held_out": len(rest.right),
            "errors": {"network": rest.errors(Combination(0.0, 0.0)),
                       "profiles": rest.errors(Combination(PROFILES_ALONE, 0.0)),
                       "both": rest.errors(combination)}}


class Terms:
    """The evidence on n domains as arrays (n, m), and which families are right."""

    def __init__(self, found: list[Evidence], right: list[np.ndarray]):
        self.log_p = padded([evidence.log_p for evidence in found], NEVER)
        self.nats = padded([evidence.nats for evidence in found], 0.0)
        self.resemblance = padded([evidence.resemblance for evidence in found], 0.0)
        self.right = padded(right, False).astype(bool)

    def fit(self) -> Combination:
        return fit(self.log_p, self.nats, self.resemblance, self.right)

    def errors(self, combination: Combination) -> int:
        """How many domains are given a wrong family."""
        scores = combination.scores(self.log_p, self.nats, self.resemblance)
        return int((~self.right[np.arange(len(scores)), scores.argmax(1)]).sum())


def told(name: str, entry: dict) -> str:
    """A line that says what the fit came to."""
    errors = entry["errors"]
    return (f"{name}: errors in naming {entry['held_out']} dev domains: network {errors['network']}, "
            f"profiles of its candidates {errors['profiles']}, both {errors['both']} "
            f"(weights {entry['weights']['profile']:g} of profiles, {entry['weights']['prototype']:g} of prototypes)")
