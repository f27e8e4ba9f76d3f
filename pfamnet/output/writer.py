"""A table under way, and what becomes of it if a run fails.

An incomplete table never looks complete: it lacks its trailer or, if its format has none, ends in
a line that says so, even if the disk was full.
"""

import gzip
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..errors import PfamnetError, reason
from ..hits import Hit
from ..records import Record

_LONGEST_ROW = 1 << 16
_COMPARED = 1 << 16  # bytes before the place where a scan goes on


def as_bytes(text: str) -> bytes:
    """The bytes that a text came from: UTF-8, others kept."""
    return text.encode("utf-8", "surrogateescape")


def description_of(hit: Hit) -> str:
    """The family's description; hmmscan's formats have no other place for the source."""
    return ("[network] " if hit.source == "network" else "") + hit.target_description


class Writer:
    """A table under way: `write` once per query, then `close`.

    `out` is a file name (compressed if it ends in .gz), ``-`` for stdout, or a binary stream, which is
    left open; `head` precedes the rows of the first query. A file keeps its old content until then. A
    query's rows go out in one piece. After a failed write nothing more is written. As a context manager
    it is closed, or abandoned if the block raised.

    Raises:
        PfamnetError: the file cannot be opened.
        OSError: as soon as something cannot be written.
    """

    def __init__(self, out: str | BinaryIO, head: bytes = b"") -> None:
        self._head, self._broken, self._cut, self._queries = head, False, False, 0
        self._kept = 0  # bytes on disk from which a stopped scan can go on
        self._whole_at = None  # where the end of the table begins, once it is written
        self._old = False  # whether the file still has the content of an earlier run
        self._path = None if out == "-" or hasattr(out, "write") else out
        self._packed = self._path is not None and self._path.endswith(".gz")
        if self._path is None:
            self._out = sys.stdout.buffer if out == "-" else out
            return
        try:
            # `finish` or `abandon` closes it
            self._out = open(out, "wb", opener=_without_emptying)  # noqa: SIM115
            status = os.fstat(self._out.fileno())
            self._old = stat.S_ISREG(status.st_mode) and status.st_size > 0
            if self._packed:
                from .gzip_stream import GzipStream

                self._out = GzipStream(self._out)
        except OSError as error:
            raise PfamnetError(f"{out}: cannot write: {reason(error)}") from None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind, *_: object) -> None:
        (self.abandon if kind else self.close)()

    def write(self, record: Record, hits: Sequence[Hit]) -> None:
        """Write the rows of one query; hits in the order that they shall have."""
        self._queries += 1
        self._empty()
        self._put(self._rows(record, hits))

    def flush(self) -> None:
        """Hand everything written so far to the system."""
        self._guarded(self._out.flush)

    def close(self) -> None:
        """Write what ends the table, and close the file if it was opened here."""
        self.end()
        self.finish()

    def end(self) -> None:
        """Write what ends the table; `abandon` can still take it back."""
        self._empty()
        if self._packed:  # the end is a member of its own
            self._guarded(self._out.end_member)
        if self._path is not None and self._out.seekable():
            self._whole_at = self._out.tell()
        self._put(self._end())
        self.flush()

    def finish(self) -> None:
        """Close the file if it was opened here."""
        if self._path is not None:
            self._guarded(self._out.close)

    def saved(self) -> tuple[int, int]:
        """Hand everything to the disk, and return the size of the file and the checksum of its last part."""
        status = os.fstat(self._out.raw.fileno())
        if self._queries == 0 or self._old or not stat.S_ISREG(status.st_mode):
            return 0, 0
        self.flush()
        self._guarded(lambda: os.fsync(self._out.raw.fileno()))
        size = self._kept = self._out.tell()
        return size, _checksum(self._path, size)

    def go_on(self, queries: int, size: int, checksum: int) -> None:
        """Go on after so many queries, where `saved` returned this size and checksum.

        Raises PfamnetError if the file is shorter, or holds something else there.
        """
        self._queries = queries
        if not size:
            return
        shorter = os.fstat(self._out.raw.fileno()).st_size < size
        if shorter or _checksum(self._path, size) != checksum:
            raise PfamnetError(f"{self._path}: has changed since the scan was stopped")
        os.ftruncate(self._out.raw.fileno(), size)
        self._out.seek(size)
        self._head, self._old, self._kept = b"", False, size

    def kept_lines(self) -> Iterator[bytes]:
        """The lines of the file that it goes on with, their ends too."""
        with (gzip.open if self._packed else open)(self._path, "rb") as file:
            yield from file

    def abandon(self, reason: str = "") -> None:
        """Close the file as incomplete, for this reason; what `end` wrote is taken back if possible."""
        broken, self._broken = self._broken, True
        if self._old:  # nothing was written, and nothing shall be
            return _quietly(self._out.raw.close)
        # if its head is still to come, an empty table looks like none
        mark = b"" if self._head else self._mark(" ".join(reason.split()))
        if self._path is None:
            if not broken and mark:
                _quietly(self._out.write, b"\n" * self._cut + mark)
                _quietly(self._out.flush)
            return
        if broken:  # what is still in the buffer shall not go out later
            self._out.raw.close()
        else:
            _quietly(self._out.close)
        if not self._packed:
            _quietly(_mark_file, self._path, self._whole_at, mark, self._kept)
        elif not broken:  # a file that breaks off within a member shows that itself
            _quietly(self._out.mark, self._path, self._whole_at, mark)

    def _put(self, data):
        """Write, the first time after the head."""
        data, self._head = self._head + data, b""
        if data:
            self._empty()
            self._guarded(self._out.write, data)

    def _empty(self):
        """Remove the content of an earlier run."""
        if self._old:
            self._guarded(self._out.truncate)
            self._old = False

    def _guarded(self, action, *args):
        if self._broken:
            raise OSError("an earlier write to this table failed")
        self._broken = True
        try:
            action(*args)
        except OSError as error:
            error.filename = error.filename or self._place()
            raise
        except BaseException:  # a signal: of an interrupted write, any part may be out
            self._cut, self._broken = bool(args), bool(args) and self._path is not None
            raise
        self._broken = False

    def _place(self):
        """The table's file or stream, for a message."""
        return self._path or ("stdout" if self._out is getattr(sys.stdout, "buffer", None) else "stream")

    def _rows(self, record, hits):
        raise NotImplementedError

    def _end(self):
        return b""

    def _mark(self, reason):
        """What stands at the end of a table that is incomplete."""
        return b"# incomplete: " + as_bytes(reason) + b"\n"


