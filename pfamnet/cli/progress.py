"""A line on a terminal's stderr that says how far a scan is."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable

from ..io.signatures import COMPRESSED

EVERY = 0.5  # seconds
LINE = 61 / 60  # bytes for each residue of FASTA with lines of 60


class Progress:
    """Counts what is scanned; `size` is that of the sequence files in bytes, or None."""

    def __init__(self, size: int | None, stream=None):
        self.size, self.stream = size, stream or sys.stderr
        self.begun = self.drawn = time.monotonic()
        self.sequences = self.residues = self.bytes = self.width = 0

    def add(self, name: str, description: str, residues: int) -> None:
        """Count a sequence, and draw the line if it is time for it."""
        self.sequences, self.residues = self.sequences + 1, self.residues + residues
        self.bytes += len(name) + len(description) + 3 + int(residues * LINE)
        now = time.monotonic()
        if now - self.drawn >= EVERY:
            self.drawn = now
            self.draw(self.line(now - self.begun))

    def line(self, seconds: float) -> str:
        """What the line says."""
        parts = [f"{self.sequences:,} sequences", f"{self.residues / seconds:,.0f} residues/s"]
        if self.size and self.bytes < self.size:
            done = self.bytes / self.size
            parts += [f"{done:.0%}", f"{clock(seconds / done - seconds)} left"]
        return ", ".join([*parts[:2], clock(seconds), *parts[2:]])

    def draw(self, text: str) -> None:
        """Replace the line."""
        try:
            self.stream.write("\r" + text.ljust(self.width) + ("" if text else "\r"))
            self.stream.flush()
        except OSError:
            return
        self.width = len(text)

    def clear(self) -> None:
        if self.width:
            self.draw("")


def clock(seconds: float) -> str:
    """Minutes and seconds, as in 1:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def plain_size(paths: Iterable[str]) -> int | None:
    """The bytes of sequence files; None if one is compressed, or a stream."""
    total = 0
    for path in paths:
        try:
            status = os.stat(path)
            if path == "-" or not stat.S_ISREG(status.st_mode):
                return None
            with open(path, "rb") as file:
                if file.read(6).startswith(tuple(COMPRESSED)):
                    return None
        except OSError:
            return None
        total += status.st_size
    return total


def wanted(quiet: bool, main_on_stdout: bool) -> bool:
    """Whether stderr is a terminal on which the line disturbs no table."""
    try:
        return not quiet and sys.stderr.isatty() and not (main_on_stdout and sys.stdout.isatty())
    except (AttributeError, ValueError):  # a closed stream
        return False
