"""The weights of the combined score, fitted on dev as a scan will ask for them.

Some dev domains, cut out, go through the very appraisal of `pfamnet-scan --top`:
candidates of the network, two passes of their profiles, prototypes.  The weights
are fitted on all of them; errors are counted on either half with weights that
were fitted on the other one: of the network alone, of the candidates' profiles
alone, and of both together.  Families with prototypes are few on dev: all of
their domains are looked at besides, for the weight of prototypes alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np

from ..scan.evidence import Appraiser, Evidence, look
from ..model.combination import NEVER, Combination, Terms, padded
from ..records import Record
from ..training.dev_accuracy import Measure

PROFILES_ALONE = Combination(1e6)   # the network only breaks ties


def fit_on_dev(runtime, appraiser: Appraiser, corpus, fold, limit: int, cpus: int, watch: Callable) -> dict:
    """A network's entry of `combination` in model.json.

    Arguments:
        runtime: of the network.
        appraiser: as a scan's.
        corpus, fold: dev, as a `Corpus` and as a `Fold`.
        limit: domains to look at, at most; and a quarter as many of families with prototypes.
        cpus: threads; the weights do not depend on their number.
        watch: wraps the iteration (progress).
    """
    known = np.random.default_rng(0).permutation(np.flatnonzero(corpus.domains[:, 3] >= 0))
    rows, rest = known[:limit].tolist(), known[limit:]
    if appraiser.prototypes is not None:
        rows += rest[np.isin(corpus.domains[rest, 3], appraiser.prototypes.families)][:limit // 4].tolist()

    def appraise(row: int) -> Evidence:
        index, start, end, _ = corpus.domains[row].tolist()
        record = Record(str(row), "", fold.sequences[index][start:end], 1)
        return appraiser.of(record, look(runtime, record.sequence, appraiser.prototypes))

    with ThreadPoolExecutor(cpus) as pool:
        found = list(watch(pool.map(appraise, rows), len(rows)))
    terms = terms_of(found, [Measure.right_families(corpus, row) for row in rows])
    drawn = terms[:limit]
    return {"weights": fitted(drawn, terms).to_json(), "domains": len(drawn), "more_of_few_rows": len(rows) - len(drawn),
            "errors": {"network": drawn.errors(Combination(0.0)), "profiles": drawn.errors(PROFILES_ALONE),
                       "both": crossed(drawn)}}


def fitted(drawn: Terms, terms: Terms) -> Combination:
    """The weight of profiles by the domains drawn, that of prototypes by all."""
    return terms.fit_prototypes(drawn.fit_profiles())


def crossed(terms: Terms) -> int:
    """Errors on each half with the weights that are fitted on the other one."""
    halves = (terms[::2], terms[1::2])
    if not len(halves[1]):
        return terms.errors(Combination())
    return sum(half.errors(fitted(other, other)) for half, other in (halves, halves[::-1]))


def terms_of(found: list[Evidence], right: list[set[int]]) -> Terms:
    """The evidence on each domain, and the families that are right there, as arrays."""
    return Terms(padded([evidence.log_p for evidence in found], NEVER),
                 padded([evidence.nats for evidence in found], 0.0),
                 padded([evidence.resemblance for evidence in found], 0.0),
                 padded([np.isin(evidence.families, list(families)) for evidence, families in zip(found, right)],
                        False).astype(bool))


def told(name: str, entry: dict) -> str:
    """A line that says what the fit came to."""
    errors = entry["errors"]
    return (f"{name}: errors in naming {entry['domains']} dev domains: network {errors['network']}, "
            f"profiles of its candidates {errors['profiles']}, both {errors['both']} "
            f"(weights {entry['weights']['profile']:g} of profiles, {entry['weights']['prototype']:g} of prototypes)")
