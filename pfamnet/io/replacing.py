"""Write a file completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; without an error, that file then takes the place of `path`."""
    partial = Path(f"{path}.partial")
    yield partial
    os.replace(partial, path)
