"""Text files as bytes, lines or tables; plain or compressed, with errors that name file and line."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import PfamnetError, reason
from .compression import CHUNK, Corrupt, unpacked
from .signatures import COMPRESSED, OTHER_COMPRESSED

MOST_LINE = 1 << 26  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TAR = slice(257, 262), b"ustar"


class EmptyFile(PfamnetError):
    """A file has no bytes, or none when unpacked."""


def on_stderr(text: str) -> None:
    """Warn by a line on stderr."""
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def text_chunks(
    path: str | Path, stdin: BinaryIO | None = None, warn: Callable[[str], None] = on_stderr
) -> Iterator[bytes]:
    """Yield the bytes of a file, of stdin for ``-``, or of a stream, in pieces, and unpacked.

    Plain text, gzip (bgzip and other files of several members too), bzip2 and xz are recognised by
    content. A byte order mark is removed. `stdin` is a stream that messages call `path`.

    Raises:
        PfamnetError: the file cannot be read or is empty, or is packed in a way that is not read.
        Corrupt: after what could be unpacked.
    """
    if stdin is None and str(path) != "-":
        yield from file_chunks(path, warn)
    elif stream := stdin or getattr(sys.stdin, "buffer", None):
        yield from _stream_chunks(stream, path, warn)
    else:
        raise PfamnetError("-: stdin is closed")


def file_chunks(path: str | Path, warn: Callable[[str], None] = on_stderr) -> Iterator[bytes]:
    """Yield the bytes of a file as `text_chunks` does; ``-`` is a file like any other."""
    try:
        with open(path, "rb") as stream:
            yield from _stream_chunks(stream, path, warn)
    except OSError as error:
        raise PfamnetError(f"{path}: {reason(error)}") from None


def _stream_chunks(stream, path, warn):
    chunks = _raw_chunks(stream, path)
    first = _first_of(chunks, path)
    mark = next(filter(first.startswith, COMPRESSED), None)
    if mark:
        chunks = unpacked(itertools.chain((first,), chunks), mark, path, warn)
        first = _first_of(chunks, path)
    other = next((what for mark, what in OTHER_COMPRESSED.items() if first.startswith(mark)), None)
    if first[_TAR[0]] == _TAR[1]:
        other = "tar"
    if other:
        raise PfamnetError(f"{path}: {other} data, which are not read; unpack them first")
    yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from chunks


def _first_of(chunks, path):
    """The first piece of a text, long enough to show a mark even if a pipe yields single bytes."""
    first, marks = b"", (*COMPRESSED, *OTHER_COMPRESSED, _BYTE_ORDER_MARK)
    for chunk in chunks:
        first += chunk
        if first and not any(mark.startswith(first) for mark in marks):
            break
    if not first:
        raise EmptyFile(f"{path}: empty file")
    return first


def _raw_chunks(stream, path):
    # read1 returns what a pipe holds already instead of waiting for more
    read = getattr(stream, "read1", stream.read)
    try:
        while chunk := read(CHUNK):
            if isinstance(chunk, str):
                raise PfamnetError(f"{path}: a stream of text; open it as binary ('rb')")
            yield chunk
    except OSError as error:
        raise PfamnetError(f"{path}: {reason(error)}") from None


class ChunkFile(io.RawIOBase):
    """Chunks of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]):
        self.chunks, self.rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self.rest and (chunk := next(self.chunks, None)) is not None:
            self.rest = chunk
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def numbered_lines(
    path: str | Path, lenient: bool = False, warn: Callable[[str], None] = on_stderr
) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end) of a text file, plain or compressed.

    Lines end in LF or CR LF. With `lenient`, bytes that are not UTF-8 are kept as surrogates
    (Pfam-A.seed has such among its references). `warn` is as of `file_chunks`.

    Raises:
        PfamnetError: the file cannot be read, or a line is not UTF-8 or has more than `MOST_LINE` bytes.
    """
    number, reader = 0, io.BufferedReader(ChunkFile(file_chunks(path, warn)), CHUNK)
    try:
        for number, line in enumerate(iter(lambda: reader.readline(MOST_LINE + 1), b""), 1):
            if len(line) > MOST_LINE:
                raise PfamnetError(f"{path}: line {number}: more than {MOST_LINE >> 20} MiB")
            try:
                text = line.decode("utf-8", "surrogateescape" if lenient else "strict")
            except UnicodeDecodeError:
                raise PfamnetError(f"{path}: line {number}: not UTF-8 text") from None
            yield number, text.rstrip("\r\n")
    except Corrupt as error:
        raise PfamnetError(f"{error} after line {number}") from None


def read_table(
    path: str | Path,
    columns: dict[str, tuple[str, ...]],
    required: Iterable[str],
    delimiter: str = "\t",
    lenient: bool = False,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: text}) of each row of a table with a header line, plain or compressed.

    Arguments:
        path: of a tab-separated table, in which "-" is a missing value ("" here) and quotes are text, or
            of a CSV file. Blank lines are skipped.
        columns: {our name: other names it may have}; case, and a '#' before the first one, do not matter.
            Other columns of the file are ignored; those that it lacks have "".
        required: those of our names that the header must have.
        lenient: as of `numbered_lines`.

    Raises:
        PfamnetError: the file cannot be read, a required column is missing, or a row has another number
            of fields than the header. The message names the line.
    """
    missing, quoting = ("-", csv.QUOTE_NONE) if delimiter == "\t" else ("", csv.QUOTE_MINIMAL)
    lines = (line if line.strip() else "" for _, line in numbered_lines(path, lenient))
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)
    rows = filter(None, reader)
    try:
        header = next(rows, None)
        if header is None:
            raise PfamnetError(f"{path}: empty file")
        given = [name.strip().lstrip("#").strip().lower() for name in header]
        places = {
            name: next((given.index(known) for known in (name, *others) if known in given), -1)
            for name, others in columns.items()
        }
        for name in required:
            if places[name] < 0:
                raise PfamnetError(f"{path}: line {reader.line_num}: no column named '{name}' in the header")
        for fields in rows:
            if len(fields) != len(header):
                count = f"{len(fields)} fields, the header has {len(header)}"
                raise PfamnetError(f"{path}: line {reader.line_num}: {count}")
            fields.append("")  # what a column that the file lacks has
            texts = {
                name: "" if (text := fields[i].strip()) == missing else text for name, i in places.items()
            }
            yield reader.line_num, texts
    except csv.Error as error:
        raise PfamnetError(f"{path}: line {reader.line_num}: {error}") from None
