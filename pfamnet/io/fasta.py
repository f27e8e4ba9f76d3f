"""Read FASTA as a stream: plain or compressed, from a file or a pipe.

The grammar is that of hmmscan 3.4 (Easel), checked against the program: input that hmmscan reads
gives the same names and residues here; input that it refuses is refused with record and position.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import PfamnetError
from ..records import Record, shown
from .compression import Truncated
from .textfile import text_chunks

_HEADER_LIMIT = 1 << 20  # bytes of a header line that are kept; the name must be among them
MOST_RESIDUES = 100_000_000  # of a sequence; the longest protein known has 45,000
_BLANKS = b" \t\n"  # carriage returns are made line ends before
_LEGAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ*._~"  # Easel takes . _ ~ but not -
_ILLEGAL = 0

# One pass makes upper case and turns whatever is illegal into a NUL.
_TABLE = bytes(byte if byte in _LEGAL else _ILLEGAL for byte in bytes(range(256)).upper())


def read_fasta(path: str | Path, stdin: BinaryIO | None = None) -> Iterator[Record]:
    """Yield the records of a FASTA file, or of `stdin` for ``-``, each as soon as the next one begins.

    Raises:
        PfamnetError: the file cannot be read, is empty, is not FASTA, or a record has no name or an
            illegal character.
    """
    return fasta_records(text_chunks(path, stdin), path)


def fasta_records(chunks: Iterable[bytes], path: str | Path, line: int = 1) -> Iterator[Record]:
    """Split the text of FASTA, from this line of the file on, into records.

    A '>' outside a header line begins one.
    """
    chunks = (chunk.replace(b"\r", b"\n") for chunk in chunks)
    first = _skip_to_first(chunks, path, line)
    if first is None:
        return
    record = _Builder(path, 1)
    try:
        for chunk in itertools.chain((first,), chunks):
            pieces = chunk.split(b">")
            record.feed(pieces[0])
            for piece in pieces[1:]:
                if record.in_header:
                    record.feed(b">")
                else:
                    yield record.finish()
                    record = _Builder(path, record.number + 1)
                record.feed(piece)
    except Truncated as error:
        record.refuse(f"truncated {error.what} data after {record.length} residues")
    yield record.finish()


def _skip_to_first(chunks, path, line):
    """What follows the first '>', or None if there is no record."""
    for chunk in chunks:
        text = chunk.lstrip()
        line += chunk[: len(chunk) - len(text)].count(b"\n")
        if text:
            if text[:1] != b">":
                found = f"'>' expected, {_quoted(text[:1])} found"
                found += "; a sequence needs a line '>name' before it" if text[:1].isalpha() else ""
                raise PfamnetError(f"{path}: line {line}: not FASTA: {found}")
            return text[1:]
    return None


class _Builder:
    """A record in the making, fed with the text after its '>' in pieces."""

    def __init__(self, path, number):
        self.path, self.number = path, number
        self.in_header, self.header = True, bytearray()
        self.name = self.description = ""
        self.length, self.parts = 0, []

    def feed(self, piece):
        if self.in_header:
            line, newline, piece = piece.partition(b"\n")
            self.header += line[: _HEADER_LIMIT - len(self.header)]
            if not newline:
                return
            self._end_header()
        part = piece.translate(_TABLE, _BLANKS)
        bad = part.find(_ILLEGAL)
        if bad >= 0:
            character = _quoted(piece.translate(None, _BLANKS)[bad : bad + 1])
            self.refuse(f"illegal character {character} at position {self.length + bad + 1}")
        self.length += len(part)
        if self.length > MOST_RESIDUES:
            self.refuse(f"more than {MOST_RESIDUES:,} residues")
        self.parts.append(part)

    def finish(self):
        if self.in_header:  # the file ends in a header line
            self._end_header()
        sequence = b"".join(self.parts).decode("ascii")
        return Record(self.name, self.description, sequence, self.number)

    def _end_header(self):
        line = bytes(self.header).lstrip(b" \t")
        words = line.split(None, 1)
        name = words[0] if words and line.startswith(words[0]) else b""
        description = line[len(name) :].lstrip(b" \t")
        # Easel keeps C strings: a NUL ends the name or the description, and
        # ^A (between the entries of a merged record) ends the description.
        name = name.partition(b"\0")[0]
        description = description.partition(b"\1")[0].partition(b"\0")[0]
        if not name:
            self.refuse("no name after '>'")
        if len(name) == _HEADER_LIMIT:
            self.refuse(f"a name of more than {_HEADER_LIMIT:,} bytes")
        texts = (raw.decode("utf-8", "surrogateescape") for raw in (name, description))
        (self.name, self.description), self.in_header = texts, False

    def refuse(self, what):
        """Raise PfamnetError that names the record."""
        name = f" '{shown(self.name)}'" if self.name else ""
        raise PfamnetError(f"{self.path}: record {self.number}{name}: {what}") from None


def _quoted(byte):
    """Return one byte as a message shows it: '1', '\\x0b'."""
    return repr(byte)[1:] if byte != b"'" else '"\'"'
