"""The Hugging Face hub over HTTP, with urllib alone, and the environment that its users know.

As the hub's own client reads it: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME,
XDG_CACHE_HOME, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

from .. import __version__
from ..errors import PfamnetError

TIMEOUT = 20.0  # seconds without an answer


class Unreachable(Exception):
    """There is no network, or the hub does not answer."""


def commit_address(repo: str, revision: str) -> str:
    return f"api/models/{repo}/revision/{quote(revision, safe='')}"


def file_address(repo: str, commit: str, name: str) -> str:
    return f"{repo}/resolve/{commit}/{quote(name)}"


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; the token goes along only where the host is the same."""

    def redirect_request(self, request, file, code, message, headers, address):
        following = super().redirect_request(request, file, code, message, headers, address)
        known = request.get_header("Authorization")
        if following is not None and known and urlsplit(address)[:2] == urlsplit(request.full_url)[:2]:
            following.add_unredirected_header("Authorization", known)
        return following


def opened(reference, address: str):
    """The hub's answer to a GET; `reference` is for messages.

    Raises PfamnetError where it says no, Unreachable where it says nothing.
    """
    try:
        request = urllib.request.Request(
            f"{endpoint()}/{address}", headers={"User-Agent": f"pfamnet/{__version__}"}
        )
        if token():
            request.add_unredirected_header("Authorization", f"Bearer {token()}")
        return urllib.request.build_opener(Redirects).open(request, timeout=timeout())
    except urllib.error.HTTPError as error:
        with error:
            raise refusal(reference, address, error) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(reason(error)) from None


def refusal(reference, address: str, error: urllib.error.HTTPError) -> Exception:
    """What the hub means by a status other than 200."""
    said, name = error.headers.get("X-Error-Code", ""), address.rpartition("/")[2]
    if error.code == 429 or error.code >= 500:
        return Unreachable(f"it answers {error.code} {error.reason}")
    if said == "GatedRepo" or error.code == 403:
        return PfamnetError(f"{reference}: access is granted by its owner only; ask there, and set HF_TOKEN")
    if said == "RevisionNotFound":
        return PfamnetError(f"{reference}: the model is there, but not this revision")
    if "/resolve/" in address and error.code == 404 and said != "RepoNotFound":
        return PfamnetError(f"{reference}: {name} is missing on the hub: no whole pfamnet model")
    if error.code in (401, 404):
        return PfamnetError(f"{reference}: no such model on the hub, or a private one (then set HF_TOKEN)")
    return PfamnetError(f"{reference}: the hub answers {error.code} {error.reason}")


def received(answer, size: int | None = None) -> bytes:
    try:
        return answer.read() if size is None else answer.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"broken off: {reason(error)}") from None


def reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    return " ".join((getattr(inner, "strerror", None) or str(inner) or type(inner).__name__).split())


# -- the environment


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{base}/huggingface").expanduser()


def cache() -> Path:
    return Path(os.environ.get("HF_HUB_CACHE") or home() / "hub").expanduser()


def offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def token() -> str:
    """The user's token, where there is one."""
    given = os.environ.get("HF_TOKEN", "").strip()
    if given:
        return given
    try:
        return Path(os.environ.get("HF_TOKEN_PATH") or home() / "token").expanduser().read_text().strip()
    except (OSError, ValueError):
        return ""


def timeout() -> float:
    try:
        return float(os.environ["HF_HUB_DOWNLOAD_TIMEOUT"])
    except (KeyError, ValueError):
        return TIMEOUT
