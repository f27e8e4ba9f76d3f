"""A sequence, ranges on it, and how its name is shown in a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Origin(NamedTuple):
    """Where on nucleotides a protein is encoded: the sequence, its length, and the range from the first
    to the last codon on the forward strand, 0-based half-open; `strand` is + or -."""

    name: str
    length: int
    start: int
    end: int
    strand: str

    def place(self, first: int, last: int) -> tuple[int, int]:
        """The nucleotides, from 1, inclusive, of residues `first` to `last` of the protein."""
        if self.strand == "+":
            return self.start + 3 * first - 2, self.start + 3 * last
        return self.end - 3 * last + 1, self.end - 3 * first + 3


class Record(NamedTuple):
    """One sequence of a file.

    origin              of a protein translated from nucleotides, else None
    name, description  text; bytes that are not UTF-8 are kept as surrogates
                       (`errors="surrogateescape"`), so that they can be written unchanged
    sequence           upper case, without white space; `* . _ ~` count as residues
    number             1 for the first record of the input
    accession          "" in FASTA, which has none
    """

    name: str
    description: str
    sequence: str
    number: int
    accession: str = ""
    origin: Origin | None = None


def overlap(one: Sequence[int], other: Sequence[int]) -> int:
    """How many residues two ranges (start, end, ...), 0-based half-open, share."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def shown(text: str, limit: int = 60) -> str:
    """Return a text fit for a one-line message: printable and not long."""
    escaped = lambda c: c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
    text = "".join(map(escaped, text[: limit + 1]))
    return text if len(text) <= limit else text[:limit] + "..."
