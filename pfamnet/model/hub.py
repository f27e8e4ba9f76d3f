"""Models of the Hugging Face hub: `hf:ORG/NAME[@REVISION]`, downloaded by the hub's own client.

They stay in the client's cache, so a model that `hf download` fetched is found there too.  model.json
comes first: it names the other files and their SHA-256, by which each is checked.
"""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import PfamnetError
from .directory import DESCRIPTION, file_digest, read_description

PREFIX = "hf:"
COMMIT = re.compile("[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
REVISION = re.compile(r"[\w.][\w./-]*", re.ASCII)
TOKENS = "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"
OFFLINE = "HF_HUB_OFFLINE is set"
REFUSALS = {  # by the names of the client's errors
    "GatedRepoError": "access is granted by its owner only; ask there, and set HF_TOKEN",
    "RepositoryNotFoundError": "no such model on the hub, or a private one (then set HF_TOKEN)",
    "RevisionNotFoundError": "the hub has this model, but not this revision",
}


class Fetched(NamedTuple):
    """Where a model lies in the cache, and its name with the commit."""

    path: Path
    title: str


def fetch_model(name: str, say: Callable[[str], None]) -> Fetched:
    """Download `hf:ORG/NAME[@REVISION]` unless the cache has it; `say` takes a line about what is done.

    Raises PfamnetError if the model does not exist, cannot be downloaded, or arrives corrupt.
    """
    repo, at, revision = name.removeprefix(PREFIX).partition("@")
    if not NAME.fullmatch(repo) or ".." in name or (at and not REVISION.fullmatch(revision)):
        raise PfamnetError(f"{name}: a model on the hub is named hf:ORG/NAME or hf:ORG/NAME@REVISION")
    with warnings.catch_warnings(action="ignore"):
        try:
            import huggingface_hub.constants
            import huggingface_hub.errors
            import huggingface_hub.utils as utils
        except ImportError:
            raise PfamnetError(f"{name}: huggingface_hub is missing: pip install 'pfamnet[hub]'") from None
        utils.disable_progress_bars()
        utils.logging.set_verbosity(utils.logging.CRITICAL)
        try:
            path = download(huggingface_hub, name, repo, revision or "main", say)
        except PfamnetError:
            raise
        except Exception as error:  # the client raises errors of many kinds
            raise PfamnetError(f"{name}: {refusal(error)}") from None
    return Fetched(path, f"{PREFIX}{repo}@{path.name[:12]}")


def download(client, name: str, repo: str, revision: str, say: Callable[[str], None]) -> Path:
    """The complete snapshot of a revision in the cache."""
    absent = why_absent(client, repo, revision)
    first = {"revision": revision, "allow_patterns": DESCRIPTION, "local_files_only": bool(absent)}
    try:
        path = Path(client.snapshot_download(repo, **first))
    except client.errors.LocalEntryNotFoundError:
        if not absent:
            raise
        raise PfamnetError(f"{name}: not in the cache, and {absent}") from None
    if not absent and not (path / DESCRIPTION).is_file():
        raise PfamnetError(f"{name}: {DESCRIPTION} is missing on the hub: not a pfamnet model")
    files = read_description(path)["files"]
    lacking = [file for file in files if not (path / file).is_file()]
    if lacking and absent:
        raise PfamnetError(f"{name}: incomplete in the cache, and {absent}")
    if lacking:
        say(f"fetching {name}: {len(lacking)} files")
        client.snapshot_download(repo, revision=path.name, allow_patterns=list(map(glob.escape, lacking)))
    for file in lacking:
        check(path / file, files[file], f"{name}: {file}")
    if absent and absent != OFFLINE:
        say(f"warning: {name}: {absent}; the copy in the cache is used")
    return path


def why_absent(client, repo: str, revision: str) -> str:
    """Why the hub cannot be asked; empty if it can, or need not because the commit is in the cache."""
    if client.constants.HF_HUB_OFFLINE:
        return OFFLINE
    if COMMIT.fullmatch(revision) and client.try_to_load_from_cache(repo, DESCRIPTION, revision=revision):
        return ""
    try:
        client.HfApi().model_info(repo, revision=revision, timeout=client.constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:
        if 400 <= status_of(error) < 500 and status_of(error) != 429:
            raise
        return f"the hub cannot be reached ({first_cause(error)})"
    return ""


def check(path: Path, digest: str, what: str) -> None:
    """Refuse a file that did not arrive, or not as it was; the next attempt downloads it again."""
    if not path.is_file():
        raise PfamnetError(f"{what} is missing on the hub: not a complete pfamnet model")
    if file_digest(path) != digest:
        path.resolve().unlink()  # the client's blob, to which the name is a link
        path.unlink(missing_ok=True)
        raise PfamnetError(f"{what} arrived corrupt (its SHA-256 is not the one in {DESCRIPTION}); try again")


def status_of(error: Exception) -> int:
    return getattr(getattr(error, "response", None), "status_code", 0)


def refusal(error: Exception) -> str:
    """What an error of the client means to the user."""
    known = [REFUSALS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in REFUSALS]
    return known[0] if known else f"cannot be downloaded ({first_cause(error)})"


def first_cause(error: BaseException) -> str:
    """The first cause of an error, on one line."""
    while error.__cause__ is not None and not status_of(error):
        error = error.__cause__
    if status_of(error):
        return f"it answers {error.response.status_code} {error.response.reason_phrase}".strip()
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return without_token(" ".join(text.split()))


def without_token(text: str) -> str:
    """A message without what HF_TOKEN holds: the client quotes a header that cannot be sent."""
    from huggingface_hub import get_token

    given = [get_token() or "", *(os.environ.get(name, "") for name in TOKENS)]
    for word in sorted({word for token in given for word in (token, *token.split()) if word}, key=len)[::-1]:
        for quoted in (word, repr(word)[1:-1], repr(word.encode("utf-8", "surrogateescape"))[2:-1]):
            text = text.replace(quoted, "***")
    return text
