"""A watch over profiles while HMMER reads them.

HMMER ends or crashes the whole process where a binary profile has an alphabet
that it does not know, or an ASCII one no alphabet at all. So each profile's
head is looked at before HMMER sees it. The binary layout is that of HMMER 3.4's
own files (``3/f``); others are let through.
"""

import io
import struct

from ..errors import PfamnetError

MAGIC = 0xE8EDEDBA
_HEAD = struct.Struct("=IIii")
_LETTERS = {1: 4, 2: 4, 3: 20}  # by alphabet: RNA, DNA, proteins
_DESC, _RF, _CS, _MAP, _ACC, _CA, _COMPO, _CONS, _MM = (1 << bit for bit in (1, 2, 3, 8, 9, 13, 14, 16, 17))
_BODY, _END, _NEEDED = b"\nHMM ", b"\n//", (b"\nLENG ", b"\nALPH ")  # of ASCII profiles
_MOST = 1 << 24  # states, and bytes of a text: more of them are damage


def walk():
    """A generator that yields how many bytes it wants, and is sent them.

    It wants ("read", n) or ("skip", n). Raises PfamnetError at the head of a
    profile that HMMER would end the process for; returns where the bytes are
    not in the layout that it knows.
    """
    while True:
        magic, flags, states, alphabet = _HEAD.unpack((yield "read", _HEAD.size))
        if magic != MAGIC:
            return
        if alphabet not in _LETTERS or not 0 < states < _MOST:
            raise PfamnetError("damaged: no alphabet or number of states that there is")
        letters = _LETTERS[alphabet]
        yield "skip", 4 * states * letters  # matches
        yield "skip", 4 * (states + 1) * (letters + 7)  # insertions, transitions
        yield from _texts(1 + bool(flags & _ACC) + bool(flags & _DESC))
        lines = sum(bool(flags & line) for line in (_RF, _MM, _CONS, _CS, _CA))
        yield "skip", lines * (states + 2)
        yield from _texts(1)  # command log
        yield "skip", 4 * 3  # sequences, effective number, longest
        yield from _texts(1)  # date
        yield "skip", 4 * (states + 1) if flags & _MAP else 0
        yield "skip", 4 * (1 + 6 + 6)  # checksum, statistics, cutoffs
        yield "skip", 4 * 20 if flags & _COMPO else 0


def _texts(count):
    for _ in range(count):
        (size,) = struct.unpack("=i", (yield "read", 4))
        if not 0 <= size < _MOST:
            raise PfamnetError("damaged: a text of a length that cannot be")
        yield "skip", size


class BinaryWatch:
    """Binary profiles: passes their bytes on, up to a head that must not."""

    def __init__(self):
        self._walk, self._held = walk(), b""
        self._step = next(self._walk)
        self.failure = None

    def passed(self, data: bytes) -> bytes:
        """What of the next bytes may pass; not all of them where `failure` is set.
        Without bytes the text has ended."""
        place = 0
        while self._step is not None and place < len(data) or self._step == ("skip", 0):
            kind, size = self._step
            taken = min(size - len(self._held), len(data) - place)
            if kind == "read":
                self._held += data[place : place + taken]
                done = len(self._held) == size
            else:
                self._step, done = (kind, size - taken), size == taken
            place += taken
            if done:
                self._next()
            if self.failure is not None:
                return data[: place - taken]
        return data

    def _next(self):
        held, self._held = self._held, b""
        try:
            self._step = self._walk.send(held)
        except StopIteration:
            self._step = None
        except PfamnetError as error:
            self.failure = error


class TextWatch:
    """ASCII profiles: passes their bytes on, each head only when it is there as a
    whole and has a length and an alphabet."""

    def __init__(self):
        self._head, self._kept, self.failure = True, b"", None

    def passed(self, data: bytes) -> bytes:
        """As `BinaryWatch.passed`; a head that has not ended yet is kept back."""
        text, place, out = self._kept + data, 0, []
        while True:
            mark = _BODY if self._head else _END
            end = text.find(mark, place)
            if end < 0:
                break
            end += len(mark)
            if self._head and not all(line in text[place:end] for line in _NEEDED):
                self._fail("no line LENG or ALPH in its head")
                return b"".join(out)
            out.append(text[place:end])
            place, self._head = end, not self._head
        rest = text[place:]
        keep = len(rest) if self._head else min(len(rest), len(_END) - 1)
        if not data and self._head and rest.strip():
            self._fail("cut short in its head")
        elif not data:
            keep = 0
        elif keep > _MOST:
            self._fail("no end of its head")
        out.append(rest[: len(rest) - keep])
        self._kept = rest[len(rest) - keep :]
        return b"".join(out)

    def _fail(self, why):
        self.failure = PfamnetError(f"damaged: {why}")


class WatchedStream(io.RawIOBase):
    """Bytes of profiles as they are, up to what HMMER must not see.

    There they end, and `failure` is the PfamnetError.

    Arguments:
        stream: a binary stream with `peek`.
    """

    def __init__(self, stream):
        self._stream = stream
        self._ready, self._ended = b"", False
        beginning = stream.peek(5)
        self._watch = BinaryWatch()  # lets pass what it does not know
        if beginning.startswith(b"HMMER"):
            self._watch = TextWatch()

    @property
    def failure(self) -> PfamnetError | None:
        """Why the bytes end early, if they do."""
        return self._watch.failure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready and self.failure is None and not self._ended:
            data = self._stream.read(len(buffer))
            self._ended = not data
            self._ready = self._watch.passed(data)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
