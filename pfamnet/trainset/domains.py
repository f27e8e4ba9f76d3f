"""Tables of the domains of full-length proteins."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import PfamnetError
from ..families import ALIASES
from ..io.textfile import read_table
from ..records import overlap, shown
from .entries import FamilyBook

REQUIRED = ("protein", "start", "end", "accession")
COLUMNS = {  # and their names in what `pfamnet-scan -o` writes, whose `acc` is no accession
    "protein": ("query_name",),
    "start": ("ali_from",),
    "end": ("ali_to",),
    "accession": ("target_accession", *ALIASES["accession"]),
    "name": ("target_name", *ALIASES["name"]),
    "domain_score": ("score", "bits"),
}
DIGITS = 18  # of a place in a protein at most


@dataclass
class DomainTable:
    """Domains of proteins: {protein: [(start, end, accession, name, line, score)]}, start from 1;
    the accession "" is a domain of no known family.

    With `rivals`, a domain is left out if it and a better one share at least half of the residues of
    each: one of higher score or, in a table without scores, a longer one. `beaten` counts these.
    """

    path: str
    domains: dict[str, list[tuple[int, int, str, str, int, float]]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    rivals: bool = False
    beaten: int = 0

    def labels(self, protein: str, length: int, book: FamilyBook) -> list[tuple[int, int, str]]:
        """A protein's labels (start, end, family key), 0-based half-open, in order.

        Raises PfamnetError if a domain is not within the protein.
        """
        self.used.add(protein)
        labels = {}
        for start, end, accession, name, line, score in self.domains.get(protein, ()):
            if not 1 <= start <= end <= length:
                raise PfamnetError(
                    f"{self.path}: line {line}: domain {start}-{end} is not within "
                    f"the {length} residues of '{protein}'"
                )
            label = start - 1, end, accession and book.add_named(accession, name, self.path)
            labels[label] = max(score, labels.get(label, -math.inf))
        if not self.rivals:
            return sorted(labels)
        kept = []
        for label in sorted(labels, key=lambda label: (-labels[label], label[0] - label[1], label)):
            size = label[1] - label[0]
            if all(2 * overlap(label, one) < max(size, one[1] - one[0]) for one in kept):
                kept.append(label)
        self.beaten += len(labels) - len(kept)
        return sorted(kept)

    def unused(self) -> list[str]:
        """The proteins that no train set has."""
        return [protein for protein in self.domains if protein not in self.used]


def read_domains(path: str | Path, rivals: bool = False) -> DomainTable:
    """Read a tab-separated table of domains, plain or compressed.

    Its header names the columns in any order; start and end count from 1 and belong to the domain. The table
    that `pfamnet-scan -o` writes is one. Scores are read only with `rivals`.

    Raises:
        PfamnetError: with file and line, for what `read_table` refuses, a coordinate that is no whole
            number, a missing protein, neither accession nor name, or a score that is no number.
    """
    table = DomainTable(str(path), rivals=rivals)
    for line, row in read_table(path, COLUMNS, REQUIRED, lenient=True):
        where = f"{path}: line {line}"
        if not all(place.isdecimal() and len(place) < DIGITS for place in (row["start"], row["end"])):
            raise PfamnetError(f"{where}: '{shown(row['start'])}-{shown(row['end'])}' is not start and end")
        accession = row["accession"] or row["name"]  # a profile without one is known by its name
        for name, text in (("protein", row["protein"]), ("accession", accession)):
            if not text:
                raise PfamnetError(f"{where}: {name} missing")
        score = _score(where, row["domain_score"]) if rivals else 0.0
        domain = int(row["start"]), int(row["end"]), accession, row["name"], line, score
        table.domains.setdefault(row["protein"], []).append(domain)
    if not table.domains:
        raise PfamnetError(f"{path}: no domains below the header line")
    return table


def _score(where: str, text: str) -> float:
    with suppress(ValueError):
        score = float(text or 0)
        if not math.isnan(score):
            return score
    raise PfamnetError(f"{where}: score '{text}' is not a number")
