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

from ..model.combination import NEVER, Combination, Terms, padded
from ..records import Record
from ..scan.evidence import Appraiser, Evidence, View
from ..training.dev_accuracy import Measure

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
