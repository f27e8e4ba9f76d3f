"""A row for each domain, as data frames and Parquet files have it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter

from ..hits import Alignment, Domain, Hit


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
VALUES = attrgetter(*list(COLUMNS)[2:])  # of a `ProteinDomain`, in the columns after those of the query


def arrow_schema(pyarrow):
    """`COLUMNS` as a schema of that library."""
    kinds = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_"}
    return pyarrow.schema({name: getattr(pyarrow, kinds[kind])() for name, kind in COLUMNS.items()})


def protein_domain(hit: Hit, domain: Domain, clan: str) -> ProteinDomain:
    """A domain together with what its hit has."""
    return ProteinDomain(
        *(hit.target_name, hit.target_accession, clan, hit.target_description),
        *(domain.ali_from, domain.ali_to, domain.env_from, domain.env_to),
        *(domain.hmm_from, domain.hmm_to, hit.target_length),
        *(domain.i_evalue, domain.c_evalue, domain.score, domain.bias, domain.accuracy),
        *(hit.evalue, hit.score, hit.source, domain.included, domain.alignment),
    )


def clean(value: object) -> object:
    """Text without lone surrogates: bytes that are not UTF-8 become U+FFFD."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
