"""Worker processes, each with a scanner of its own: Python runs one thread of a process at a time.

A worker is forked before this process has threads, and shares what was loaded before. It ends with
its pipe, or is ended.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from ..errors import PfamnetError
from ..records import Record
from ..signals import ENDING

OWN = (signal.SIGTERM, signal.SIGXCPU)  # a signal that is meant for one worker


class Workers:
    """`count` processes as a context manager; `calls` has one function for each, to be called by one thread.

    `work` takes records and returns as many results. What it raises is raised by the function.
    """

    def __init__(self, work: Callable[[list[Record]], list], count: int):
        self.processes, self.pipes = [], []
        context = multiprocessing.get_context("fork")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until a worker is ready for them
        for _ in range(count):
            ours, theirs = context.Pipe()
            self.pipes.append(ours)
            process = context.Process(target=serve, args=(theirs, work, tuple(self.pipes)), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.calls = [Call(*pair) for pair in zip(self.processes, self.pipes)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error) -> None:
        for process in self.processes:
            process.kill()
        for process, pipe in zip(self.processes, self.pipes):
            process.join()
            pipe.close()


class Call:
    """The work as one worker does it."""

    def __init__(self, process, pipe: Connection):
        self.process, self.pipe = process, pipe

    def __call__(self, records: Sequence[Record]) -> list:
        try:
            self.pipe.send(list(records))
            results, error = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            raise PfamnetError(f"a worker process ended: {how(self.process.exitcode)}") from None
        if error is not None:
            raise error
        return results


def how(status: int | None) -> str:
    """How a process ended."""
    if status is None or status >= 0:
        return f"exit status {status}"
    return f"signal {-status} ({signal.strsignal(-status)})"


def serve(pipe: Connection, work: Callable, others: Sequence[Connection]) -> None:
    """The life of a worker. The process that it serves is told of other signals too, and decides."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL if number in OWN else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    for other in others:  # or none would see its own pipe end
        other.close()
    while True:
        try:
            records = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = work(records), None
        except Exception as error:
            answer = None, error if isinstance(error, PfamnetError | MemoryError) else failure(error)
        try:
            pipe.send(answer)
        except OSError:
            return


def failure(error: BaseException) -> Exception:
    """The error with its place, fit to be sent: an exception may hold what cannot."""
    import traceback

    return RuntimeError("".join(traceback.format_exception(error)))
