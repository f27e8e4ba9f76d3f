"""Stockholm files of one or several alignments, as Pfam publishes its seeds."""

import math
from dataclasses import dataclass, field

from pfamnet.errors import PfamnetError
from pfamnet.io.textfile import numbered_lines

HEADER = "# STOCKHOLM"
END = "//"


@dataclass
class Alignment:
    """One alignment of a Stockholm file.

    path, number, line   its file, its place in it (from 1), the line of its header
    features             #=GF lines: {"AC": "PF00391.23", "DE": ...}; lines of one
                         feature are joined with blanks
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
    def where(self):
        """The beginning of a message about this alignment."""
        name = self.features.get("AC") or self.features.get("ID") or ""
        return f"{self.path}: alignment {self.number}{f' {name!r}' if name else ''}"

    def cutoff(self, feature):
        """Return the two bit scores of GA, TC or NC, or None where it is not given.

        Raises PfamnetError where they are not two numbers ("27.00 24.90;").
        """
        text = self.features.get(feature)
        if text is None:
            return None
        try:
            sequence, domain = map(float, text.rstrip("; ").split())
        except ValueError:
            sequence = domain = math.nan
        if not (math.isfinite(sequence) and math.isfinite(domain)):
            raise PfamnetError(f"{self.where}: {feature} '{text}' is not two numbers")
        return sequence, domain


def read_stockholm(path):
    """Yield the alignments of a Stockholm file, gzipped or not, one after the other.

    Rows may be wrapped into blocks with blank lines between them. Of the annotation
    only #=GF is kept.

    Raises PfamnetError, naming file and line or file and alignment, where a line is
    outside an alignment, a row is not a name and a row, a name comes twice in one
    block, rows differ in length, an alignment has no rows or has no `//` at its end.
    """
    alignment, number, blocks = None, 0, _Blocks()
    for line_number, line in numbered_lines(path, lenient=True):
        if line.startswith(HEADER) and alignment is None:
            number += 1
            alignment, blocks = Alignment(str(path), number, line_number), _Blocks()
        elif not line.strip():
            blocks.end_block()
        elif alignment is None:
            raise PfamnetError(f"{path}: line {line_number}: not in an alignment ({HEADER} 1.0)")
        elif line.rstrip() == END:
            yield _finished(alignment, blocks)
            alignment = None
        elif line.startswith("#"):
            _annotate(alignment, line)
        else:
            blocks.add(f"{path}: line {line_number}", line_number, line)
    if alignment is not None:
        raise PfamnetError(f"{alignment.where}: no {END} at its end (truncated file)")


class _Blocks:
    """The rows of one alignment, put together from its blocks."""

    def __init__(self):
        self.pieces = {}
        self.first_lines = {}
        self.names_in_block = set()

    def add(self, where, line_number, line):
        fields = line.split()
        if len(fields) != 2:
            raise PfamnetError(f"{where}: {len(fields)} words, a row has a name and residues")
        name, piece = fields
        if name in self.names_in_block:
            raise PfamnetError(f"{where}: row '{name}' comes twice")
        self.names_in_block.add(name)
        self.pieces.setdefault(name, []).append(piece)
        self.first_lines.setdefault(name, line_number)

    def end_block(self):
        self.names_in_block.clear()


def _annotate(alignment, line):
    words = line.split(maxsplit=2)
    if words[0] == "#=GF" and len(words) == 3:
        before = alignment.features.get(words[1])
        text = words[2].strip()
        alignment.features[words[1]] = f"{before} {text}" if before else text


def _finished(alignment, blocks):
    alignment.rows = {name: "".join(pieces) for name, pieces in blocks.pieces.items()}
    alignment.row_lines = blocks.first_lines
    if not alignment.rows:
        raise PfamnetError(f"{alignment.where}: no rows")
    first = next(iter(alignment.rows.values()))
    for name, row in alignment.rows.items():
        if len(row) != len(first):
            raise PfamnetError(
                f"{alignment.where}: row '{name}' (line {alignment.row_lines[name]}) has "
                f"{len(row)} columns, the first row {len(first)}"
            )
    return alignment
