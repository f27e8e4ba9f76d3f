"""Tables of the domains of full-length proteins."""

import math
from dataclasses import dataclass, field

from pfamnet.errors import PfamnetError
from pfamnet.families import ALIASES
from pfamnet.io.textfile import find_columns, numbered_lines

DOMAIN_COLUMNS = {
    "protein": (),
    "start": (),
    "end": (),
    "accession": ALIASES["accession"],
    "name": ALIASES["name"],
    "score": ("bits",),
}


@dataclass
class DomainTable:
    """Domains of proteins: {protein: [(start, end, accession, name, line, score)]}, start from 1.

    With `rivals`, a domain is passed over that shares at least half of its residues with
    a better one which shares at least half of its own: one of higher score or, where the
    table has no scores, a longer one. `beaten` counts these.
    """

    path: str
    domains: dict[str, list[tuple[int, int, str, str, int, float]]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    rivals: bool = False
    beaten: int = 0

    def labels(self, protein, length, book):
        """Return a protein's labels (start, end, key), 0-based half-open, in order.

        Raises PfamnetError where a domain does not lie within the protein.
        """
        self.used.add(protein)
        labels = {}
        for start, end, accession, name, line, score in self.domains.get(protein, ()):
            if not 1 <= start <= end <= length:
                raise PfamnetError(
                    f"{self.path}: line {line}: domain {start}-{end} is not within "
                    f"the {length} residues of '{protein}'"
                )
            label = start - 1, end, book.add_named(accession, name, self.path)
            labels[label] = max(score, labels.get(label, -math.inf))
        return self._best(labels) if self.rivals else sorted(labels)

    def _best(self, labels):
        """Those that no better one shares half of its residues with, and half of that one's."""
        kept = []
        for label in sorted(labels, key=lambda label: (-labels[label], label[0] - label[1], label)):
            if not any(same_residues(label, other) for other in kept):
                kept.append(label)
        self.beaten += len(labels) - len(kept)
        return sorted(kept)

    def unused(self):
        """Return the proteins that no train set holds."""
        return [protein for protein in self.domains if protein not in self.used]


def same_residues(one, other):
    """Whether two domains (start, end, ...) share at least half of the residues of each."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return 2 * shared >= max(one[1] - one[0], other[1] - other[0])


def read_domains(path, rivals=False):
    """Read a tab-separated table of domains, gzipped or not, and return a DomainTable.

    Its header names the columns: protein, start, end, accession (or pfam_acc) and
    perhaps name (or pfam_id) and score (or bits), in any order; others are passed over.
    Start and end count from 1 and belong to the domain. Only with `rivals` scores count.

    Raises PfamnetError, naming file and line, for a missing column, another number of
    fields than in the header, a coordinate that is no whole number, no accession, or
    with `rivals` a score that is no number.
    """
    lines = ((n, line.split("\t")) for n, line in numbered_lines(path) if line)
    number, header = next(lines, (1, []))
    if not header:
        raise PfamnetError(f"{path}: empty file")
    required = ["protein", "start", "end", "accession"]
    columns = find_columns(f"{path}: line {number}", header, DOMAIN_COLUMNS, required)
    places = [columns.get(name) for name in DOMAIN_COLUMNS]
    table = DomainTable(str(path), rivals=rivals)
    for number, fields in lines:
        if len(fields) != len(header):
            raise PfamnetError(f"{path}: line {number}: {len(fields)} fields, the header has {len(header)}")
        protein, start, end, accession, name, score = [
            "" if place is None else fields[place].strip() for place in places
        ]
        if not (start.isdecimal() and end.isdecimal()):
            raise PfamnetError(f"{path}: line {number}: '{start}-{end}' is not start and end")
        if not protein or not accession or accession == "-":
            missing = "accession" if protein else "protein"
            raise PfamnetError(f"{path}: line {number}: {missing} missing")
        bits = _score(f"{path}: line {number}", score) if rivals else 0.0
        row = (int(start), int(end), accession, "" if name == "-" else name, number, bits)
        table.domains.setdefault(protein, []).append(row)
    if not table.domains:
        raise PfamnetError(f"{path}: no domains below the header line")
    return table


def _score(where, text):
    try:
        score = 0.0 if text in ("", "-") else float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise PfamnetError(f"{where}: score '{text}' is not a number")
    return score
