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
        yield path
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")  # a name that nobody else has
    try:
        yield partial
        os.replace(partial, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == os.fspath(partial):
            error.filename = os.fspath(path)
        partial.unlink(missing_ok=True)
        raise
