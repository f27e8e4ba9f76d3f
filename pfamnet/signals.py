"""How a run ends on a signal. The programs import this module before anything large."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

# what ends a program: from a terminal, a system or a batch system
ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
ENDING += (signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)


class Terminated(BaseException):
    """A signal but SIGINT as an exception, so that unfinished tables are closed as incomplete."""

    def __init__(self, number: int = signal.SIGTERM):
        super().__init__(number)
        self.number = number


def stop_at_once() -> None:
    """Let a signal end the process silently, while libraries load that swallow exceptions."""
    set_handlers(lambda number, _: os._exit(128 + number))


@contextlib.contextmanager
def stopping_in_order() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt or `Terminated`, the second end the process."""

    def stop(number, _):
        stop_at_once()
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    before = set_handlers(stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_handlers(handler: Callable) -> dict:
    """Set the handler of all signals that are not ignored, and return the handlers before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    usual = [n for n in ENDING if signal.getsignal(n) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in usual}
