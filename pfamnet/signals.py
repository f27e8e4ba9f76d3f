"""How a run ends on SIGINT and SIGTERM. Imports next to nothing: it comes first of all."""

import contextlib
import os
import signal
import threading


class Terminated(BaseException):
    """SIGTERM, made an exception so that tables under way are closed as incomplete."""


def stop_at_once() -> None:
    """Let SIGINT and SIGTERM end the process on the spot, without a word.

    For the time in which libraries are loaded: they swallow exceptions.
    """
    set_handlers(lambda number, _: os._exit(128 + number))


@contextlib.contextmanager
def stopping_in_order():
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt or `Terminated`,
    so that tables under way are closed as incomplete, and a second one end the process."""

    def stop(number, _):
        stop_at_once()
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    before = set_handlers(stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_handlers(handler) -> dict:
    """Handle both signals, but for those that are ignored; returns the handlers before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [
        number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN
    ]
    return {number: signal.signal(number, handler) for number in numbers}
