"""Sequence files of any format that hmmscan reads; the format is recognised by the first bytes.

FASTA is read by `fasta`; GenBank, EMBL, UniProt flat files and alignments by Easel, through pyhmmer,
as hmmscan does. All may be gzip, and come from a pipe.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pyhmmer.easel import SequenceFile

from ..errors import PfamnetError
from ..records import Record, shown
from .fasta import fasta_records
from .textfile import ChunkFile, text_chunks

FASTA = "fasta"
SIGNS = ((b"# STOCKHOLM", "stockholm"), (b"ID   ", "embl"), (b"LOCUS   ", "genbank"))
NUCLEOTIDES = "ACGTUN"
FRACTION, LEAST = 0.9, 50  # of nucleotides in so many residues: these are no proteins
_ILLEGAL = re.compile("[^A-Z*._~]")
# pyhmmer's on files that it cannot parse
_FAILURES = ValueError, EOFError, OSError, SystemError


def read_sequences(
    path: str | Path, format: str | None = None, stdin: BinaryIO | None = None
) -> Iterator[Record]:
    """Yield the records of a sequence file, or of `stdin` for ``-``.

    Arguments:
        format: one that hmmscan's `--qformat` takes; None to recognise it.

    Raises:
        PfamnetError: the file cannot be read or is not of the format; the message names the record.
    """
    chunks = text_chunks(path, stdin)
    if format is None:
        format, chunks = sniff(chunks)
    if format.lower() == FASTA:
        yield from fasta_records(chunks, path)
    else:
        yield from _easel_records(chunks, path, format.lower())


def sniff(chunks: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """The format of a text, and the text again from its beginning.

    Reads no more than shows the format, so that FASTA from a pipe is not delayed.
    """
    first = b""
    for chunk in chunks:
        first += chunk
        text = first.lstrip()
        if text and not any(sign.startswith(text) for sign, _ in SIGNS):
            break
    format = next((name for sign, name in SIGNS if first.lstrip().startswith(sign)), FASTA)
    return format, itertools.chain((first,), chunks)


def _easel_records(chunks, path, format):
    stream, number = ChunkFile(chunks), 0
    try:
        with SequenceFile(io.BufferedReader(stream), format=format) as reader:
            for number, sequence in enumerate(reader, 1):
                text, accession = sequence.sequence.upper(), sequence.accession or ""
                record = Record(sequence.name, sequence.description or "", text, number, accession)
                yield _checked(record, path)
    except PfamnetError:
        if stream.failure is None:  # an illegal character, not a failure of the stream
            raise
    except _FAILURES as error:
        if stream.failure is None:  # the message may quote the file, so it is shortened
            text = " ".join(str(error.__cause__ or error).split()).rstrip(".")
            text = shown(text.removeprefix("Could not parse file: "), 120) or type(error).__name__
            raise PfamnetError(f"{path}: record {number + 1}: not {format}: {text}") from None
    if stream.failure is not None:
        raise stream.failure


def _checked(record, path):
    where = f"{path}: record {record.number}"
    if not record.name:
        raise PfamnetError(f"{where}: no name")
    if bad := _ILLEGAL.search(record.sequence):
        where += f" '{shown(record.name)}'"
        raise PfamnetError(f"{where}: illegal character {bad[0]!r} at position {bad.start() + 1}")
    return record


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
