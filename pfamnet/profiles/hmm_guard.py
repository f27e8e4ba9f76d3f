"""A check of profiles before HMMER reads them.

HMMER ends or crashes the process if it does not know a binary profile's alphabet, or an ASCII
profile has none. It allocates as many states as a head claims, and does not notice an ASCII profile
that is cut off after a line. So heads and ends are checked first. The binary layout is HMMER 3.4's
(``3/f``); others are let through.
"""

import io
import struct
import sys
from collections.abc import Iterator

from ..errors import PfamnetError

MAGIC = 0xE8EDEDBA
_HEAD = struct.Struct("=IIii")
_LETTERS = {1: 4, 2: 4, 3: 20}  # by alphabet: RNA, DNA, proteins
DESC, RF, CS, MAP, ACC, CA, COMPO, CONS, MM = (1 << bit for bit in (1, 2, 3, 8, 9, 13, 14, 16, 17))
MOST_STATES = 100_000  # 2 kB of memory each; HMMER's pipeline takes no longer sequences either
_MOST_TEXT = 1 << 24  # bytes of a text or a head: more of them are damage
_PART = 1 << 20  # bytes passed on at once, and the most of a line
CUT_OFF = "cut off"


def _binary_parts(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The bytes of binary profiles; raises PfamnetError at a head for which HMMER ends the process."""
    number = 0
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        magic, flags, states, alphabet = _HEAD.unpack(head)
        if magic != MAGIC:
            break
        number += 1
        if alphabet not in _LETTERS or states < 1:
            raise PfamnetError(f"profile {number}: corrupt: invalid alphabet or number of states")
        _check_states(number, states)
        yield head
        try:
            yield from _binary_body(stream, flags, states, _LETTERS[alphabet])
        except PfamnetError as error:
            raise PfamnetError(f"profile {number}: {error}") from None
    if number and len(head) in range(1, _HEAD.size):
        raise PfamnetError(f"profile {number + 1}: {CUT_OFF}")
    yield head
    while data := stream.read(_PART):
        yield data


def _check_states(number: int, states: int) -> None:
    if states > MOST_STATES:
        raise PfamnetError(f"profile {number}: {states} states; at most {MOST_STATES} can be searched")


def _binary_body(stream: io.BufferedIOBase, flags: int, states: int, letters: int) -> Iterator[bytes]:
    """What follows a head; raises PfamnetError if it is not all there."""
    # matches, insertions and transitions
    yield from _copied(stream, 4 * states * letters + 4 * (states + 1) * (letters + 7))
    yield from _text(stream, 2)  # its name
    for _ in range(bool(flags & ACC) + bool(flags & DESC)):
        yield from _text(stream)
    for _ in range(sum(bool(flags & line) for line in (RF, MM, CONS, CS, CA))):
        yield from _ended(_copied(stream, states + 2))
    yield from _text(stream)  # command log
    yield from _copied(stream, 4 * 3)  # sequences, effective number, longest
    yield from _text(stream)  # date
    rest = 1 + 6 + 6  # checksum, statistics, cutoffs
    rest += (states + 1 if flags & MAP else 0) + (20 if flags & COMPO else 0)
    yield from _copied(stream, 4 * rest)


def _text(stream: io.BufferedIOBase, least: int = 0) -> Iterator[bytes]:
    """A text of at least so many bytes with its NUL, its length before it."""
    (length,) = _copied(stream, 4)
    size = int.from_bytes(length, sys.byteorder, signed=True)
    if not least <= size < _MOST_TEXT:
        raise PfamnetError("corrupt: invalid string length")
    yield length
    yield from _ended(_copied(stream, size))


def _ended(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Parts of a text; raises PfamnetError if no NUL ends it, behind which HMMER would read on."""
    part = b"\0"
    for part in parts:
        yield part
    if part[-1:] != b"\0":
        raise PfamnetError("corrupt: a string without end")


def _copied(stream: io.BufferedIOBase, size: int) -> Iterator[bytes]:
    while size > 0:
        data = stream.read(part := min(size, _PART))
        if len(data) < part:
            raise PfamnetError(CUT_OFF)
        yield data
        size -= len(data)


def _ascii_parts(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The bytes of ASCII profiles; raises PfamnetError at a head that HMMER cannot bear or a missing end."""
    lines, size, in_head, number = [], 0, True, 1
    while line := stream.readline(_PART):
        lines.append(line)
        size += len(line)
        if len(line) == _PART or in_head and size > _MOST_TEXT:
            raise PfamnetError(f"profile {number}: corrupt: a line or the header does not end")
        ended = not in_head and line.lstrip().startswith(b"//")
        if in_head and line.split()[:1] == [b"HMM"]:
            _check_head(number, lines)
            in_head = False
        if ended or not in_head and size > _PART:
            yield b"".join(lines)
            lines, size, in_head, number = [], 0, ended, number + ended
    yield b"".join(lines)
    if not in_head or any(map(bytes.strip, lines)):
        raise PfamnetError(f"profile {number}: {CUT_OFF}")


def _check_head(number: int, lines: list[bytes]) -> None:
    fields = {words[0]: words[1] for words in map(bytes.split, lines) if len(words) > 1}
    if not {b"LENG", b"ALPH"} <= fields.keys():
        raise PfamnetError(f"profile {number}: corrupt: no LENG or ALPH line in the header")
    if not fields[b"LENG"].isdigit():  # HMMER would take "-1"
        raise PfamnetError(f"profile {number}: corrupt: invalid number of states")
    _check_states(number, int(fields[b"LENG"][:20]))


def _parts(stream: io.BufferedReader) -> Iterator[bytes]:
    """The bytes of profiles of either format; raises PfamnetError at what HMMER must not see."""
    return _ascii_parts(stream) if stream.peek(5).startswith(b"HMMER") else _binary_parts(stream)


def checked(data: bytes) -> bytes:
    """The bytes of profiles; raises PfamnetError if HMMER must not see them."""
    return b"".join(_parts(io.BufferedReader(io.BytesIO(data))))


class WatchedStream(io.RawIOBase):
    """Bytes of profiles up to what HMMER must not see: there they end, and `failure` is the reason."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._parts, self._ready = _parts(stream), memoryview(b"")
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
