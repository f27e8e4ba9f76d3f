"""How a run ends on SIGINT and SIGTERM. The programs import this module before anything large."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


class Terminated(BaseException):
    """SIGTERM as an exception, so that unfinished tables are closed as incomplete."""


def stop_at_once() -> None:
    """Let SIGINT and SIGTERM end the process silently, while libraries load that swallow exceptions."""
    set_handlers(lambda number, _: os._exit(128 + number))


@contextlib.contextmanager
def stopping_in_order() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt or `Terminated`, the second end the process."""

    def stop(number, _):
        stop_at_once()
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    before = set_handlers(stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_handlers(handler: Callable) -> dict:
    """Set the handler of both signals unless they are ignored, and return the handlers before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    usual = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in usual}
