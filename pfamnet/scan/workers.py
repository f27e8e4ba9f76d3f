"""Work on a stream of records in several threads, with results in the order of the input.

A thread takes few records if few are waiting, so that results come soon and all threads end
together. If many are waiting it takes many: some work costs less for many records at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import chain, repeat

from ..records import Record

AHEAD = 1_024  # records under way for each thread
MOST = 512  # records that a thread takes at once
RESIDUES = 262_144  # and no more of them than have this many residues, but at least one
HELD = 16_777_216  # residues under way, unless one record has more


def in_order(
    records: Iterable[Record],
    work: Callable[[list[Record]], list] | Sequence[Callable[[list[Record]], list]],
    threads: int,
    most: int = MOST,
) -> Iterator[tuple[Record, object]]:
    """(record, its result) in the order of the records.

    `work` takes at most `most` records and returns as many results; each thread may have its own.
    The result of a record must not depend on the others. A bounded number of records is read ahead.
    A result is handed on as soon as it and all before it are ready, even if the input is slow. An
    exception of the reader or of the work is raised after the results of the records before it.
    """
    works = [work] * threads if callable(work) else work
    flow = Flow(len(works), most)
    for target, arguments in [(flow.read, (records,)), *[(flow.run, (one,)) for one in works]]:
        threading.Thread(target=target, args=arguments, daemon=True).start()
    try:
        yield from flow.results()
    finally:
        flow.stop()


class Flow:
    """What the reader, the workers and the taker of the results share."""

    def __init__(self, threads: int, most: int):
        self.threads, self.most = threads, most
        self.changed = threading.Condition()
        self.order: deque[tuple[Record | None, Future]] = deque()  # read, and not yet handed on
        self.waiting: deque[tuple[Record, Future]] = deque()  # of these, what no worker has taken
        self.residues, self.ended = 0, False

    def read(self, records: Iterable[Record]) -> None:
        """Read to the end, as far ahead as permitted."""
        try:
            for record in records:
                with self.changed:
                    self.changed.wait_for(lambda record=record: self.ended or self.has_room(record))
                    if self.ended:
                        return
                    self.residues += len(record.sequence)
                    self.order.append((record, Future()))
                    self.waiting.append(self.order[-1])
                    self.changed.notify_all()
        except BaseException as error:  # is raised in its place
            failed = Future()
            failed.set_exception(error)
            self.order.append((None, failed))
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def has_room(self, record: Record) -> bool:
        fits = self.residues + len(record.sequence) <= HELD
        return not self.order or (len(self.order) < AHEAD * self.threads and fits)

    def run(self, work: Callable) -> None:
        """Work on chunks of records, small ones first, so that the first results come soon."""
        limits = chain((1, 8, 64), repeat(self.most))
        while chunk := self.take(next(limits)):
            self.finish(work, chunk)

    def take(self, limit: int) -> list[tuple[Record, Future]]:
        """Some of the waiting records, at most `limit`; none at the end."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.ended)
            share = min(self.most, limit, -(-len(self.waiting) // self.threads))
            chunk, residues = [], 0
            while self.waiting and len(chunk) < share:
                residues += len(self.waiting[0][0].sequence)
                if chunk and residues > RESIDUES:
                    break
                chunk.append(self.waiting.popleft())
            return chunk

    def finish(self, work: Callable, chunk: list[tuple[Record, Future]]) -> None:
        """Work on some records. If that fails, each alone shows which of them was the cause."""
        try:
            results = list(zip(chunk, work([record for record, _ in chunk]), strict=True))
        except BaseException as error:
            if len(chunk) == 1:
                return chunk[0][1].set_exception(error)
            for one in chunk:
                self.finish(work, [one])
        else:
            for (_, future), result in results:
                future.set_result(result)

    def results(self) -> Iterator[tuple[Record, object]]:
        """Records and results in order; raises exceptions in their place."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.order or self.ended)
                if not self.order:
                    return
                record, future = self.order[0]
            result = future.result()
            with self.changed:
                self.order.popleft()
                self.residues -= len(record.sequence)
                self.changed.notify_all()
            yield record, result

    def stop(self) -> None:
        with self.changed:
            self.ended = True
            self.waiting.clear()
            self.changed.notify_all()
