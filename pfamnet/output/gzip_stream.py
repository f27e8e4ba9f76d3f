"""A compressed table: gzip members one after the other, which every reader of gzip takes as one text."""

from __future__ import annotations

import zlib
from typing import BinaryIO

LEVEL = 6


class GzipStream:
    """Compresses into a buffered file; equal texts make equal files, for no time is in them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._member, self._nothing = file, None, True
        self.raw = file.raw

    def write(self, data: bytes) -> None:
        if self._member is None:
            self._member, self._nothing = zlib.compressobj(LEVEL, wbits=31), False
        self._file.write(self._member.compress(data))

    def end_member(self) -> None:
        """End the member that is under way; what is written next begins another one."""
        if self._member is not None:
            self._file.write(self._member.flush())
            self._member = None
        self._file.flush()

    flush = end_member

    def close(self) -> None:
        """End the file: without a text it has one member of none."""
        if self._nothing:
            self.write(b"")
        self.end_member()
        self._file.close()

    def truncate(self) -> None:
        self._file.truncate()

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, place: int) -> None:
        self._file.seek(place)
        self._nothing = False

    def tell(self) -> int:
        """The size of what was written to the file."""
        return self._file.tell()

    @staticmethod
    def mark(path: str, whole_at: int | None, mark: bytes) -> None:
        """Cut a closed file off at `whole_at`, and add a mark as a member."""
        with open(path, "r+b", buffering=0) as file:
            if whole_at is not None and whole_at < file.seek(0, 2):
                file.truncate(whole_at)
            file.seek(0, 2)
            if mark:
                packer = zlib.compressobj(LEVEL, wbits=31)
                file.write(packer.compress(mark) + packer.flush())
