"""A part of what a scanner finds, with the numbers that it has in a complete scan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..errors import PfamnetError
from ..families import Family
from ..model.directory import OpenedModel
from ..profiles.clans import best_of_clans
from ..profiles.search import SearchedHits
from ..records import Record, shown


def chosen(model: OpenedModel, names: Iterable[str]) -> list[int]:
    """The families of these names or accessions, with a version or without; PfamnetError if there is none."""
    known: dict[str, set[int]] = {}
    for index, family in enumerate(model.families):
        for name in (family.accession, family.key, family.name):
            known.setdefault(name, set()).add(index)
    names = list(names)
    for name in names:
        if name not in known:
            raise PfamnetError(f"{model.path}: has no family '{shown(name)}'")
    if not names:
        raise PfamnetError("no families are chosen")
    return sorted(set().union(*(known[name] for name in names)))


class OfFamilies:
    """What a scanner finds of some families, given as indices."""

    def __init__(self, scanner, families: Collection[int]):
        self.scanner, self.families = scanner, frozenset(families)

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The hits of each record."""
        found = self.scanner.scan(records)
        return [hits.with_hits([hit for hit in hits if hit.family in self.families]) for hits in found]


class BestOfClans:
    """What a scanner finds, without the lesser of overlapping domains of a clan."""

    def __init__(self, scanner, families: Sequence[Family]):
        self.scanner, self.families = scanner, families

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The hits of each record."""
        found = self.scanner.scan(records)
        return [hits.with_hits(best_of_clans(hits, self.families)) for hits in found]
