"""How far the outputs of a scan are, so that one that was stopped can go on.

The journal lies beside the main output. It names the scan, counts the queries that are complete in every
output, and holds the sizes that the outputs had then, with a checksum of what they ended in. What was
written later is cut off.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import PfamnetError, reason
from ..io.replacing import replacing
from .writer import Writer

ENDING = ".resume"  # after the name of the main output
EVERY = 10.0  # seconds between two entries


class Journal:
    """The journal of a scan whose main output is `out`; `identity` tells it from other scans.

    `queries` is the number of queries that are complete.

    Raises:
        PfamnetError: the journal is another scan's.
    """

    def __init__(self, out: str, identity: Sequence[str]):
        self.path, self.identity = Path(f"{out}{ENDING}"), list(identity)
        self.queries, self.sizes, self.at = 0, [], time.monotonic()
        self.writers, self.complete = (), True
        try:
            found = json.loads(self.path.read_bytes())
            same, self.queries = found["scan"] == self.identity, int(found["queries"])
            self.sizes = [(int(size), int(checksum)) for size, checksum in found["sizes"]]
        except FileNotFoundError:
            return
        except OSError as error:
            raise PfamnetError(f"{self.path}: {reason(error)}") from None
        except (ValueError, KeyError, TypeError):
            raise PfamnetError(f"{self.path}: is not the journal of a scan; remove it") from None
        if not same:
            other = "is of a scan with other options or files; remove it to begin again"
            raise PfamnetError(f"{self.path}: {other}")

    @contextmanager
    def kept(self, writers: Sequence[Writer]) -> Iterator[None]:
        """Cut the outputs to what they had at the last entry; make entries until the scan ends or fails."""
        if self.queries:
            for writer, at in zip(writers, self.sizes, strict=True):
                writer.go_on(self.queries, *at)
        self.writers = writers
        try:
            yield
        except BaseException:
            if self.complete:  # no output has rows of a query that another one lacks
                with suppress(OSError):
                    self.save()
            raise

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count a query when it is written to all outputs."""
        self.complete = False
        yield
        self.queries, self.complete = self.queries + 1, True
        if time.monotonic() - self.at >= EVERY:
            self.save()

    def save(self) -> None:
        """Make an entry: what it counts is on disk before."""
        sizes = [writer.saved() for writer in self.writers]
        with replacing(self.path) as partial:
            partial.write_text(json.dumps({"scan": self.identity, "queries": self.queries, "sizes": sizes}))
        self.at = time.monotonic()

    def remove(self) -> None:
        """The scan is complete."""
        self.path.unlink(missing_ok=True)


def forget(out: str) -> None:
    """Remove the journal of an output that is written from the start: it would no longer be true.

    A file of that name that is no journal stays.
    """
    path = Path(f"{out}{ENDING}")
    with suppress(OSError, ValueError):
        found = json.loads(path.read_bytes()) if path.is_file() else None
        if isinstance(found, dict) and found.keys() == {"scan", "queries", "sizes"}:
            path.unlink()
