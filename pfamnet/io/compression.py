"""Compressed data as a stream of pieces: gzip, bzip2 and xz, each of any number of members."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import PfamnetError
from .signatures import COMPRESSED

CHUNK = 1 << 20  # the most bytes unpacked at once
_MOST_MEMORY = 1 << 30  # bytes that xz may ask for; the file says how many it needs


class Corrupt(PfamnetError):
    """The compressed data of the input are corrupt."""


class Truncated(Corrupt):
    """The input ends within compressed data."""

    def __init__(self, path: str | Path, what: str):
        super().__init__(f"{path}: truncated {what} data")
        self.what = what


def unpacked(
    chunks: Iterator[bytes], mark: bytes, path: str | Path, warn: Callable[[str], None]
) -> Iterator[bytes]:
    """Yield what compressed data contain; `mark` is the one of `COMPRESSED` with which they begin.

    What follows the last member is ignored: zeros silently, anything else with a warning, as by gzip.

    Raises:
        Corrupt: after what could be unpacked.
    """
    what, data = COMPRESSED[mark], b""
    unpacker, errors = _unpacker(what)
    while True:
        try:
            text = unpacker.decompress(data, CHUNK)
        except errors:
            raise Corrupt(f"{path}: corrupt {what} data") from None
        if text:
            yield text
        if unpacker.eof:
            data = _after_member(unpacker.unused_data, chunks, len(mark))
            if data and not data.startswith(mark):
                warn(f"warning: {path}: ignored what follows the {what} data")
            if not data.startswith(mark):
                return
            unpacker, errors = _unpacker(what)
        elif not unpacker.needs_input:
            data = b""
        elif not (data := next(chunks, b"")):
            raise Truncated(path, what)


def _after_member(data: bytes, chunks: Iterator[bytes], size: int) -> bytes:
    """What follows a member and its padding: nothing, or enough to recognise another member."""
    while len(data := data.lstrip(b"\0")) < size and (more := next(chunks, b"")):
        data += more
    return data


def _unpacker(what: str) -> tuple:
    """Unpacks one member, as the standard library's; and the exceptions that it raises."""
    if what == "gzip":
        return _Gunzip(), zlib.error
    if what == "bzip2":
        import bz2

        return bz2.BZ2Decompressor(), (OSError, ValueError)
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_MEMORY), lzma.LZMAError


class _Gunzip:
    """zlib's object with the methods of the others'."""

    def __init__(self):
        self._inner, self._rest, self.needs_input = zlib.decompressobj(wbits=31), b"", True

    def decompress(self, data: bytes, most: int) -> bytes:
        text = self._inner.decompress(self._rest + data, most)
        self._rest = self._inner.unconsumed_tail
        self.needs_input = not self._rest and len(text) < most
        return text

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data
