"""The one family of each sequence, named however sure or unsure that is.

For sequences that are one domain each, as those of Pfam's seed alignments
(Bileschi et al. 2022).  The largest combined score decides (`pfamnet.model.combination`),
by weights that the model's build fitted on dev; the numbers of the row are those
of the family's profile, or of the network where the profile aligns with nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..hits import Hit, network_hit
from ..model.combination import Combination
from ..model.directory import Model
from ..profiles.search import SearchedHits
from ..profiles.thresholds import Thresholds, with_domZ
from ..records import Record
from .evidence import Appraiser, View
from .scanner import NetworkScanner


class TopScanner(NetworkScanner):
    """Names one family for each sequence; `hits` and `scan` as of other scanners.

    Without `profiles` it is the network's first.
    """

    def __init__(
        self,
        model: Model,
        thresholds: Thresholds,
        mode: str = "default",
        network: str | None = None,
        device: str = "cpu",
        alignments: bool = False,
        profiles: bool = True,
    ):
        super().__init__(model, thresholds, mode, network, device)
        self.combination = model.combination(self.name) or Combination()
        self.appraiser = None
        if profiles:
            self.appraiser = Appraiser(
                model.store, model.families, self.info.modes[mode].candidates, thresholds, alignments
            )

    def hits(self, record: Record) -> list[Hit]:
        """The hit of the family named, with its best domain reported; none in a sequence without residues."""
        if not record.sequence:
            return SearchedHits()
        view = View(self.runtime.logits(record.sequence))
        if self.appraiser is None:
            return SearchedHits([self.by_network(record, view, int(view.log_p().argmax()))])
        evidence = self.appraiser.of(record, view)
        family = evidence.best(self.combination)
        found = evidence.hits.get(family)
        hits = SearchedHits(
            [self.by_profile(record, view, found) if found else self.by_network(record, view, family)]
        )
        hits.counts = evidence.counts
        return hits

    def by_network(self, record: Record, view: View, family: int) -> Hit:
        """The network's own call of a family: its best run of blocks."""
        evalue, log_p, (start, end) = self.call(record, view, family)
        domain = self.place(record, family, start, end, evalue, log_p)
        sure = bool(self.sure(np.array([evalue]), np.array([log_p]))[0])
        return network_hit(
            family, self.model.families[family], record, [replace(domain, included=sure)], sure
        )

    def by_profile(self, record: Record, view: View, found: Hit) -> Hit:
        """A profile's hit with the best of its domains alone."""
        evalue, log_p, _ = self.call(record, view, found.family)
        hit = with_domZ(found, self.thresholds.domZ or 1.0, self.thresholds)
        domains = tuple(
            domain if place == hit.best else replace(domain, reported=False, included=False)
            for place, domain in enumerate(hit.domains)
        )
        sure = bool(self.sure(np.array([evalue]), np.array([log_p]))[0])
        return replace(hit, domains=domains, source="both" if sure else "profile")

    def call(self, record: Record, view: View, family: int) -> tuple[float, float, tuple[int, int]]:
        """What the network by itself says of a family: E-value, log P, region in residues."""
        score, first, last = view.run(family)
        length = len(record.sequence)
        log_p = float(self.info.calibration.log_p(np.array([score]), length)[0])
        region = first * self.info.block, min(last * self.info.block, length)
        return float(self.Z * np.exp(log_p)), log_p, region
