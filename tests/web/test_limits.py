"""A request that is too large is refused before any of it is read; what is stored is bounded."""

import asyncio
import os

import pytest

from pfamnet.web.limits import MOST_BODY, LimitedRequests, prune


def answer(folder, headers, path="/gradio_api/queue/join"):
    """Status of the response to a request, and whether its body was asked for."""
    read, sent = [], []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        read.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(LimitedRequests(app, folder)(scope, receive, send))
    return sent[0]["status"], bool(read)


@pytest.mark.parametrize(
    "headers, status",
    (
        ([], 200),
        ([(b"content-length", b"100")], 200),
        ([(b"content-length", str(MOST_BODY).encode())], 200),
        ([(b"content-length", str(MOST_BODY + 1).encode())], 413),
        ([(b"content-length", b"500000000")], 413),
        ([(b"transfer-encoding", b"chunked")], 413),
    ),
)
def test_a_request_is_read_only_if_its_size_is_known_and_within_the_limit(tmp_path, headers, status):
    assert answer(tmp_path, headers) == (status, status == 200)


def test_the_oldest_files_go_first(tmp_path):
    for n in range(5):
        path = tmp_path / f"upload{n}" / "x.fa"
        path.parent.mkdir()
        path.write_bytes(bytes(100))
        os.utime(path, (n, n))
    prune(tmp_path, 250)
    assert [path.parent.name for path in sorted(tmp_path.rglob("x.fa"))] == ["upload3", "upload4"]
    prune(tmp_path / "none", 250)


def test_an_upload_makes_room_before_it_arrives(tmp_path, monkeypatch):
    monkeypatch.setattr("pfamnet.web.limits.MOST_STORED", 100)
    (tmp_path / "old").write_bytes(bytes(101))
    assert answer(tmp_path, [], "/gradio_api/queue/join") == (200, True)
    assert (tmp_path / "old").exists()
    assert answer(tmp_path, [], "/gradio_api/upload") == (200, True)
    assert not (tmp_path / "old").exists()
