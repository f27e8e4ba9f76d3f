"""`pfamnet-scan --save-hmm`: the profiles of a model as a file of HMMER's."""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
from collections.abc import Callable, Iterator
from typing import IO

from ..errors import PfamnetError
from ..io.replacing import naming, replacing
from ..signals import stopping_in_order


def save_profiles(model_path: str | None, out: str, warn: Callable[[str], None]) -> None:
    """Write the profiles of a model to a file of HMMER's: ASCII, or binary if it is named `.h3m`."""
    from ..api import Model

    profiles = Model(model_path, warn).profiles
    with stopping_in_order(), profile_file(out) as file:
        for index in range(len(profiles)):
            text = io.BytesIO()  # pyhmmer would hide why a file cannot be written
            profiles.hmm(index).write(text, binary=out.removesuffix(".gz").endswith(".h3m"))
            file.write(text.getbuffer())


@contextlib.contextmanager
def profile_file(out: str) -> Iterator[IO[bytes]]:
    """A file that is written completely or not at all, compressed if it is named `.gz`; `-` is stdout."""
    if out == "-":
        if sys.stdout is None:
            raise PfamnetError("stdout is closed: the profiles need a file")
        with naming("stdout"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(stack.enter_context(replacing(out)), "wb"))
        if out.endswith(".gz"):
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        yield file
