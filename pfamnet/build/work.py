"""How a build works: a directory that keeps each finished step, and threads."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from tqdm import tqdm

from ..errors import PfamnetError, reason
from ..io.replacing import replacing
from .options import BuildOptions

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INPUT_FILES = ("domains", "families", "hmm", "proteins")  # of the options, besides the train sets
OPTIONS, INPUTS, LOCK = "options.json", "inputs.json", "lock"


def save_json(value, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1))


def load_json(path: Path):
    return json.loads(path.read_text())


def read(load: Callable, path: Path):
    """What `load` makes of a file of the work directory; PfamnetError if it is corrupt."""
    try:
        return load(path)
    except (ValueError, KeyError, TypeError, EOFError, SafetensorError):
        raise PfamnetError(f"{path} is corrupt; delete it") from None


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Let what the system refuses in a build be a PfamnetError that names a file or the folder.

    A library may have an exception of its own for that, in which the reason is text.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:  # nobody reads stderr
            raise
        raise PfamnetError(f"{error.filename or folder}: {reason(error)}") from error
    except (SafetensorError, RuntimeError) as error:
        told = next((text for text in map(os.strerror, FULL) if text in str(error)), None)
        if told is None and not isinstance(error, SafetensorError):
            raise
        why = (told or " ".join(str(error).split())[:200]).lower()
        raise PfamnetError(f"{folder}: {why}") from error


def check_files(options: BuildOptions) -> None:
    """Raise PfamnetError for an input that cannot be read twice, as a build does."""
    for path in filter(None, (*options.trainsets, *(getattr(options, name) for name in INPUT_FILES))):
        with contextlib.suppress(OSError):  # what is not there is told when it is read
            mode = os.stat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise PfamnetError(f"{path}: a pipe, which cannot be read twice; write it to a file")


class Work:
    """The work directory of a build, which a resumed build takes up again.

    `options.json` and `inputs.json` in it say what the build was begun with.
    """

    def __init__(self, folder: Path, options: BuildOptions, resume: bool):
        self.folder, self.resume, self._lock = folder, resume, None
        self.options = json.loads(json.dumps(asdict(options)))

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def check(self) -> None:
        """Raise PfamnetError if no build can begin here, or if there is none of these options to resume."""
        if not self.resume:
            if os.path.lexists(self.folder):
                raise PfamnetError(f"{self.folder}: an earlier build is unfinished: resume it or delete it")
            return
        if self.begun(OPTIONS) != self.options:
            raise PfamnetError(f"{self.folder}: begun with other options; repeat them or delete it")
        self.lock()

    def begun(self, name: str) -> dict:
        """What the build was begun with, from one of the two files that say so."""
        try:
            return dict(load_json(self / name))
        except (FileNotFoundError, NotADirectoryError):
            raise PfamnetError(f"{self.folder}: no build to resume") from None
        except (ValueError, TypeError):
            raise PfamnetError(f"{self / name} is corrupt; delete the directory") from None

    def lock(self) -> None:
        """Keep other builds out until this process ends; raises PfamnetError if one is running here."""
        self._lock = open(self / LOCK, "w")  # noqa: SIM115 - the system closes it
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PfamnetError(f"{self.folder}: a build is running there") from None
        except OSError:
            pass  # a file system without locks

    def begin(self, digests: dict[str, str]) -> None:
        """Make the directory; when resuming, raise PfamnetError if an input file has changed."""
        if not self.resume:
            self.folder.mkdir(parents=True)
            self.lock()
            save_json(digests, self / INPUTS)
            save_json(self.options, self / OPTIONS)
            return
        begun = self.begun(INPUTS)
        for file in sorted(begun.keys() | digests.keys()):
            if begun.get(file) != digests.get(file):
                raise PfamnetError(f"{file}: changed since {self.folder} was begun; delete that directory")

    def step(self, name: str, make: Callable, load: Callable, save: Callable):
        """The result of one step, which file `name` keeps: `make()`, `save(result, path)`, `load(path)`.

        It is what `load` reads: a resumed build sees the same as an uninterrupted one.
        """
        path = self / name
        if not path.exists():
            made = make()
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as partial:
                save(made, partial)
        return read(load, path)

    def remove(self) -> None:
        """Remove the directory, and the link that may lead to it."""
        shutil.rmtree(self.folder.resolve())
        if self.folder.is_symlink():
            self.folder.unlink()


@dataclass(frozen=True)
class Threads:
    """Threads that work on many items, and whether a progress bar shows on stderr."""

    cpus: int = 1
    progress: bool = False

    def map(self, what: str, function: Callable, items: Collection) -> list:
        """`function` of each item, in order; `what` names the bar."""
        with ThreadPoolExecutor(self.cpus) as pool:
            done = pool.map(function, items)
            try:
                return list(
                    tqdm(done, what, len(items), file=sys.stderr, disable=not self.progress, leave=False)
                )
            finally:  # an interrupted build waits for no further item
                pool.shutdown(cancel_futures=True)
