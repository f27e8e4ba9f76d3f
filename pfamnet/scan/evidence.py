"""Evidence for each of the likeliest families of a sequence that is one domain.

The network and the words of the profiles choose candidates: to a family's log-probability is added by
how many nats its profile's best match without gaps is better than chance. All candidates are searched
with HMMER's heuristic filters. If none is significant, the next three times as many families are tried.
What the filters rejected is then searched without them: the top `UNFILTERED` candidates, or every
candidate if none is significant. A score does not depend on the filters; they only decide whether it is
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..families import Family
from ..hits import Hit
from ..model.combination import Combination, agreement, evidence, log_probabilities, rarity
from ..network.blocks import Blocks
from ..network.candidates import Scoring
from ..profiles.search import ProfileSearch
from ..profiles.thresholds import Thresholds
from ..profiles.words import Words
from ..records import Record

FURTHER = 4  # times as many families as candidates are tried if no candidate is significant
UNFILTERED = 16  # candidates that are searched without filters in any case


class Evidence(NamedTuple):
    """The terms of the combined score of m families: the candidates, and others that were found."""

    families: np.ndarray  # (m,)
    terms: np.ndarray  # (4, m): log-probabilities, nats of profiles, agreement of lengths, rarity
    hits: dict[int, Hit]  # of profiles that reported something, by family
    counts: dict | None = None  # of what passed the filters

    def best(self, combination: Combination) -> int:
        """The family of the largest combined score."""
        return int(self.families[combination.scores(*self.terms).argmax()])


class View(NamedTuple):
    """What a network sees of a sequence: block logits (blocks, F + 1)."""

    logits: np.ndarray

    def log_p(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Log-probabilities of the families (F,), from the mean logits over blocks [first, last)."""
        return log_probabilities(self.logits[first:last].mean(0, dtype=float)[1:])

    def run(self, family: int, scoring: Scoring) -> tuple[float, int, int]:
        """A family's best run of blocks [first, last): its score in nats, first, last."""
        scores, first, last = scoring.best_runs(Blocks.of(self.logits), np.array([family]))
        return float(scores[0]), int(first[0]), int(last[0])


class Appraiser:
    """Collects the evidence of the network and of the profiles of at most `most` candidates.

    Without `words` the network alone chooses the candidates. All that a profile finds is reported,
    whatever the `thresholds` say. `of` may be called from several threads.
    """

    def __init__(
        self,
        store,
        families: Sequence[Family],
        most: int,
        words: Words | None = None,
        thresholds: Thresholds | None = None,
        alignments: bool = False,
    ):
        limits = {"E": np.inf, "T": None, "domE": np.inf, "domT": None, "bit_cutoffs": None}
        # one family is reported for each query: domZ is 1
        thresholds = thresholds or Thresholds()
        everything = replace(thresholds, **limits, domZ=thresholds.domZ or 1.0)
        self.most, self.words = most, words
        self.lengths = np.array([family.length for family in families])
        self.rarity = rarity(np.array([family.rows for family in families]))
        self.filtered = ProfileSearch(store, families, everything, alignments)
        self.unfiltered = ProfileSearch(store, families, everything.unfiltered(), alignments)

    def of(self, record: Record, view: View) -> Evidence:
        """The evidence on a sequence."""
        log_p = view.log_p()
        likeliest = self.order(log_p, record.sequence)[: FURTHER * self.most]
        hits, counts = self.searched(record, likeliest.tolist())
        rank = np.arange(len(likeliest))
        families = likeliest[(rank < self.most) | np.isin(likeliest, list(hits))]
        nats = evidence({family: hit.score for family, hit in hits.items()}, families)
        lengths = agreement(len(record.sequence), self.lengths[families])
        terms = np.stack([log_p[families], nats, lengths, self.rarity[families]])
        return Evidence(families, terms, hits, counts)

    def order(self, log_p: np.ndarray, sequence: str) -> np.ndarray:
        """The families (F,) by their log-probabilities and the matches of their words, likeliest first."""
        if self.words is not None:
            families, nats = self.words.matches(sequence)
            log_p = log_p.copy()
            log_p[families] += nats
        return np.argsort(-log_p, kind="stable")

    def searched(self, record: Record, likeliest: list[int]) -> tuple[dict[int, Hit], dict | None]:
        """The hits of all passes, by family, and what passed the filters of the first."""
        candidates, further = likeliest[: self.most], likeliest[self.most :]
        [passed] = self.filtered.search([record], [candidates])
        found = list(passed)
        if further and not any(hit.included for hit in found):
            found += self.filtered.search([record], [further])[0]
        seen, sure = {hit.family for hit in found}, any(hit.included for hit in found)
        rest = [family for family in candidates[: UNFILTERED if sure else None] if family not in seen]
        found += self.unfiltered.search([record], [rest])[0]
        return {hit.family: hit for hit in found}, passed.counts
