"""Models of the Hugging Face hub: `hf:ORG/NAME[@REVISION]`.

What is fetched lies in the hub's own cache, in its own layout, so that `hf
download ORG/NAME` on another machine, or before the network went away, serves
as well.  Plain urllib: the hub's client would add some 30 MB of packages and a
third of a second to every scan of a model that is here already.

model.json is fetched first and checked; each file that it names is compared
with its SHA-256 before it gets its name; model.json gets its own last.  So a
model that was fetched by half is never opened, and fetching goes on with the
files that are lacking.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import PfamnetError
from .directory import DESCRIPTION, parse_description
from .hub_client import Unreachable, cache, commit_address, endpoint, file_address, offline, opened, received

PREFIX = "hf:"
COMMIT = re.compile("[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
REVISION = re.compile(r"[\w.][\w./-]*", re.ASCII)
CHUNK = 1 << 20


class Reference(NamedTuple):
    """A model on the hub; `revision` is a branch, a tag or a commit."""

    repo: str
    revision: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision != "main" else "")

    @classmethod
    def parse(cls, text: str) -> Reference:
        repo, _, revision = text.removeprefix(PREFIX).partition("@")
        if not NAME.fullmatch(repo) or ".." in text or ("@" in text and not REVISION.fullmatch(revision)):
            raise PfamnetError(f"{text}: a model on the hub is named hf:ORG/NAME or hf:ORG/NAME@REVISION")
        return cls(repo, revision or "main")


class Fetched(NamedTuple):
    """Where a model lies in the cache, and its name with the commit."""

    path: Path
    title: str


def fetch_model(name: str, say: Callable[[str], None]) -> Fetched:
    """The directory of a model `hf:ORG/NAME[@REVISION]`, fetched where it is not in the cache.

    `say` takes a line about what is done.  Raises PfamnetError, one line, where
    there is no such model, it is not to be had, or what arrives is damaged.
    """
    reference = Reference.parse(name)
    folder = cache() / f"models--{reference.repo.replace('/', '--')}"
    try:
        commit = find_commit(reference, folder, say)
        snapshot = folder / "snapshots" / commit
        if not (snapshot / DESCRIPTION).is_file() or lacking(snapshot, named_files(snapshot)):
            if offline():
                raise PfamnetError(f"{reference}: not whole in the cache, and HF_HUB_OFFLINE is set")
            fetch_files(reference, commit, snapshot, say)
        keep(folder / "refs" / reference.revision, commit)
    except Unreachable as error:
        raise PfamnetError(
            f"{reference}: not in the cache, and the hub cannot be reached ({error})"
        ) from None
    return Fetched(snapshot, f"{PREFIX}{reference.repo}@{commit[:12]}")


# -- which commit


def find_commit(reference: Reference, folder: Path, say) -> str:
    """The commit of a revision: asked of the hub, or the one last seen where that is silent."""
    if COMMIT.fullmatch(reference.revision):
        return reference.revision
    try:
        known = (folder / "refs" / reference.revision).read_text().strip()
    except (OSError, ValueError):
        known = ""
    known = known if COMMIT.fullmatch(known) else ""
    if offline():
        if not known:
            raise PfamnetError(f"{reference}: not in the cache, and HF_HUB_OFFLINE is set")
        return known
    try:
        return ask_commit(reference)
    except Unreachable as error:
        if not known:
            raise
        say(f"note: {reference}: the hub cannot be reached ({error}); the copy in the cache is used")
        return known


def ask_commit(reference: Reference) -> str:
    with opened(reference, commit_address(*reference)) as answer:
        try:
            commit = json.loads(received(answer))["sha"]
        except (ValueError, KeyError, TypeError, RecursionError):
            commit = None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise PfamnetError(f"{reference}: {endpoint()} does not answer as the hub does")
    return commit


# -- the files


def named_files(snapshot: Path) -> dict[str, str]:
    """The files that a model.json in the cache names; none where it is damaged, which
    is told when the model is opened."""
    try:
        return safe_names(json.loads((snapshot / DESCRIPTION).read_bytes())["files"], snapshot)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def lacking(snapshot: Path, files: dict[str, str]) -> list[str]:
    return [name for name in files if not (snapshot / name).is_file()]


def safe_names(files: dict, where) -> dict[str, str]:
    """The files of a description, if all of them would lie within the model's directory."""
    for name in files:
        path = PurePosixPath(name)
        if (
            path.is_absolute()
            or str(path) != name
            or {"..", "."} & set(path.parts)
            or set(name) & set("\\\0:")
        ):
            raise PfamnetError(f"{where}: {DESCRIPTION} names a file outside of the model: {name!r}")
    return files


def fetch_files(reference: Reference, commit: str, snapshot: Path, say) -> None:
    """Fetch what is lacking of a model, model.json last."""
    with opened(reference, file_address(reference.repo, commit, DESCRIPTION)) as answer:
        text = received(answer)
    files = safe_names(parse_description(text, reference)["files"], reference)
    missing = [name for name in files if not is_there(snapshot / name, files[name])]
    say(f"fetching {reference}: {len(missing)} files")
    for name in missing:
        with opened(reference, file_address(reference.repo, commit, name)) as answer:
            store(answer, snapshot / name, files[name], f"{reference}: {name}")
    keep(snapshot / DESCRIPTION, text)


def is_there(path: Path, digest: str) -> bool:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def store(answer, path: Path, digest: str, what: str) -> None:
    """Write an answer to a file, which gets its name only if its SHA-256 is the right one."""
    seen = hashlib.sha256()
    with Temporary(path) as file:
        while chunk := received(answer, CHUNK):
            seen.update(chunk)
            file.write(chunk)
        if seen.hexdigest() != digest:
            raise PfamnetError(
                f"{what}: arrived damaged or cut short (its SHA-256 is not the one in "
                f"{DESCRIPTION}); try again"
            )


def keep(path: Path, content: str | bytes) -> None:
    """Write a small file, unless it says the same already."""
    content = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    with Temporary(path) as file:
        file.write(content)


class Temporary:
    """A file that gets its name when all of it is written, and else leaves nothing."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> Temporary:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number, self.name = tempfile.mkstemp(".incomplete", ".", self.path.parent)
        except OSError as error:
            raise unwritable(self.path, error) from None
        self.file = os.fdopen(number, "wb")
        return self

    def write(self, data: bytes) -> None:
        try:
            self.file.write(data)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def __exit__(self, kind, *error) -> None:
        try:
            self.file.close()  # may be what finds the disk full
            if kind is None:
                os.chmod(self.name, 0o644)
                os.replace(self.name, self.path)
        except OSError as fault:
            raise unwritable(self.path, fault) from None
        finally:
            if os.path.exists(self.name):
                os.unlink(self.name)


def unwritable(path: Path, error: OSError) -> PfamnetError:
    return PfamnetError(f"{path}: cannot be written to the cache ({(error.strerror or str(error)).lower()})")
