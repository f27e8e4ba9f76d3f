"""What a scan found in one protein."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..families import Family
from ..hits import Hit, by_start
from ..output.rows import ProteinDomain, protein_domain
from ..profiles.clans import architecture
from ..records import Record


@dataclass(frozen=True)
class Protein:
    """One protein of a scan.

    record    the sequence, with its name
    hits      families, in hmmscan's order, also those that are not reported
    families  of the model, by their places; of a protein that was pickled, those of its hits
    """

    record: Record
    hits: Sequence[Hit] = field(repr=False)
    families: Sequence[Family] | Mapping[int, Family] = field(repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.record)

    def __getstate__(self) -> dict:
        return {
            "record": self.record,
            "hits": self.hits,
            "families": {hit.family: self.families[hit.family] for hit in self.hits},
        }

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def description(self) -> str:
        return self.record.description

    @property
    def sequence(self) -> str:
        return self.record.sequence

    @property
    def length(self) -> int:
        """Number of residues."""
        return len(self.record.sequence)

    @cached_property
    def domains(self) -> list[ProteinDomain]:
        """The reported domains by start."""
        found = by_start(self.hits)
        return [protein_domain(hit, domain, self.families[hit.family].clan) for hit, domain in found]

    def architecture(self, separator: str = " ") -> str:
        """Names of the included domains by start; of overlapping ones of a clan the best alone."""
        return separator.join(hit.target_name for hit, _ in architecture(self.hits, self.families))

    def __repr__(self) -> str:
        return f"<Protein {self.name!r}: {self.length} residues, {self.architecture() or 'no domains'}>"
