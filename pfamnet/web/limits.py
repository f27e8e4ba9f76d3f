"""Limits that hold while a request arrives: nothing of one that is too large is read or stored."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from .scanning import LIMIT

MOST_BODY = LIMIT + LIMIT // 4 + 65_536  # bytes of a request: the sequences, escaped, and what is around them
MOST_STORED = 100_000_000  # bytes of uploads and of results that wait to be downloaded
REFUSED = f'{{"detail": "more than the {LIMIT // 1_000_000} MB that this page takes"}}'.encode()
Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]


class LimitedRequests:
    """ASGI middleware that refuses requests of more than `MOST_BODY` bytes, or of unknown size.

    Before an upload arrives, the oldest files in `folder` go until those left have `MOST_STORED` bytes.
    """

    def __init__(self, app, folder: Path):
        self.app, self.folder = app, folder

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers or int(headers.get(b"content-length", 0)) > MOST_BODY:
            kind = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": kind})
            return await send({"type": "http.response.body", "body": REFUSED})
        if scope["method"] == "POST" and scope["path"].endswith("/upload"):
            prune(self.folder, MOST_STORED)
        return await self.app(scope, receive, send)


def prune(folder: Path, most: int) -> None:
    """Remove the oldest files in a folder until those left have at most so many bytes."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                status = path.stat()
            except OSError:  # another request removed it
                continue
            found.append((status.st_mtime, status.st_size, path))
    size = sum(size for _, size, _ in found)
    for _, bytes_, path in sorted(found):
        if size <= most:
            return
        path.unlink(missing_ok=True)
        size -= bytes_
