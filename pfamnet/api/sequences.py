"""Sequences from whatever holds them: files, streams, mappings, pairs, objects of Biopython or pyhmmer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from pyhmmer.easel import SequenceFile

from ..errors import PfamnetError, reason
from ..io.sequences import checked, no_nucleotides, read_sequences
from ..io.textfile import EmptyFile
from ..records import Record, shown

MEMORY = "sequences"  # where records are that come from no file


def records_of(
    sequences: object, format: str | None, warn: Callable[[str], None], strict: bool = False
) -> Iterator[Record]:
    """Yield the records of `sequences`, numbered from 1.

    Arguments:
        sequences: a path ("-" is stdin), a list of paths, a binary stream, a mapping or pairs of names
            and sequences, or an iterable of objects of Biopython or pyhmmer, or of `Record`s.
        format: of files, as `read_sequences` takes it.
        warn: takes a line about what looks wrong and is no error.
        strict: a file without sequences is an error.

    Raises:
        PfamnetError: a file or a sequence is not what it must be; the message names the record.
    """
    if isinstance(sequences, (str, os.PathLike)):
        sequences = [sequences]
    if hasattr(sequences, "read") and not isinstance(sequences, SequenceFile):
        name = getattr(sequences, "name", None)
        where = name if isinstance(name, str) else "stream"
        return not_empty(read_sequences(where, format, sequences, warn), where, warn, strict)
    if isinstance(sequences, (list, tuple)) and sequences and all(map(is_path, sequences)):
        return files(sequences, format, warn, strict)
    if hasattr(sequences, "keys") and hasattr(sequences, "items"):
        sequences = sequences.items()
    elif is_sequence(sequences):
        sequences = [sequences]
    if not isinstance(sequences, Iterable):
        raise PfamnetError(f"{MEMORY}: neither a file nor sequences: {type(sequences).__name__}")
    made = (record_of(item, number) for number, item in enumerate(sequences, 1))
    return no_nucleotides(made, MEMORY, warn)


def files(
    paths: Iterable[str | os.PathLike], format: str | None, warn: Callable[[str], None], strict: bool
) -> Iterator[Record]:
    """The records of several files, numbered through; a file that is missing is known at once."""
    for path in paths:
        try:
            os.stat(path if path != "-" else ".")
        except OSError as error:
            raise PfamnetError(f"{path}: {reason(error)}") from None
    return numbered(paths, format, warn, strict)


def numbered(
    paths: Iterable[str | os.PathLike], format: str | None, warn: Callable[[str], None], strict: bool
) -> Iterator[Record]:
    """The records of one file after the other."""
    numbers = count(1)
    for path in paths:
        records = read_sequences(os.fspath(path), format, warn=warn)
        for record in not_empty(records, path, warn, strict):
            number = next(numbers)
            yield record if record.number == number else record._replace(number=number)


def not_empty(
    records: Iterator[Record], where: object, warn: Callable[[str], None], strict: bool
) -> Iterator[Record]:
    """Yield the records of a file, and warn if there is none or if they look like nucleotides."""
    record = None
    try:
        for record in no_nucleotides(records, where, warn):
            yield record
    except EmptyFile:
        if strict:
            raise
    if record is None:
        if strict:
            raise PfamnetError(f"{where}: no sequences")
        warn(f"warning: {where}: no sequences")


def is_path(item: object) -> bool:
    return isinstance(item, (str, os.PathLike))


def is_sequence(item: object) -> bool:
    """Whether something is one sequence of Biopython, of pyhmmer, or a record."""
    return hasattr(item, "seq") or (hasattr(item, "name") and hasattr(item, "sequence"))


def record_of(item: object, number: int) -> Record:
    """One record, checked as those of files are; the first word of a name is the name."""
    where = f"{MEMORY}: record {number}"
    if hasattr(item, "textize"):  # pyhmmer's digital sequences
        item = item.textize()
    description = accession = ""
    if hasattr(item, "seq"):  # Biopython's
        name, sequence, description = item.id, item.seq, item.description
        if description == "<unknown description>":
            description = ""
        description = description.removeprefix(str(name)).lstrip()
    elif is_sequence(item):
        name, sequence = item.name, item.sequence
        description, accession = (getattr(item, what, "") or "" for what in ("description", "accession"))
    elif isinstance(item, (tuple, list)) and len(item) == 2:
        name, sequence = item
    else:
        raise PfamnetError(f"{where}: neither a (name, sequence) pair nor a sequence: {shown(repr(item))}")
    name, description, accession = map(as_text, (name, description, accession))
    name, *rest = name.split(None, 1) or [""]
    letters = as_text(sequence) if isinstance(sequence, (str, bytes, bytearray)) else str(sequence)
    return checked(Record(name, description or "".join(rest), letters, number, accession), where)


def as_text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, (bytes, bytearray)) else str(value)
