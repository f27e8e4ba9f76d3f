"""A check of profiles before HMMER reads them.

HMMER ends or crashes the process if it does not know a binary profile's alphabet, or an ASCII
profile has none. So each head is checked first. The binary layout is HMMER 3.4's (``3/f``);
others are let through.
"""

import io
import struct
import sys
from collections.abc import Iterator

from ..errors import PfamnetError

MAGIC = 0xE8EDEDBA
_HEAD = struct.Struct("=IIii")
_LETTERS = {1: 4, 2: 4, 3: 20}  # by alphabet: RNA, DNA, proteins
_DESC, _RF, _CS, _MAP, _ACC, _CA, _COMPO, _CONS, _MM = (1 << bit for bit in (1, 2, 3, 8, 9, 13, 14, 16, 17))
_MOST = 1 << 24  # states, and bytes of a text or a head: more of them are damage
_PART = 1 << 20  # bytes passed on at once


def _binary_parts(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The bytes of binary profiles; raises PfamnetError at a head for which HMMER ends the process."""
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        magic, flags, states, alphabet = _HEAD.unpack(head)
        if magic != MAGIC:
            break
        if alphabet not in _LETTERS or not 0 < states < _MOST:
            raise PfamnetError("damaged: no alphabet or number of states that there is")
        letters = _LETTERS[alphabet]
        yield head
        # matches, insertions and transitions
        yield from _copied(stream, 4 * states * letters + 4 * (states + 1) * (letters + 7))
        yield from _texts(stream, 1 + bool(flags & _ACC) + bool(flags & _DESC))
        lines = sum(bool(flags & line) for line in (_RF, _MM, _CONS, _CS, _CA))
        yield from _copied(stream, lines * (states + 2))
        yield from _texts(stream, 1)  # command log
        yield from _copied(stream, 4 * 3)  # sequences, effective number, longest
        yield from _texts(stream, 1)  # date
        rest = 1 + 6 + 6  # checksum, statistics, cutoffs
        rest += (states + 1 if flags & _MAP else 0) + (20 if flags & _COMPO else 0)
        yield from _copied(stream, 4 * rest)
    yield head
    while data := stream.read(_PART):
        yield data


def _texts(stream: io.BufferedIOBase, count: int) -> Iterator[bytes]:
    """Texts, each with its length before it."""
    for _ in range(count):
        length = stream.read(4)
        size = int.from_bytes(length, sys.byteorder, signed=True)
        if not 0 <= size < _MOST:
            raise PfamnetError("corrupt: invalid string length")
        yield length
        yield from _copied(stream, size)


def _copied(stream: io.BufferedIOBase, size: int) -> Iterator[bytes]:
    while size > 0 and (data := stream.read(min(size, _PART))):
        size -= len(data)
        yield data


def _ascii_parts(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The bytes of ASCII profiles; raises PfamnetError at a head without length or alphabet."""
    lines, size, in_head = [], 0, True
    while line := stream.readline(_PART):
        lines.append(line)
        size += len(line)
        if in_head and line.startswith(b"HMM "):
            if not all(any(line.startswith(name) for line in lines) for name in (b"LENG ", b"ALPH ")):
                raise PfamnetError("damaged: no line LENG or ALPH in its head")
            in_head = False
        elif in_head and size > _MOST:
            raise PfamnetError("damaged: no end of its head")
        ended = not in_head and line.startswith(b"//")
        if ended or not in_head and size > _PART:
            yield b"".join(lines)
            lines, size, in_head = [], 0, ended
    rest = b"".join(lines)
    if in_head and rest.strip():
        raise PfamnetError("damaged: cut short in its head")
    yield rest


class WatchedStream(io.RawIOBase):
    """Bytes of profiles up to what HMMER must not see: there they end, and `failure` is the reason."""

    def __init__(self, stream: io.BufferedReader) -> None:
        parts = _ascii_parts if stream.peek(5).startswith(b"HMMER") else _binary_parts
        self._parts, self._ready = parts(stream), memoryview(b"")
        self.failure: PfamnetError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            while not self._ready and self.failure is None:
                self._ready = memoryview(next(self._parts))
        except StopIteration:
            return 0
        except PfamnetError as error:
            self.failure = error
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
