"""Sequences from whatever holds them: files, streams, mappings, pairs, objects of Biopython or pyhmmer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from pyhmmer.easel import SequenceFile

from ..errors import PfamnetError, reason
from ..io.sequences import checked, no_nucleotides, read_sequences
from ..io.textfile import EmptyFile
from ..io.translation import CODES, LEAST, translated
from ..records import Record, shown
from .checks import is_whole

MEMORY = "sequences"  # where records are that come from no file


@dataclass(frozen=True)
class SequenceReader:
    """Gives the records of whatever holds sequences.

    format  of files, as `read_sequences` takes it; None to recognise it
    warn    takes a line about what looks wrong and is no error
    strict  a file without sequences is an error
    code    NCBI's number of a genetic code: nucleotides are read, and translated
    """

    format: str | None
    warn: Callable[[str], None]
    strict: bool = False
    code: int | None = None

    def __post_init__(self) -> None:
        if self.code is not None and not (is_whole(self.code) and self.code in CODES):
            raise PfamnetError(
                f"genetic code {shown(repr(self.code))}: not one of {', '.join(map(str, CODES))}"
            )

    def records(self, sequences: object) -> Iterator[Record]:
        """Yield records, numbered from 1.

        Arguments:
            sequences: a path ("-" is stdin), a list of paths, a binary stream, a mapping or pairs of names
                and sequences, or an iterable of objects of Biopython or pyhmmer, or of `Record`s.

        Raises:
            PfamnetError: a file or a sequence is not what it must be; the message names the record.
        """
        if is_path(sequences):
            return self.of_files([sequences])
        if hasattr(sequences, "read") and not isinstance(sequences, SequenceFile):
            name = getattr(sequences, "name", None)
            return self.of_file(name if isinstance(name, str) else "stream", sequences)
        if isinstance(sequences, (list, tuple)) and sequences and all(map(is_path, sequences)):
            return self.of_files(sequences)
        if hasattr(sequences, "keys") and hasattr(sequences, "items"):
            sequences = sequences.items()
        elif is_sequence(sequences):
            sequences = [sequences]
        if not isinstance(sequences, Iterable):
            raise PfamnetError(f"{MEMORY}: neither a file nor sequences: {type(sequences).__name__}")
        return self.prepared((record_of(item, n) for n, item in enumerate(sequences, 1)), MEMORY)

    def of_files(self, paths: Iterable[str | os.PathLike]) -> Iterator[Record]:
        """The records of several files, numbered through; a file that is missing is known at once."""
        for path in paths:
            try:
                os.stat(path if os.fspath(path) != "-" else ".")
            except OSError as error:
                raise PfamnetError(f"{path}: {reason(error)}") from None
        numbered = enumerate(chain.from_iterable(self.of_file(os.fspath(path)) for path in paths), 1)
        return (record if record.number == n else record._replace(number=n) for n, record in numbered)

    def of_file(self, path: str, stream: BinaryIO | None = None) -> Iterator[Record]:
        """The records of a file, or of a stream that messages call `path`."""
        first, record = [], None
        try:
            records = read_sequences(path, self.format, stream, self.warn)
            first = list(islice(records, 1))
            for record in self.prepared(chain(first, records), path):
                yield record
        except EmptyFile:
            if self.strict:
                raise
        if not first:
            if self.strict:
                raise PfamnetError(f"{path}: no sequences")
            self.warn(f"warning: {path}: no sequences")
        elif record is None:
            self.warn(f"warning: {path}: no open reading frame of {LEAST} codons")

    def prepared(self, records: Iterable[Record], where: str) -> Iterator[Record]:
        """Proteins as they are, or nucleotides translated."""
        if self.code is None:
            return no_nucleotides(records, where, self.warn)
        return translated(records, self.code, where)


def is_path(item: object) -> bool:
    return isinstance(item, (str, os.PathLike))


def is_sequence(item: object) -> bool:
    """Whether something is one sequence of Biopython, of pyhmmer, or a record."""
    return hasattr(item, "seq") or (hasattr(item, "name") and hasattr(item, "sequence"))


def record_of(item: object, number: int) -> Record:
    """One record, checked as those of files are; the first word of a name is the name."""
    where = f"{MEMORY}: record {number}"
    is_pair = isinstance(item, (tuple, list)) and len(item) == 2
    key, item = item if is_pair else (None, item)
    if hasattr(item, "textize"):  # pyhmmer's digital sequences
        item = item.textize()
    description = accession = ""
    if hasattr(item, "seq"):  # Biopython's
        name, sequence = None if item.id == "<unknown id>" else item.id, item.seq
        description = "" if item.description == "<unknown description>" else item.description
        first, *rest = description.split(None, 1) or [""]
        description = "".join(rest) if first == name else description
    elif is_sequence(item):
        name, sequence = item.name, item.sequence
        description, accession = (getattr(item, what, "") or "" for what in ("description", "accession"))
    elif is_pair:
        name, sequence = key, item
    else:
        raise PfamnetError(f"{where}: neither a (name, sequence) pair nor a sequence: {shown(repr(item))}")
    name = key if is_pair else name
    if name is None or isinstance(name, float):  # what tables have where there is nothing
        raise PfamnetError(f"{where}: no name: {name}")
    name, description, accession = map(as_text, (name, description, accession))
    if not is_writable(name + description + accession):
        raise PfamnetError(f"{where} '{shown(name)}': not Unicode text")
    name, *rest = name.split(None, 1) or [""]
    try:
        letters = as_text(sequence)
        if not hasattr(sequence, "upper"):
            raise ValueError
    except ValueError:  # Biopython's too, if it knows only the length
        raise PfamnetError(f"{where} '{shown(name)}': no sequence: {shown(repr(sequence))}") from None
    return checked(Record(name, description or "".join(rest), letters, number, accession), where)


def is_writable(text: str) -> bool:
    """Whether a text has bytes: a lone surrogate is that of a byte, or nothing."""
    try:
        return text.encode("utf-8", "surrogateescape") is not None
    except UnicodeEncodeError:
        return False


def as_text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, (bytes, bytearray)) else str(value)
