"""What a scan found in one protein."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from ..families import Family
from ..hits import Alignment, Domain, Hit
from ..profiles.clans import architecture
from ..records import Record


@dataclass(frozen=True, slots=True)
class ProteinDomain:
    """One domain of a protein. Coordinates are HMMER's: from 1, inclusive.

    family, accession, clan, description
                        of the family; "" if it has none
    start, end          aligned part of the protein
    env_start, env_end  envelope on the protein
    hmm_start, hmm_end, hmm_length
                        aligned part of the profile, and its match states
    evalue, c_evalue    independent and conditional E-value of the domain
    score, bias         of the domain, in bits
    accuracy            mean posterior probability of the aligned residues
    sequence_evalue, sequence_score
                        of the family on the complete protein
    source              "profile", "network" or "both"
    included            passed the inclusion thresholds
    alignment           if the scan was asked for alignments
    """

    family: str
    accession: str
    clan: str
    description: str
    start: int
    end: int
    env_start: int
    env_end: int
    hmm_start: int
    hmm_end: int
    hmm_length: int
    evalue: float
    c_evalue: float
    score: float
    bias: float
    accuracy: float
    sequence_evalue: float
    sequence_score: float
    source: str
    included: bool
    alignment: Alignment | None = field(default=None, repr=False)


# columns of data frames: the name of a type, as annotated, for each
COLUMNS = {"query": "str", "query_length": "int"}
COLUMNS |= {field.name: str(field.type) for field in fields(ProteinDomain) if field.name != "alignment"}


@dataclass(frozen=True)
class Protein:
    """One protein of a scan.

    record    the sequence, with its name
    hits      families, in hmmscan's order, also those that are not reported
    families  of the model
    """

    record: Record
    hits: Sequence[Hit] = field(repr=False)
    families: Sequence[Family] = field(repr=False)

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
        found = [(hit, domain) for hit in self.hits if hit.reported for domain in hit.reported_domains]
        found.sort(key=lambda pair: (pair[1].ali_from, pair[1].ali_to))
        return [protein_domain(*pair, self.families[pair[0].family].clan) for pair in found]

    def architecture(self, separator: str = " ") -> str:
        """Names of the included domains by start; of overlapping ones of a clan the best alone."""
        return separator.join(hit.target_name for hit, _ in architecture(self.hits, self.families))

    def __repr__(self) -> str:
        return f"<Protein {self.name!r}: {self.length} residues, {self.architecture() or 'no domains'}>"


def protein_domain(hit: Hit, domain: Domain, clan: str) -> ProteinDomain:
    """A domain together with what its hit has."""
    return ProteinDomain(
        *(hit.target_name, hit.target_accession, clan, hit.target_description),
        *(domain.ali_from, domain.ali_to, domain.env_from, domain.env_to),
        *(domain.hmm_from, domain.hmm_to, hit.target_length),
        *(domain.i_evalue, domain.c_evalue, domain.score, domain.bias, domain.accuracy),
        *(hit.evalue, hit.score, hit.source, domain.included, domain.alignment),
    )
