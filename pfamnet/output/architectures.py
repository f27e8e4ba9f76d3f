"""Which domains a protein consists of: one line for each protein, or pfam_scan's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from ..families import Family
from ..hits import Domain, Hit, by_start, is_strong
from ..profiles.clans import architecture, best_of_clans
from ..records import Record
from .writer import Writer, as_bytes

_COLUMNS = b"#query_name\tqlen\tarchitecture\n"
_PFAMSCAN = (
    b"# <seq id> <alignment start> <alignment end> <envelope start> <envelope end> <hmm acc> <hmm name> "
    b"<type> <hmm start> <hmm end> <hmm length> <bit score> <E-value> <significance> <clan>\n\n"
)
_ROW = b"%-20s %6d %6d %6d %6d %-11s %-16s %-11s %5d %5d %5d %8.1f %9.2g %3d %s\n"
UNKNOWN = "NA"  # the type of a family whose type the model does not know


class ArchitectureWriter(Writer):
    """A line for each protein: the names of its included domains by start, or a hyphen.

    Of overlapping domains of a clan the best alone is named.
    """

    def __init__(self, out: str | BinaryIO, families: Sequence[Family]) -> None:
        super().__init__(out, _COLUMNS)
        self._families = families

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        names = [as_bytes(hit.target_name) for hit, _ in architecture(hits, self._families)]
        return b"%s\t%d\t%s\n" % (as_bytes(record.name), len(record.sequence), b" ".join(names) or b"-")


class PfamscanWriter(Writer):
    """pfam_scan's table: the domains by start, and of overlapping ones of a clan the best alone.

    A domain is significant by `is_strong`.
    """

    def __init__(self, out: str | BinaryIO, families: Sequence[Family]) -> None:
        super().__init__(out, _PFAMSCAN)
        self._families = families

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        placed = by_start(best_of_clans(hits, self._families))
        return b"".join(self._row(record, *pair) for pair in placed)

    def _row(self, record: Record, hit: Hit, domain: Domain) -> bytes:
        family = self._families[hit.family]
        places = domain.ali_from, domain.ali_to, domain.env_from, domain.env_to
        names = hit.target_accession or hit.target_name, hit.target_name, family.type or UNKNOWN
        profile = domain.hmm_from, domain.hmm_to, hit.target_length
        ends = (
            domain.score,
            domain.i_evalue,
            is_strong(hit, domain, family.ga),
            as_bytes(family.clan or "No_clan"),
        )
        return _ROW % (as_bytes(record.name), *places, *map(as_bytes, names), *profile, *ends)
