"""The main table: the columns of hmmscan's domtblout, and the source of each hit, between tabs."""

from collections.abc import Sequence
from operator import attrgetter
from typing import BinaryIO

from ..hits import Domain, Hit
from ..records import Record
from .writer import Writer, as_bytes

TSV_COLUMNS = [
    *("target_name", "target_accession", "tlen", "query_name", "query_accession", "qlen"),
    *("evalue", "score", "bias", "domain", "of", "c_evalue", "i_evalue", "domain_score", "domain_bias"),
    *("hmm_from", "hmm_to", "ali_from", "ali_to", "env_from", "env_to", "acc", "description", "source"),
]
_HEADER = b"#" + "\t".join(TSV_COLUMNS).encode() + b"\n"
_ROW = (
    b"%s\t%s\t%d\t%s\t%s\t%d\t%.2g\t%.1f\t%.1f\t%d\t%d\t%.2g\t%.2g\t"
    b"%.1f\t%.1f\t%d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%s\t%s\n"
)
# on a terminal; below zero to the left
_WIDTHS = (-16, -16, 5, -20, -15, 5, 8, 7, 6, 6, 3, 8, 8, 12, 11, 8, 6, 8, 6, 8, 6, 4)
_DOMAIN = attrgetter(
    *("c_evalue", "i_evalue", "score", "bias"),
    *("hmm_from", "hmm_to", "ali_from", "ali_to", "env_from", "env_to", "accuracy"),
)


class TsvWriter(Writer):
    """Writes the table, its column names first (`header`); numbers as in domtblout, without padding.

    For a person (`aligned`) columns have a width and blanks between them instead of tabs.
    """

    def __init__(self, out: str | BinaryIO, header: bool = True, aligned: bool = False) -> None:
        self._line = aligned_line if aligned else lambda line: line
        super().__init__(out, self._line(_HEADER) if header else b"")

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        rows = []
        for hit in hits:
            last = as_bytes(hit.target_description.replace("\t", " ") or "-"), hit.source.encode()
            for rank, domain in enumerate(hit.reported_domains, 1) if hit.reported else ():
                rows.append(self._line(_ROW % (*domain_fields(hit, domain, rank), *last)))
        return b"".join(rows)


def aligned_line(line: bytes) -> bytes:
    """A line of the table with its columns one below the other: names to the left, numbers to the right."""
    *fields, about, source = line.rstrip(b"\n").split(b"\t")
    padded = [
        field.ljust(-width) if width < 0 else field.rjust(width) for field, width in zip(fields, _WIDTHS)
    ]
    return b" ".join([*padded, source.ljust(7), about]) + b"\n"


def domain_fields(hit: Hit, domain: Domain, rank: int) -> tuple:
    """The first 22 columns of domtblout."""
    target, query = as_bytes(hit.target_accession or "-"), as_bytes(hit.query_accession or "-")
    return (
        *(as_bytes(hit.target_name), target, hit.target_length),
        *(as_bytes(hit.query_name), query, hit.query_length),
        *(hit.evalue, hit.score, hit.bias, rank, hit.n_reported),
        *_DOMAIN(domain),
    )
