"""Text files as bytes, lines or tables; plain or gzip, with errors that name file and line."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import PfamnetError, reason

_CHUNK = 1 << 20  # bytes read at once, and the most inflated at once
_GZIP, _BYTE_ORDER_MARK = b"\x1f\x8b", b"\xef\xbb\xbf"


class BadGzip(PfamnetError):
    """The gzip data of the input are corrupt."""


class Truncated(BadGzip):
    """The input ends within gzip data."""


def text_chunks(path: str | Path, stdin: BinaryIO | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file, or of stdin for ``-``, in pieces; gzip is inflated.

    Plain text and gzip (bgzip and other files of several members too) are recognised by content.
    A byte order mark is removed.

    Arguments:
        path: file name, or ``-`` to read `stdin`.
        stdin: binary stream to read for ``-``; the process's own by default.

    Raises:
        PfamnetError: the file cannot be read or is empty.
        BadGzip: after what could be inflated.
    """
    if str(path) != "-":
        yield from file_chunks(path)
    elif stream := stdin or getattr(sys.stdin, "buffer", None):
        yield from _stream_chunks(stream, "-")
    else:
        raise PfamnetError("-: stdin is closed")


def file_chunks(path: str | Path) -> Iterator[bytes]:
    """Yield the bytes of a file as `text_chunks` does; ``-`` is a file like any other."""
    try:
        with open(path, "rb") as stream:
            yield from _stream_chunks(stream, path)
    except OSError as error:
        raise PfamnetError(f"{path}: {reason(error)}") from None


def _stream_chunks(stream, path):
    chunks = _raw_chunks(stream, path)
    first = _first_of(chunks, path)
    if first.startswith(_GZIP):
        chunks = _inflated(itertools.chain((first,), chunks), path)
        first = _first_of(chunks, path)
    yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from chunks


def _first_of(chunks, path):
    """The first piece of a text, long enough to show a mark even if a pipe yields single bytes."""
    first = b""
    for chunk in chunks:
        first += chunk
        if first and not (_GZIP.startswith(first) or _BYTE_ORDER_MARK.startswith(first)):
            break
    if not first:
        raise PfamnetError(f"{path}: empty file")
    return first


def _raw_chunks(stream, path):
    # read1 returns what a pipe holds already instead of waiting for more
    read = getattr(stream, "read1", stream.read)
    try:
        while chunk := read(_CHUNK):
            yield chunk
    except OSError as error:
        raise PfamnetError(f"{path}: {reason(error)}") from None


class ChunkFile(io.RawIOBase):
    """Chunks of bytes as a file; an error of reading them is kept in `failure`, too."""

    def __init__(self, chunks: Iterator[bytes]):
        self.chunks, self.rest, self.failure = chunks, b"", None

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
            raise
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def _inflated(chunks, path):
    try:
        with gzip.GzipFile(fileobj=ChunkFile(chunks)) as text:
            while chunk := text.read1(_CHUNK):
                yield chunk
    except EOFError:
        raise Truncated(f"{path}: truncated gzip data") from None
    except (gzip.BadGzipFile, zlib.error):
        raise BadGzip(f"{path}: corrupt gzip data") from None


def numbered_lines(path: str | Path, lenient: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end) of a text file, gzipped or not.

    Lines end in LF or CR LF. With `lenient`, lines that are not UTF-8 are read as Latin-1
    (Pfam-A.seed has such among its references).

    Raises:
        PfamnetError: the file cannot be read or is empty, its gzip data are corrupt or truncated,
            or a line is not UTF-8.
    """
    number, rest = 0, b""
    try:
        for chunk in file_chunks(path):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                yield number, _decoded(line, f"{path}: line {number}", lenient)
    except BadGzip as error:
        raise PfamnetError(f"{error} after line {number}") from None
    if rest:
        yield number + 1, _decoded(rest, f"{path}: line {number + 1}", lenient)


def _decoded(line, where, lenient):
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        if not lenient:
            raise PfamnetError(f"{where}: not UTF-8 text") from None
        return line.decode("latin-1").rstrip("\r\n")


def read_table(
    path: str | Path, columns: dict[str, tuple[str, ...]], required: Iterable[str], delimiter: str = "\t"
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, {column: text}) of each row of a table with a header line, gzipped or not.

    Arguments:
        path: of a tab-separated table, in which "-" is a missing value ("" here) and quotes are text, or
            of a CSV file. Blank lines are skipped.
        columns: {our name: other names it may have}. Other columns of the file are ignored; those that
            it lacks have "".
        required: those of our names that the header must have.
        delimiter: a tab or a comma.

    Raises:
        PfamnetError: the file cannot be read, a required column is missing, or a row has another number
            of fields than the header. The message names the line.
    """
    missing, quoting = ("-", csv.QUOTE_NONE) if delimiter == "\t" else ("", csv.QUOTE_MINIMAL)
    lines = (line if line.strip() else "" for _, line in numbered_lines(path))
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)
    rows = filter(None, reader)
    try:
        header = next(rows, None)
        if header is None:
            raise PfamnetError(f"{path}: empty file")
        found = find_columns(f"{path}: line {reader.line_num}", header, columns, required)
        places = [(name, found.get(name, -1)) for name in columns]
        for fields in rows:
            if len(fields) != len(header):
                count = f"{len(fields)} fields, the header has {len(header)}"
                raise PfamnetError(f"{path}: line {reader.line_num}: {count}")
            fields.append("")  # what a column that the file lacks has
            texts = {name: "" if (text := fields[i].strip()) == missing else text for name, i in places}
            yield reader.line_num, texts
    except csv.Error as error:
        raise PfamnetError(f"{path}: line {reader.line_num}: {error}") from None


def find_columns(
    where: str, header: Iterable[str], wanted: dict[str, Iterable[str]], required: Iterable[str]
) -> dict[str, int]:
    """Map column names to their positions in a header line.

    Arguments:
        where: the beginning of a message.
        header: names; case, and a '#' before the first one, do not matter.
        wanted: {our name: other names it may have}; our own name comes first.
        required: those of our names that must be found.

    Raises:
        PfamnetError: a required column is missing.
    """
    names = [name.strip().lstrip("#").strip().lower() for name in header]
    columns = {}
    for ours, others in wanted.items():
        found = [name for name in (ours, *others) if name in names]
        if found:
            columns[ours] = names.index(found[0])
    for ours in required:
        if ours not in columns:
            raise PfamnetError(f"{where}: no column named '{ours}' in the header")
    return columns
