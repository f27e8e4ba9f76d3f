"""Models of the hub, from a server on this machine that behaves like it."""

import json
import os
import re
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
from conftest import refused, scan
from scanning import PROTEINS, scan_here
from untrained import write_model

from pfamnet.errors import PfamnetError
from pfamnet.model import hub
from pfamnet.model.directory import description_digest, file_digest, open_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


class Handler(BaseHTTPRequestHandler):
    """The hub's addresses that its client asks for; `server.state` says what becomes of them."""

    def do_GET(self):
        state = self.server.state
        state["asked"].append((self.command, self.path, self.headers.get("Authorization")))
        if state["status"]:
            return self.no(*state["status"])
        if state["token"] and self.headers.get("Authorization") != f"Bearer {state['token']}":
            return self.no(401, "RepoNotFound")
        if found := re.fullmatch(r"/api/models/org/model/revision/(.+)", self.path):
            commit = state["commits"].get(unquote(found[1]))
            if commit is None:
                return self.no(404, "RevisionNotFound")
            return self.yes(json.dumps({"id": "org/model", "sha": commit}).encode())
        if self.path.startswith(f"/api/models/org/model/tree/{COMMIT}"):
            return self.yes(json.dumps(self.tree()).encode())
        found = re.fullmatch(f"/(org|moved)/model/resolve/{COMMIT}/(.+)", self.path)
        if not found:
            return self.no(*((404, "EntryNotFound") if "/org/model/" in self.path else (401, "RepoNotFound")))
        if state["gated"]:
            return self.no(403, "GatedRepo")
        name = unquote(found[2])
        path = state["folder"] / name
        if not path.is_file():
            return self.no(404, "EntryNotFound")
        data = path.read_bytes()
        etag = file_digest(path)
        if state["moved"] and found[1] == "org":
            self.send_response(302)
            self.send_header("Location", state["moved"] + f"/moved/model/resolve/{COMMIT}/{found[2]}")
            self.send_header("X-Linked-Etag", etag)
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", COMMIT)
            return self.end_headers()
        self.yes(state["change"].get(name, lambda data: data)(data), len(data), etag)

    do_HEAD = do_GET

    def tree(self):
        folder = self.server.state["folder"]
        return [
            {
                "type": "file",
                "path": str(path.relative_to(folder)),
                "size": path.stat().st_size,
                "oid": "0" * 40,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    def yes(self, data, length=0, etag=""):
        """Send what is there of an answer of at least `length` bytes."""
        self.send_response(200)
        self.send_header("Content-Length", str(max(length, len(data))))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def no(self, status, said):
        self.send_response(status)
        self.send_header("X-Error-Code", said)
        self.end_headers()

    def log_message(self, *_):
        pass


def start_server(state):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.state = state
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("hub") / "model")


@pytest.fixture
def served(model, tmp_path, monkeypatch):
    """A server with one model; what it does can be changed."""
    state = {
        "folder": model,
        "commits": {COMMIT: COMMIT, "main": COMMIT, "v1.0": COMMIT, "refs/pr/1": COMMIT},
        "asked": [],
        "status": None,
        "gated": False,
        "token": None,
        "moved": None,
        "change": {},
    }
    server, address = start_server(state)
    for name in [name for name in os.environ if name.startswith("HF_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    settings = {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield state
    server.shutdown()
    server.server_close()


def asked(state, method="GET"):
    return [path for verb, path, _ in state["asked"] if verb == method]


@contextmanager
def new_client():
    """The hub's client reads the environment when it is imported: so it is imported again."""

    def take_away():
        names = [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]
        return {name: sys.modules.pop(name) for name in names}

    kept = take_away()
    try:
        yield
    finally:
        take_away()
        sys.modules.update(kept)


def fetch(name="hf:org/model"):
    """What is fetched, and the lines said."""
    said = []
    with new_client():
        return hub.fetch_model(name, said.append), said


def refusal(name="hf:org/model"):
    with pytest.raises(PfamnetError) as error:
        fetch(name)
    message = str(error.value)
    assert "\n" not in message
    return message


def snapshot(tmp_path):
    return tmp_path / "home" / "hub" / "models--org--model" / "snapshots" / COMMIT


# Fetched, kept, offline


def test_a_scan_of_a_model_on_the_hub_is_that_of_the_model(served, model, monkeypatch):
    """The program itself, with a network and then without one."""
    here = scan("--no-date", model, PROTEINS).stdout
    done = scan("--no-date", "hf:org/model", PROTEINS)
    assert done.stdout == here and len(here.splitlines()) > 3
    count = len(open_model(model).description["files"])
    assert done.stderr == f"pfamnet-scan: fetching hf:org/model: {count} files\n"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    served["asked"].clear()
    again = scan("--no-date", "hf:org/model", PROTEINS)
    assert (again.stdout, again.stderr, served["asked"]) == (here, "", [])


def test_the_outputs_name_the_model_and_its_commit(served, tmp_path):
    with new_client():
        options = ["--domtblout", tmp_path / "dom", "-o", tmp_path / "out"]
        assert scan_here(*options, "hf:org/model@v1.0", PROTEINS) == 0
    assert f"hf:org/model@{COMMIT[:12]}" in (tmp_path / "dom").read_text()


def test_what_is_in_the_cache_is_not_fetched_again(served, model, tmp_path):
    path = fetch()[0].path
    assert path == snapshot(tmp_path) and open_model(path).description == open_model(model).description
    fetched = [name for name in asked(served) if "/resolve/" in name]
    assert (
        fetched[0].endswith("/model.json") and len(fetched) == len(open_model(model).description["files"]) + 1
    )
    served["asked"].clear()
    assert fetch() == ((path, f"hf:org/model@{COMMIT[:12]}"), [])
    assert set(asked(served)) == {"/api/models/org/model/revision/main"} and not asked(served, "HEAD")
    served["asked"].clear()
    assert fetch(f"hf:org/model@{COMMIT}")[0].path == path and served["asked"] == []


def test_only_what_model_json_names_is_fetched(served, model, tmp_path):
    served["folder"] = shutil.copytree(model, tmp_path / "copy")
    (tmp_path / "copy" / "pytorch_model.bin").write_text("not needed")
    path = fetch()[0].path
    assert (path / "families.tsv").is_file() and not (path / "pytorch_model.bin").exists()


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/1"])
def test_a_revision_is_found_without_a_network(served, monkeypatch, revision):
    path = fetch(f"hf:org/model@{revision}")[0].path
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(f"hf:org/model@{revision}") == ((path, f"hf:org/model@{COMMIT[:12]}"), [])


def test_what_was_put_into_the_cache_by_others_is_used(served, model, tmp_path, monkeypatch):
    """Links to files elsewhere, and no listing of the repository."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "models--org--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    theirs = folder / "snapshots" / COMMIT
    for file in model.rglob("*"):
        (theirs / file.relative_to(model)).parent.mkdir(parents=True, exist_ok=True)
        (theirs / file.relative_to(model)).symlink_to(file)
    assert fetch()[0].path == theirs
    open_model(theirs)


def test_a_new_commit_is_fetched_and_the_old_one_stays(served):
    old = fetch()[0].path
    served["commits"]["main"] = OTHER
    refusal()  # the server has only the old one
    assert (old / "model.json").exists()
    served["commits"]["main"] = COMMIT
    assert fetch()[0].path == old


def test_without_a_network_the_copy_in_the_cache_is_used(served, monkeypatch):
    path = fetch()[0].path
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    fetched, said = fetch()
    assert fetched.path == path and len(said) == 1 and "the copy in the cache is used" in said[0]
    assert fetch(f"hf:org/model@{COMMIT}") == (fetched, [])


def test_a_hub_that_is_out_of_order_is_no_hub(served):
    assert "the hub cannot be reached (it answers 503" in refusal_with(served, 503)
    fetch()
    served["status"] = (503, "")
    assert "the copy in the cache is used" in fetch()[1][0]


def refusal_with(state, status, said=""):
    state["status"] = (status, said)
    message = refusal()
    state["status"] = None
    return message


# Never half a model


def test_a_download_that_breaks_off_goes_on(served, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    cuts = iter([1, 2, 3])  # the first answer is to a HEAD
    served["change"]["light.onnx"] = lambda data: data[: len(data) // next(cuts, 1)]
    open_model(fetch()[0].path)
    assert sum(name.endswith("light.onnx") for name in asked(served)) == 3


def test_a_file_that_arrives_changed_is_not_kept(served, tmp_path):
    served["change"]["light.onnx"] = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    assert "hf:org/model: light.onnx arrived corrupt" in refusal()
    assert not (snapshot(tmp_path) / "light.onnx").exists()
    served["change"].clear()
    served["asked"].clear()
    open_model(fetch()[0].path)
    # what had arrived complete is not fetched again
    assert [name.rpartition("/")[2] for name in asked(served) if "/resolve/" in name] == ["light.onnx"]


def test_a_file_that_the_cache_lost_is_fetched_again(served):
    path = fetch()[0].path
    (path / "profiles.h3z").resolve().unlink()
    served["asked"].clear()
    open_model(fetch()[0].path)
    assert [name.rpartition("/")[2] for name in asked(served) if "/resolve/" in name] == ["profiles.h3z"]


def test_damage_in_the_cache_is_told(served, capfd):
    path = fetch()[0].path
    with open(path / "profiles.h3z", "r+b") as file:
        file.write(b"x")
    with new_client():
        assert scan_here("hf:org/model", PROTEINS) == 1
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "profiles.h3z is damaged" in said.err


def test_a_full_disk_is_told(served, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    monkeypatch.setattr(shutil, "move", full)
    assert refusal() == "hf:org/model: cannot be downloaded (No space left on device)"


def test_a_cache_that_cannot_be_made_is_told(served, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert re.fullmatch(r"hf:org/model: cannot be downloaded \((Not a directory|File exists)\)", refusal())


# Refusals


@pytest.mark.parametrize(
    "name",
    [
        *("hf:", "hf:model", "hf:a/b/c", "hf:org/model@", "hf:../x", "hf:org/..", "hf:org/mo del"),
        *("hf:org/model@a..b", "hf:org/model@-x", "hf:org/model?x"),
    ],
)
def test_names_that_are_none_are_refused(served, name):
    assert "is named hf:ORG/NAME" in refusal(name) and not served["asked"]


def test_without_the_hubs_client_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(PfamnetError, match=r"huggingface_hub is missing: pip install 'pfamnet\[hub\]'"):
        hub.fetch_model("hf:org/model", print)


def test_what_the_hub_does_not_have_is_told(served, tmp_path):
    assert refusal("hf:org/none") == (
        "hf:org/none: no such model on the hub, or a private one (then set HF_TOKEN)"
    )
    assert refusal("hf:org/model@v9") == "hf:org/model@v9: the hub has this model, but not this revision"
    assert "access is granted by its owner" in refusal_with(served, 403, "GatedRepo")
    assert "it answers 418" in refusal_with(served, 418)
    served["folder"] = tmp_path / "empty"
    assert refusal() == "hf:org/model: model.json is missing on the hub: not a pfamnet model"


def test_a_gated_model_is_told(served):
    served["gated"] = True
    assert "access is granted by its owner" in refusal()


def test_a_file_missing_on_the_hub_is_named(served, model, tmp_path):
    served["folder"] = shutil.copytree(model, tmp_path / "copy")
    (tmp_path / "copy" / "families.tsv").unlink()
    assert "families.tsv is missing on the hub" in refusal()


def test_without_network_and_cache_there_is_one_line(served, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("hf:org/model", f"hf:org/model@{COMMIT}"):
        assert refusal(name) == f"{name}: not in the cache, and HF_HUB_OFFLINE is set"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    for address in ("http://127.0.0.1:9", "nonsense"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        for name in ("hf:org/model", f"hf:org/model@{COMMIT}"):
            assert f"{name}: not in the cache, and the hub cannot be reached (" in refusal(name)


def test_half_a_model_in_the_cache_is_refused_without_a_network(served, monkeypatch):
    (fetch()[0].path / "families.tsv").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refusal() == "hf:org/model: incomplete in the cache, and HF_HUB_OFFLINE is set"


def test_the_program_says_one_line_whatever_the_client_says(served, monkeypatch):
    """Neither its progress bars nor its warnings."""
    served["status"] = (503, "")
    for name in ("HF_HUB_ENABLE_HF_TRANSFER", "HF_DEBUG"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert "the hub cannot be reached" in refused(scan("hf:org/model", PROTEINS, check=False))


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/outside",
        "a/../../outside",
        "a\\outside",
        "c:x",
        "\ud800",
        ".",
        "model.json/x",
        "x" * 300,
    ],
)
def test_a_model_cannot_write_outside_of_its_directory(served, model, tmp_path, name):
    fields = json.loads((model / "model.json").read_text())
    del fields["digest"]
    fields["files"][name] = "0" * 64
    text = json.dumps(fields | {"digest": description_digest(fields)}, indent=1) + "\n"
    served["folder"] = shutil.copytree(model, tmp_path / "copy")
    (tmp_path / "copy" / "model.json").write_text(text)
    assert "model.json lists files that a model cannot have" in refusal()
    assert not list(tmp_path.rglob("outside"))


# Tokens


def test_the_token_opens_a_private_model(served, tmp_path):
    served["token"] = "secret"
    assert "no such model" in refusal()
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "token").write_text("secret\n")
    assert fetch()[0].path.is_dir()


@pytest.mark.parametrize(
    "token", ["hf_sec\nret", "hf_sec\x0bret", "hf_sec\r\n ret", "hf_s\xe9cret", "hf_sec\x01ret"]
)
def test_the_token_is_in_no_message(served, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    said = hub.refusal(
        ValueError(f"Illegal header value {f'Bearer {token}'.encode()!r} or {token!r} or {token}")
    )
    try:
        fetch()
    except PfamnetError as error:
        said += str(error)
    assert "hf_" not in said and "ret" not in said.replace("retr", "")


def test_the_token_is_not_told_to_another_host(served, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    other = dict(served, asked=[], moved=None)
    server, address = start_server(other)
    served["moved"] = address.replace("127.0.0.1", "localhost")
    try:
        fetch()
    finally:
        server.shutdown()
        server.server_close()
    assert other["asked"] and {token for *_, token in other["asked"]} == {None}
    assert {token for *_, token in served["asked"]} == {"Bearer secret"}
