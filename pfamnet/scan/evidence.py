"""What speaks for each of the likeliest families of a sequence that is one domain.

Two passes of the profiles, as where HMMER has to name a family: with the
heuristic filters those of all candidates, and where none of these is significant,
of `FURTHER` times as many of the network's likeliest; then without filters, of what these
dropped, the network's first `UNFILTERED`, or every candidate where they passed nothing at
all.  A score does not depend on the filters, they only decide whether there is one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..hits import Hit
from ..model.combination import Combination, evidence, log_probabilities
from ..network.candidates import best_runs
from ..profiles.search import ProfileSearch
from ..profiles.thresholds import Thresholds
from ..records import Record

FURTHER = 4  # times as many families as candidates are tried where these are not the right ones
UNFILTERED = 16  # candidates whose profiles are heard in any case


class Evidence(NamedTuple):
    """Of m families (m,), the network's likeliest and others that were found: the terms of the combined score.

    `log_p` of the network, `nats` of the profiles;
    `hits` of the profiles that reported something, by family, and the filters' `counts`.
    """

    families: np.ndarray
    log_p: np.ndarray
    nats: np.ndarray
    hits: dict[int, Hit]
    counts: dict | None = None

    def best(self, combination: Combination) -> int:
        """The family of the largest combined score."""
        return int(self.families[combination.scores(self.log_p, self.nats).argmax()])


class View(NamedTuple):
    """What a network sees: block logits (blocks, F + 1)."""

    logits: np.ndarray

    def log_p(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Log-probabilities of the families (F,), of the mean logits over blocks [first, last)."""
        return log_probabilities(self.logits[first:last].mean(0, dtype=float)[1:])

    def run(self, family: int) -> tuple[float, int, int]:
        """A family's best run of blocks: its score in nats, first block, and the one after the last."""
        scores, first, last = best_runs(self.logits[:, [family + 1]] - self.logits[:, :1])
        return float(scores[0]), int(first[0]), int(last[0])


class Appraiser:
    """Hears network and profiles on one sequence.

    Arguments:
        store, families: of the model.
        most: candidates.
        thresholds: of the scan; all that a profile finds is reported, whatever they say.
        alignments: whether hits have them.

    `of` may be called from several threads.
    """

    def __init__(
        self, store, families, most: int, thresholds: Thresholds = Thresholds(), alignments: bool = False
    ):
        everything = replace(
            thresholds,
            E=np.inf,
            T=None,
            domE=np.inf,
            domT=None,
            bit_cutoffs=None,
            domZ=thresholds.domZ or 1.0,
        )  # one family is reported for the query
        self.most = most
        self.filtered = ProfileSearch(store, families, everything, alignments)
        self.unfiltered = ProfileSearch(store, families, everything.unfiltered(), alignments)

    def of(self, record: Record, view: View) -> Evidence:
        """The evidence on a sequence."""
        log_p = view.log_p()
        likeliest = np.argsort(-log_p, kind="stable")[: FURTHER * self.most]
        hits, counts = self.searched(record, likeliest.tolist())
        rank = np.arange(len(likeliest))
        families = likeliest[(rank < self.most) | np.isin(likeliest, list(hits))]
        nats = evidence({family: hit.score for family, hit in hits.items()}, families)
        return Evidence(families, log_p[families], nats, hits, counts)

    def searched(self, record: Record, likeliest: list[int]) -> tuple[dict[int, Hit], dict | None]:
        """What the two passes find, by family, and what passed the filters of the first."""
        candidates, further = likeliest[: self.most], likeliest[self.most :]
        (passed,) = self.filtered.search([record], [candidates])
        hits = {hit.family: hit for hit in passed}
        if further and not any(hit.included for hit in passed):
            hits |= {hit.family: hit for hit in self.filtered.search([record], [further])[0]}
        rest = [family for family in (candidates[:UNFILTERED] if hits else candidates) if family not in hits]
        return hits | {hit.family: hit for hit in self.unfiltered.search([record], [rest])[0]}, passed.counts
