"""Stockholm files of one or several alignments, as Pfam publishes its seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import PfamnetError
from .textfile import numbered_lines

HEADER = "# STOCKHOLM"
END = "//"


@dataclass
class FamilyAlignment:
    """One alignment of a Stockholm file.

    path, number, line   its file, its place in it (from 1), the line of its header
    features             #=GF lines: {"AC": "PF00391.23", "DE": ...}; lines of one feature are joined
                         with blanks
    rows                 {name: aligned row}, gaps and case as in the file
    row_lines            {name: line where the row begins}
    """

    path: str
    number: int
    line: int
    features: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    row_lines: dict[str, int] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The beginning of a message about this alignment."""
        name = self.features.get("AC") or self.features.get("ID") or ""
        return f"{self.path}: alignment {self.number}{f' {name!r}' if name else ''}"

    def cutoff(self, feature: str) -> tuple[float, float] | None:
        """The two bit scores of GA, TC or NC ("27.00 24.90;"), or None if it is missing."""
        text = self.features.get(feature)
        if text is None:
            return None
        try:
            bits = list(map(float, text.replace(";", " ").split()))
            sequence, domain = bits * 2 if len(bits) == 1 else bits  # hmmbuild takes one for both
        except ValueError:
            sequence = domain = math.nan
        if not (math.isfinite(sequence) and math.isfinite(domain)):
            raise PfamnetError(f"{self.where}: {feature} '{text}' is not two numbers")
        return sequence, domain


def read_stockholm(path: str | Path) -> Iterator[FamilyAlignment]:
    """Yield the alignments of a Stockholm file, plain or compressed, one after the other.

    Rows may be wrapped into blocks with blank lines between them. Only #=GF annotation is kept.
    Raises PfamnetError, with file and line or alignment, if the format is not kept.
    """
    alignment, number = None, 0
    for line_number, line in numbered_lines(path, lenient=True):
        where = f"{path}: line {line_number}"
        if alignment is None:
            if line.startswith(HEADER):
                number += 1
                alignment, pieces, block = FamilyAlignment(str(path), number, line_number), {}, set()
            elif line.strip():
                raise PfamnetError(f"{where}: not in an alignment ({HEADER} 1.0)")
        elif not line.strip():
            block.clear()
        elif line.rstrip() == END:
            yield _finished(alignment, pieces)
            alignment = None
        elif line.startswith("#"):
            _annotate(alignment, line)
        else:
            fields = line.split()
            if len(fields) != 2:
                raise PfamnetError(f"{where}: {len(fields)} words, a row has a name and residues")
            name, piece = fields
            if name in block:
                raise PfamnetError(f"{where}: row '{name}' occurs twice")
            block.add(name)
            pieces.setdefault(name, []).append(piece)
            alignment.row_lines.setdefault(name, line_number)
    if alignment is not None:
        raise PfamnetError(f"{alignment.where}: no {END} at its end (truncated file)")


def _annotate(alignment, line):
    words = line.split(maxsplit=2)
    if words[0] == "#=GF" and len(words) == 3:
        before = alignment.features.get(words[1], "")
        alignment.features[words[1]] = f"{before} {words[2]}".strip()


def _finished(alignment, pieces):
    alignment.rows = {name: "".join(parts) for name, parts in pieces.items()}
    if not pieces:
        raise PfamnetError(f"{alignment.where}: no rows")
    length = len(next(iter(alignment.rows.values())))
    for name, row in alignment.rows.items():
        if len(row) != length:
            where = f"{alignment.where}: row '{name}' (line {alignment.row_lines[name]})"
            raise PfamnetError(f"{where} has {len(row)} columns, the first row {length}")
    return alignment
