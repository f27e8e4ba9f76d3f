"""Sequence formats that Easel reads, in a process of its own.

Easel ends or crashes its process on some damaged files (A2M and SELEX most of all). Here that is one
line for the user. The process runs `easel_reader.py`, which reads the file from stdin.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import PfamnetError
from ..records import Record, shown

_READER = Path(__file__).with_name("easel_reader.py")


def easel_records(chunks: Iterator[bytes], path: str | Path, format: str) -> Iterator[Record]:
    """Yield the records of a text in one of Easel's formats.

    Raises:
        PfamnetError: the text is not of the format, or cannot be read further; after the records before.
    """
    number = 0
    with _Child(chunks, format) as child:
        for line in child.lines:
            message = json.loads(line)
            if not isinstance(message, list):
                break
            number += 1
            name, accession, description, sequence = message
            yield Record(name, description, sequence.upper(), number, accession)
        else:
            message = "Easel, which reads it, crashed"
    if child.failure is not None:
        raise child.failure
    if message is not None:  # it may quote the file
        text = shown(" ".join(message.split()).removeprefix("Could not parse file: ").rstrip("."), 120)
        raise PfamnetError(f"{path}: record {number + 1}: not {format}: {text}")


class _Child:
    """The process, fed by a thread; `lines` are what it writes, `failure` is why the text ended early."""

    def __init__(self, chunks: Iterator[bytes], format: str):
        self.failure: BaseException | None = None
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        # in a session of its own: an interrupt from the terminal is for the scan, which ends the process
        command = [sys.executable, "-P", str(_READER), format]
        self._process = subprocess.Popen(command, start_new_session=True, **pipes)
        self.lines = self._process.stdout
        self._feeder = threading.Thread(target=self._feed, args=(chunks,), daemon=True)
        self._feeder.start()

    def _feed(self, chunks: Iterator[bytes]) -> None:
        try:
            for chunk in chunks:
                self._process.stdin.write(chunk)
                self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # it reads no more
            pass
        except BaseException as error:
            self.failure = error
        finally:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *error) -> None:
        self._process.kill()
        self._process.wait()
        self.lines.close()
