"""The most likely family of each sequence, however certain or uncertain it is.

For sequences that are one domain each, as in Pfam's seed alignments (Bileschi et al. 2022).
The largest combined score decides (`pfamnet.model.combination`), with weights that the build
fitted on the validation set. The numbers of the row are those of the family's profile, or of
the network if the profile aligns with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..hits import Hit, network_hit
from ..model.combination import Combination
from ..profiles.search import SearchedHits
from ..profiles.thresholds import with_domZ
from ..records import Record
from .evidence import Appraiser, View
from .scanner import NetworkCaller, NetworkHits


class TopScanner:
    """One family for each sequence; without an `appraiser` the one that the network prefers."""

    def __init__(
        self,
        network: NetworkCaller,
        alone: NetworkHits,
        appraiser: Appraiser | None = None,
        combination: Combination | None = None,
    ):
        self.network, self.alone, self.appraiser = network, alone, appraiser
        self.combination = combination or Combination()

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The hit of each sequence, with its best domain reported; none if it has no residues."""
        return [self.top(record) if record.sequence else SearchedHits() for record in records]

    def top(self, record: Record) -> SearchedHits:
        """The hit of the most likely family."""
        view = View(self.network.runtime.logits(record.sequence))
        if self.appraiser is None:
            return SearchedHits([self.by_network(record, view, int(view.log_p().argmax()))])
        evidence = self.appraiser.of(record, view)
        family = evidence.best(self.combination)
        found = evidence.hits.get(family)
        hit = self.by_profile(record, view, found) if found else self.by_network(record, view, family)
        return SearchedHits([hit], evidence.counts)

    def by_network(self, record: Record, view: View, family: int) -> Hit:
        """The network's call of a family: its best run of blocks."""
        log_p, evalue, sure, (start, end) = self.call(record, view, family)
        domain = replace(self.alone.domain(record, family, start, end, evalue, log_p), included=sure)
        return network_hit(family, self.alone.families[family], record, [domain], sure)

    def by_profile(self, record: Record, view: View, found: Hit) -> Hit:
        """A profile's hit, of its domains the best alone."""
        sure = self.call(record, view, found.family)[2]
        hit = with_domZ(found, self.network.limits.domZ or 1.0, self.network.limits)
        domains = tuple(
            domain if place == hit.best else replace(domain, reported=False, included=False)
            for place, domain in enumerate(hit.domains)
        )
        return replace(hit, domains=domains, source="both" if sure else "profile")

    def call(self, record: Record, view: View, family: int) -> tuple[float, float, bool, tuple[int, int]]:
        """What the network says of a family: log P, E-value, whether it is sure, region in residues."""
        score, first, last = view.run(family, self.network.scoring)
        log_p, evalues, sure = self.network.assess(
            np.array([score]), np.array([family]), len(record.sequence)
        )
        block = self.network.block
        region = first * block, min(last * block, len(record.sequence))
        return float(log_p[0]), float(evalues[0]), bool(sure[0]), region
