"""Write a file completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; without an error, that file then takes the place of `path`.

    A link stays, and the file that it leads to is replaced. What exists and is no regular file (a device, a
    named pipe) is written to itself.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with naming(path):
            yield path
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")  # a name that nobody else has
    try:
        with naming(path, partial):
            yield partial
            os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def naming(path: str | Path, partial: str | Path = "") -> Iterator[None]:
    """Let an OSError that names no file, or `partial`, name `path`."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, os.fspath(partial)):
            error.filename = os.fspath(path)
        raise