def _checksum(path, size):
    """The CRC-32 of the last part of a file's first `size` bytes; 0 if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, size - _COMPARED))
            return zlib.crc32(file.read(min(size, _COMPARED)))
    except OSError:
        return 0


def _without_emptying(path, flags):
    return os.open(path, flags & ~os.O_TRUNC, 0o666)


def _quietly(action, *args):
    try:
        action(*args)
    except (OSError, ValueError):
        pass


def _mark_file(path, whole_at, mark, kept):
    """Cut the end off a file and add a mark, over its last rows if a full disk has no room for more.

    The first `kept` bytes stay: a journal beside the file tells that they are not all.
    """
    with open(path, "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return
        if whole_at is not None and whole_at < file.seek(0, 2):
            file.truncate(whole_at)
        if not mark:
            return
        end = _last_line_end(file, file.seek(0, 2))
        file.truncate(end)
        try:
            file.seek(end)
            if file.write(mark) == len(mark):
                return
        except OSError:
            pass
        end = _last_line_end(file, max(0, end - len(mark)))
        if end < kept:
            return
        file.seek(end)
        file.write(mark)
        file.truncate(end + len(mark))


def _last_line_end(file, before):
    """The end of the last whole line that ends at ``before`` or earlier."""
    start = max(0, before - _LONGEST_ROW)
    file.seek(start)
    return start + file.read(before - start).rfind(b"\n") + 1
