"""What the profiles find in a sequence."""

from __future__ import annotations

from collections.abc import Sequence

from ..families import Family
from ..profiles.search import ProfileSearch
from ..profiles.thresholds import Thresholds
from ..records import Record

SIGNIFICANT = 0.01  # E-value


class FoundByProfiles:
    """Tells which of some families the profiles find in a sequence; each is searched once."""

    def __init__(self, store, families: Sequence[Family]):
        thresholds = Thresholds(E=SIGNIFICANT, Z=len(families)).unfiltered()
        self.search = ProfileSearch(store, families, thresholds)
        self.known: dict[tuple[str, int], bool] = {}

    def __call__(self, sequence: str, families: list[int]) -> set[int]:
        """Those of the families that are significant in a sequence."""
        new = [family for family in families if (sequence, family) not in self.known]
        if new:
            [hits] = self.search.search([Record("", "", sequence, 1)], [new])
            there = {hit.family for hit in hits}
            self.known |= {(sequence, family): family in there for family in new}
        return {family for family in families if self.known[sequence, family]}
