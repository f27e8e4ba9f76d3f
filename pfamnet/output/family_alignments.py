"""The included domains of each family, aligned to its profile: Stockholm, as hmmsearch -A writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from .. import __version__
from ..families import Family
from ..hits import Domain, Hit, reported
from ..records import Record
from .writer import Writer, as_bytes

UNIQUE = b'# WARNING: seq names have been made unique by adding a prefix of "<seq#>|"'
AUTHOR = f"#=GF AU pfamnet-scan {__version__}"


class Row(NamedTuple):
    """A domain in the columns of its profile.

    matches   (states,) a residue or a hyphen opposite each match state
    inserted  what stands after a state (from 1; 0: before the first), in lower case
    """

    name: str
    matches: str
    inserted: dict[int, str]


class AlignmentWriter(Writer):
    """Writes an alignment for each family that was found, in the model's order, when the scan ends."""

    def __init__(self, out: str | BinaryIO, families: Sequence[Family]) -> None:
        super().__init__(out)
        self._families = families
        self._found: dict[int, tuple[Hit, list[Row]]] = {}

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        for hit, domain in reported(hits):
            if domain.included and domain.alignment:
                row = row_of(record.name, hit.target_length, domain)
                self._found.setdefault(hit.family, (hit, []))[1].append(row)
        return b""

    def _end(self) -> bytes:
        return b"".join(stockholm(*self._found[family]) for family in sorted(self._found))


def row_of(name: str, states: int, domain: Domain) -> Row:
    """A domain of a profile with so many match states."""
    matches, inserted, state = ["-"] * states, {}, domain.hmm_from - 1
    for model, residue in zip(domain.alignment.model, domain.alignment.sequence):
        if model == ".":
            inserted[state] = inserted.get(state, "") + residue.lower()
        else:
            matches[state] = residue.upper()
            state += 1
    return Row(f"{name}/{domain.ali_from}-{domain.ali_to}", "".join(matches), inserted)


def stockholm(hit: Hit, rows: Sequence[Row]) -> bytes:
    """The alignment of one family; `x` in RF marks the match states.

    All names are numbered unless they are unique and none would begin a line of Stockholm's own.
    """
    names, repeated = [row.name for row in rows], []
    if len(set(names)) < len(names) or any(name.startswith(("#", "//")) for name in names):
        digits, repeated = len(str(len(names))), [UNIQUE]
        names = [f"{number:0{digits}}|{name}" for number, name in enumerate(names)]
    widths = [0] * (hit.target_length + 1)
    for row in rows:
        for state, residues in row.inserted.items():
            widths[state] = max(widths[state], len(residues))
    text = lambda matches, inserted: "".join(
        part
        for state, width in enumerate(widths)
        for part in (matches[state - 1 : state], inserted.get(state, "").ljust(width, "."))
    )
    room = max(len("#=GC RF"), *(len(as_bytes(name)) for name in names))
    about = ("ID", hit.target_name), ("AC", hit.target_accession), ("DE", hit.target_description)
    lines = [
        b"# STOCKHOLM 1.0",
        AUTHOR.encode(),
        *repeated,
        *(as_bytes(f"#=GF {tag} {value}") for tag, value in about if value),
    ]
    lines += [
        as_bytes(name).ljust(room) + b" " + as_bytes(text(row.matches, row.inserted))
        for name, row in zip(names, rows)
    ]
    lines += [b"#=GC RF".ljust(room) + b" " + as_bytes(text("x" * hit.target_length, {})), b"//"]
    return b"\n".join(lines) + b"\n"
