"""Read FASTA as a stream: plain or gzip, from a file or a pipe.

The grammar is that of hmmscan 3.4 (Easel), checked against the program: what
it reads is read here to the same names and residues, and what it refuses is
refused here with the record and the position named.
"""

import itertools
import sys
import zlib

from ..errors import PfamnetError
from ..records import Record, shown

_CHUNK = 1 << 20  # bytes asked for at once, and the most inflated at once
_HEADER_LIMIT = 1 << 20  # a longer header line means that this is not FASTA
_BLANKS = b" \t\n"  # carriage returns are made line ends before
_LEGAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ*._~"  # Easel takes . _ ~ but not -
_ILLEGAL = 0
_GZIP, _BYTE_ORDER_MARK = b"\x1f\x8b", b"\xef\xbb\xbf"

# One pass makes upper case and turns whatever is illegal into a NUL.
_TABLE = bytes(
    ord(chr(i).upper()) if i < 128 and chr(i).upper().encode() in _LEGAL else _ILLEGAL for i in range(256)
)


class Truncated(PfamnetError):
    """The input ends within gzip data."""


def read_fasta(path, stdin=None):
    """Yield the `Record` objects of the FASTA file ``path``, ``-`` for stdin.

    Plain text and gzip (of several members too, bgzip) are told apart by
    content. No more than one record and a read buffer are held at a time,
    and a record is yielded as soon as the next one begins.

    Arguments:
        path: file name, or ``-`` to read ``stdin``.
        stdin: binary stream to read for ``-``; the process's own by default.

    Raises:
        PfamnetError: the file cannot be read, is empty, is not FASTA, or a
            record has no name or an illegal character.
    """
    return fasta_records(text_chunks(path, stdin), path)


def text_chunks(path, stdin=None):
    """Yield the bytes of a file, or of stdin for ``-``, in pieces, inflated
    where they are gzip. Raises PfamnetError where they cannot be read."""
    path = str(path)
    if path == "-":
        stream = stdin or getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise PfamnetError("-: stdin is closed")
        yield from _open_chunks(stream, path)
        return
    try:
        stream = open(path, "rb")
    except OSError as error:
        raise PfamnetError(f"{path}: {_reason(error)}") from None
    with stream:
        yield from _open_chunks(stream, path)


def _reason(error):
    return (error.strerror or str(error)).lower()


def _open_chunks(stream, path):
    """Yield the text of a stream in pieces, inflated where it is gzip."""
    chunks = _raw_chunks(stream, path)
    first = _first_of(chunks, path)
    if first.startswith(_GZIP):
        chunks = _inflate(first, chunks, path)
        first = _first_of(chunks, path)
    yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from chunks


def _first_of(chunks, path):
    """The first piece of a text; a pipe may hand over single bytes, too few
    to see whether it begins with one of the marks."""
    first = b""
    for chunk in chunks:
        first += chunk
        if first and not (_GZIP.startswith(first) or _BYTE_ORDER_MARK.startswith(first)):
            break
    if not first:
        raise PfamnetError(f"{path}: empty file")
    return first


def _raw_chunks(stream, path):
    # read1 hands over what a pipe holds already instead of waiting for more.
    read = getattr(stream, "read1", stream.read)
    while True:
        try:
            chunk = read(_CHUNK)
        except OSError as error:
            raise PfamnetError(f"{path}: {_reason(error)}") from None
        if not chunk:
            return
        yield chunk


def _inflate(first, chunks, path):
    """Yield the text of gzip members one after the other."""
    member = zlib.decompressobj(31)
    while first is not None:
        pending = first
        while pending:
            if member.eof:  # zero bytes may pad the members
                pending = pending.lstrip(b"\0")
                if not pending:
                    break
                member = zlib.decompressobj(31)
            try:
                text = member.decompress(pending, _CHUNK)
            except zlib.error:
                raise PfamnetError(f"{path}: corrupt gzip data") from None
            if text:
                yield text
            pending = member.unused_data if member.eof else member.unconsumed_tail
        first = next(chunks, None)
    if not member.eof:
        raise Truncated(f"{path}: truncated gzip data")


def fasta_records(chunks, path):
    """Cut the text of FASTA into records: a '>' outside a header line begins one."""
    chunks = (chunk.replace(b"\r", b"\n") for chunk in chunks)
    first = _skip_to_first(chunks, path)
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
    except Truncated:
        record.refuse(f"truncated gzip data after {record.length} residues")
    yield record.finish()


def _skip_to_first(chunks, path):
    """Return what follows the first '>', or None where there is no record."""
    line = 1
    for chunk in chunks:
        text = chunk.lstrip()
        line += chunk[: len(chunk) - len(text)].count(b"\n")
        if text:
            if text[:1] != b">":
                raise PfamnetError(f"{path}: line {line}: not FASTA: '>' expected, {_quoted(text[:1])} found")
            return text[1:]
    return None


class _Builder:
    """A record in the making, fed with the text after its '>' in pieces."""

    def __init__(self, path, number):
        self.path = path
        self.number = number
        self.in_header = True
        self.header = bytearray()
        self.name = self.description = ""
        self.length = 0
        self.parts = []

    def feed(self, piece):
        if self.in_header:
            line, newline, piece = piece.partition(b"\n")
            self.header += line
            if len(self.header) > _HEADER_LIMIT:
                self.refuse(f"header line of more than {_HEADER_LIMIT} bytes")
            if not newline:
                return
            self._end_header()
        part = piece.translate(_TABLE, _BLANKS)
        bad = part.find(_ILLEGAL)
        if bad >= 0:
            character = _quoted(piece.translate(None, _BLANKS)[bad : bad + 1])
            position = self.length + bad + 1
            self.refuse(f"illegal character {character} at position {position}")
        self.length += len(part)
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
        if b"\0" in description or b"\1" in description:
            description = description.partition(b"\1")[0].partition(b"\0")[0]
        if not name:
            self.refuse("no name after '>'")
        self.name, self.description = _text(name), _text(description)
        self.in_header = False

    def refuse(self, what):
        """Raise PfamnetError that names the record."""
        name = f" '{shown(self.name)}'" if self.name else ""
        raise PfamnetError(f"{self.path}: record {self.number}{name}: {what}") from None


def _text(raw):
    return raw.decode("utf-8", "surrogateescape")


def _quoted(byte):
    """Return one byte as it stands in a message: '1', '\\x0b'."""
    return repr(byte)[1:] if byte != b"'" else '"\'"'
