"""Which outputs would destroy a file of the user's: this is known before any file is opened."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import zlib
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import IO

from ..errors import PfamnetError
from ..io.signatures import ALIGNMENTS, COMPRESSED, GZIP, OTHER_COMPRESSED, PRESSED, PROFILES, SEQUENCES

PRESSED_ENDINGS = (".h3m", ".h3f", ".h3i", ".h3p")  # what hmmpress makes of an HMM database
MODEL = "model.json"  # names the files of a model directory
MOST_BYTES = 1 << 26  # of a model.json
# what people keep, and no output of a scan is
SIGNS = {
    **dict.fromkeys(SEQUENCES, "sequences"),
    **dict.fromkeys(ALIGNMENTS, "an alignment"),
    **dict.fromkeys((*PROFILES, *PRESSED), "profile HMMs"),
    **dict.fromkeys((*COMPRESSED, *OTHER_COMPRESSED), "compressed data"),
}


def check_outputs(outputs: Iterable[str | None], inputs: Iterable[str]) -> None:
    """Raise PfamnetError if an output is an input or another output, or holds what is no output.

    Files are compared by path and, whatever links lead to them, by identity. What exists and is no
    regular file (`/dev/null`, a named pipe) may be given any number of times.

    Arguments:
        outputs: paths; None and ``-`` are stdout.
        inputs: files, model directories, or HMM databases without their ending; ``-`` is stdin.
    """
    read = {place for path in inputs for file in files_of(path) for place in places(file)}
    written: set[Hashable] = set()
    for path in outputs:
        is_stdout = path in (None, "-")
        file, name = (sys.stdout, "stdout") if is_stdout else (path, path)
        here = {*places(file), *(["-"] if is_stdout else [])}
        if here & read:
            raise PfamnetError(f"{name}: is an input, which would be overwritten")
        if here & written:
            raise PfamnetError(f"{name}: given twice, and one would overwrite the other")
        if here and not is_stdout and (found := content(path)):
            raise PfamnetError(f"{name}: holds {found}, is not overwritten; is an argument missing?")
        written |= here


def files_of(path: str) -> Iterator[str | IO]:
    """The files that the path of an input stands for."""
    if path == "-":
        yield sys.stdin
    elif names := parts(path):
        yield from (os.path.join(path, name) for name in names)
    else:
        yield from (f"{path}{ending}" for ending in ("", *PRESSED_ENDINGS))


def places(file: str | IO | None) -> Iterator[Hashable]:
    """What two names of one file have in common; nothing if it exists and is no regular file."""
    try:
        status = os.stat(file) if isinstance(file, str) else os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return
        yield status.st_dev, status.st_ino
    except (OSError, ValueError, AttributeError):  # no such file; a stream that is closed or in memory
        pass
    if isinstance(file, str):
        with contextlib.suppress(OSError):  # the working directory was removed
            yield os.path.realpath(file)


def content(path: str) -> str | None:
    """In words, what a file holds that no output of a scan can be; None if it may be an old output."""
    try:
        with open(path, "rb") as file:
            begin = file.read(1 << 16)
        if str(path).endswith(".gz") and begin.startswith(GZIP):  # an old output, or sequences
            begin = zlib.decompressobj(wbits=31).decompress(begin, 64)
        begin = begin[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    except zlib.error:
        return "compressed data"
    except OSError:
        return None  # it does not exist, or opening it for output will show what is wrong
    for folder in Path(path).absolute().parents:
        if any(
            os.path.exists(folder / name) and os.path.samefile(folder / name, path) for name in parts(folder)
        ):
            return "a part of a model"
    if b"\n#=GF AU pfamnet-scan " in begin:  # of an earlier scan
        return None
    return next((what for sign, what in SIGNS.items() if begin.startswith(sign)), None)


def parts(folder: str | Path) -> list[str]:
    """The names of the files of which the model in a directory consists; none if there is no model."""
    path = Path(folder, MODEL)
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return []
        return [MODEL, *filter(str.isprintable, json.loads(path.read_bytes())["files"])]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
