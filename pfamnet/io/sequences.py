"""Sequence files of any format that hmmscan reads; the format is recognised by the first bytes.

FASTA is read by `fasta`; GenBank, EMBL, UniProt flat files and alignments by Easel, as hmmscan does, in
a process of its own (`easel`). All may be compressed, and come from a pipe.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import PfamnetError
from ..records import Record, shown
from .easel import easel_records
from .fasta import MOST_RESIDUES, fasta_records
from .textfile import on_stderr, text_chunks

FASTA, DATABASE = "fasta", "hmmpgmd"  # the second is FASTA after a line of counts
SIGNS = ((b"# STOCKHOLM", "stockholm"), (b"ID   ", "embl"), (b"LOCUS   ", "genbank"))
NUCLEOTIDES = "ACGTUN"
FRACTION, LEAST = 0.9, 50  # of nucleotides in so many residues: these are no proteins
_BLANKS = dict.fromkeys(map(ord, " \t\r\n"))
_ILLEGAL = re.compile("[^A-Za-z*._~]")


def read_sequences(
    path: str | Path,
    format: str | None = None,
    stdin: BinaryIO | None = None,
    warn: Callable[[str], None] = on_stderr,
) -> Iterator[Record]:
    """Yield the records of a sequence file, of stdin for ``-``, or of a stream that messages call `path`.

    Arguments:
        format: one that hmmscan's `--qformat` takes; None to recognise it.
        stdin: the stream; None for the file.
        warn: takes a line about what was ignored.

    Raises:
        PfamnetError: the file cannot be read or is not of the format; the message names the record.
    """
    chunks, lines = text_chunks(path, stdin, warn), 0
    if format is None:
        format, lines, chunks = sniff(chunks)
    if format.lower() == DATABASE:
        format, lines, chunks = FASTA, 1, after_counts(chunks, path)
    if format.lower() == FASTA:
        yield from fasta_records(chunks, path, lines + 1)
    else:
        for record in easel_records(chunks, path, format.lower()):
            yield checked(record, f"{path}: record {record.number}")


def sniff(chunks: Iterator[bytes]) -> tuple[str, int, Iterator[bytes]]:
    """The format of a text, the number of blank lines before it, and the text without these.

    Reads no more than shows the format, so that FASTA from a pipe is not delayed.
    """
    text, lines = b"", 0
    for chunk in chunks:
        stripped = (text + chunk).lstrip()
        if not text:
            lines += chunk[: len(chunk) - len(stripped)].count(b"\n")
        text = stripped
        if text and not any(sign.startswith(text) for sign, _ in SIGNS):
            break
    format = next((name for sign, name in SIGNS if text.startswith(sign)), FASTA)
    return format, lines, itertools.chain((text,), chunks)


def after_counts(chunks: Iterator[bytes], path: str | Path) -> Iterator[bytes]:
    """The text without its first line, which begins with '#'; raises PfamnetError if it does not."""
    if not (chunk := next(chunks, b"")).startswith(b"#"):
        raise PfamnetError(f"{path}: line 1: not hmmpgmd: '#' expected")
    while b"\n" not in chunk:
        if not (chunk := next(chunks, b"")):
            raise PfamnetError(f"{path}: line 1: not hmmpgmd: no records")
    yield chunk.partition(b"\n")[2]
    yield from chunks


def checked(record: Record, where: str) -> Record:
    """The record in upper case and without white space, as FASTA is read.

    Raises PfamnetError, which begins with `where`, if it has no name or an illegal character.
    """
    if not record.name:
        raise PfamnetError(f"{where}: no name")
    sequence, where = record.sequence.translate(_BLANKS), f"{where} '{shown(record.name)}'"
    if len(sequence) > MOST_RESIDUES:
        raise PfamnetError(f"{where}: more than {MOST_RESIDUES:,} residues")
    if bad := _ILLEGAL.search(sequence):
        raise PfamnetError(f"{where}: illegal character {bad[0]!r} at position {bad.start() + 1}")
    return record._replace(sequence=sequence.upper())


def no_nucleotides(
    records: Iterable[Record], path: str | Path, warn: Callable[[str], None]
) -> Iterator[Record]:
    """Yield the records, and warn of the first one that looks like nucleotides."""
    warned = False
    for record in records:
        if not warned and len(record.sequence) >= LEAST:
            fraction = sum(map(record.sequence.count, NUCLEOTIDES)) / len(record.sequence)
            if warned := fraction >= FRACTION:
                warn(
                    f"warning: {path}: record {record.number} '{shown(record.name)}': {fraction:.0%} of it "
                    "is A, C, G, T, U or N: are these nucleotides? pfamnet expects proteins"
                )
        yield record
