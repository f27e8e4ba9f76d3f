"""Work on a stream of records in several threads, results in the order of the input.

Each thread takes some of the records that have been read: few where few are
waiting, so that results come soon and all threads end together; many where there
are many, as some work costs less when it is done for many at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat

from ..records import Record

AHEAD = 512  # records under way for each thread
MOST = 256  # records that a thread takes at once
RESIDUES = 131_072  # and no more of them than have so many residues, but one
HELD = 16_777_216  # residues read ahead, at most, but for one record


def in_order(
    records: Iterable[Record], work: Callable[[list[Record]], list], threads: int, most: int = MOST
) -> Iterator[tuple[Record, object]]:
    """(record, its result) in the order of the records.

    `work` takes at most `most` records and gives as many results; what it gives for a
    record must not depend on the others.  Only a bounded number of records is read
    ahead, and a result is handed on as soon as it and all before it are ready,
    though the input may be slow.  What the reader or the work raises comes out after
    the results of the records before it.
    """
    flow = Flow(work, threads, most)
    threading.Thread(target=flow.read, args=(records,), daemon=True).start()
    for _ in range(threads):
        threading.Thread(target=flow.run, daemon=True).start()
    try:
        yield from flow.results()
    finally:
        flow.stop()


class Flow:
    """What the reader, the workers and the taker of the results share."""

    def __init__(self, work: Callable, threads: int, most: int):
        self.work, self.threads, self.most = work, threads, most
        self.changed = threading.Condition()
        self.waiting: deque[tuple[int, Record]] = deque()
        self.done: dict[int, tuple] = {}  # number -> (record, result, what was raised)
        self.read_so_far = self.taken = self.residues = 0
        self.ended = self.stopped = False

    def read(self, records: Iterable[Record]) -> None:
        """Read ahead, to the end."""
        failure = None
        try:
            for record in records:
                if not self.wait_for_room(record):
                    return
        except BaseException as error:  # handed to the taker of the results
            failure = error
        with self.changed:
            if failure is not None:
                self.done[self.read_so_far] = None, None, failure
                self.read_so_far += 1
            self.ended = True
            self.changed.notify_all()

    def wait_for_room(self, record: Record) -> bool:
        """Put a record where the workers find it; False where nobody wants it any more."""
        with self.changed:
            while not self.stopped and self.full(record):
                self.changed.wait()
            if self.stopped:
                return False
            self.waiting.append((self.read_so_far, record))
            self.read_so_far += 1
            self.residues += len(record.sequence)
            self.changed.notify_all()
            return True

    def full(self, record: Record) -> bool:
        under_way = self.read_so_far - self.taken
        return under_way >= AHEAD * self.threads or (
            under_way > 0 and self.residues + len(record.sequence) > HELD
        )

    def run(self) -> None:
        """What a worker does: little at first, so that the first results come soon."""
        limits = chain((4**turn for turn in range(4)), repeat(self.most))
        while chunk := self.take(next(limits)):
            done = self.results_of(chunk)
            with self.changed:
                self.done.update(done)
                self.changed.notify_all()

    def take(self, limit: int) -> list[tuple[int, Record]]:
        """Some of the waiting records, at most `limit`; none at the end."""
        with self.changed:
            while not self.waiting and not self.ended and not self.stopped:
                self.changed.wait()
            if self.stopped:
                return []
            share = min(self.most, limit, -(-len(self.waiting) // self.threads))
            chunk, residues = [], 0
            while self.waiting and len(chunk) < share:
                residues += len(self.waiting[0][1].sequence)
                if chunk and residues > RESIDUES:
                    break
                chunk.append(self.waiting.popleft())
            return chunk

    def results_of(self, chunk: list[tuple[int, Record]]) -> dict[int, tuple]:
        try:
            results = self.work([record for _, record in chunk])
            return {
                number: (record, result, None)
                for (number, record), result in zip(chunk, results, strict=True)
            }
        except BaseException as error:
            if len(chunk) == 1:
                number, record = chunk[0]
                return {number: (record, None, error)}
        # which of them it was shows when each is alone
        return {number: outcome for one in chunk for number, outcome in self.results_of([one]).items()}

    def results(self) -> Iterator[tuple[Record, object]]:
        """Records and results in order; raises what was raised, in its place."""
        while True:
            with self.changed:
                while self.taken not in self.done:
                    if self.ended and self.taken == self.read_so_far:
                        return
                    self.changed.wait()
                record, result, failure = self.done.pop(self.taken)
                self.taken += 1
                if record is not None:
                    self.residues -= len(record.sequence)
                self.changed.notify_all()
            if failure is not None:
                raise failure
            yield record, result

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
