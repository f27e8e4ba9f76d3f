"""Sequence files of any format that hmmscan reads, told by what they begin with.

FASTA is read by `pfamnet.io.fasta`; GenBank, EMBL, UniProt flat files and
alignments by Easel, through pyhmmer, as hmmscan does. All may be gzip, and
come from a pipe.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from pyhmmer.easel import SequenceFile

from ..errors import PfamnetError
from ..records import Record, shown
from .fasta import fasta_records, text_chunks

FASTA = "fasta"
# What a file of another format begins with.
SIGNS = ((b"# STOCKHOLM", "stockholm"), (b"ID   ", "embl"), (b"LOCUS   ", "genbank"))
NUCLEOTIDES = "ACGTUN"
SHARE, LEAST = 0.9, 50  # of nucleotides in so many residues: these are no proteins
_ILLEGAL = re.compile("[^A-Z*._~]")
_FAILURES = (ValueError, EOFError, OSError, SystemError)  # pyhmmer's on files that do not parse


def read_sequences(path, format: str | None = None, stdin=None) -> Iterator[Record]:
    """Yield the `Record` objects of a sequence file, ``-`` for stdin.

    Arguments:
        path: file name or ``-``.
        format: one that hmmscan's `--qformat` takes; None to find out.
        stdin: binary stream to read for ``-``; the process's own by default.

    Raises PfamnetError, one line that names file and record.
    """
    path = str(path)
    chunks = text_chunks(path, stdin)
    if format is None:
        format, chunks = sniff(chunks)
    if format.lower() == FASTA:
        yield from fasta_records(chunks, path)
    else:
        yield from _easel_records(chunks, path, format.lower())


def sniff(chunks: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """The format of a text, and the text again from its beginning.

    Reads no more than tells the format: FASTA from a pipe goes on at once.
    """
    first = b""
    for chunk in chunks:
        first += chunk
        text = first.lstrip()
        if text and not any(sign.startswith(text) for sign, _ in SIGNS):
            break
    text = first.lstrip()
    named = [name for sign, name in SIGNS if text.startswith(sign)]
    return (named or [FASTA])[0], itertools.chain((first,), chunks)


class _Stream(io.RawIOBase):
    """Chunks as a file for pyhmmer; what reading them raises is kept in `failure`."""

    def __init__(self, chunks: Iterator[bytes]):
        self.chunks, self.rest, self.failure = iter(chunks), b"", None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            while not self.rest:
                self.rest = next(self.chunks)
        except StopIteration:
            return 0
        except PfamnetError as error:
            self.failure = error
            return 0
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def _easel_records(chunks, path, format):
    stream, number = _Stream(chunks), 0
    try:
        with SequenceFile(io.BufferedReader(stream), format=format) as reader:
            for number, sequence in enumerate(reader, 1):
                record = Record(
                    sequence.name,
                    sequence.description or "",
                    sequence.sequence.upper(),
                    number,
                    sequence.accession or "",
                )
                yield _checked(record, path)
    except _FAILURES as error:
        if stream.failure is None:
            raise PfamnetError(f"{path}: record {number + 1}: not {format}: {_reason(error)}") from None
    if stream.failure is not None:
        raise stream.failure


def _checked(record, path):
    where = f"{path}: record {record.number}"
    if not record.name:
        raise PfamnetError(f"{where}: no name")
    bad = _ILLEGAL.search(record.sequence)
    if bad:
        raise PfamnetError(
            f"{where} '{shown(record.name)}': illegal character {bad[0]!r} at position {bad.start() + 1}"
        )
    return record


def _reason(error):
    """pyhmmer's message in one line; it may quote the file, so it is cut."""
    text = " ".join(str(error.__cause__ or error).split()).rstrip(".")
    return shown(text.removeprefix("Could not parse file: "), 120) or type(error).__name__


def no_nucleotides(records: Iterable[Record], path, warn: Callable[[str], None]) -> Iterator[Record]:
    """The records; the first that looks like nucleotides is warned of."""
    warned = False
    for record in records:
        if not warned and len(record.sequence) >= LEAST:
            share = sum(map(record.sequence.count, NUCLEOTIDES)) / len(record.sequence)
            if share >= SHARE:
                warned = True
                warn(
                    f"warning: {path}: record {record.number} '{shown(record.name)}': {share:.0%} of it "
                    "is A, C, G, T, U or N: nucleotides? proteins are wanted"
                )
        yield record
