"""Models of the hub, from a server on this machine that behaves like it."""

import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import scan
from scanning import PROTEINS, scan_here
from untrained import write_model

from pfamnet.errors import PfamnetError
from pfamnet.model import hub
from pfamnet.model.directory import description_digest, open_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


class Handler(BaseHTTPRequestHandler):
    """The addresses of the hub that are asked for; `server.state` says what becomes of them."""

    def do_GET(self):
        state = self.server.state
        state["asked"].append((self.path, self.headers.get("Authorization")))
        if state["status"]:
            return self.no(*state["status"])
        if state["token"] and self.headers.get("Authorization") != f"Bearer {state['token']}":
            return self.no(401, "RepoNotFound")
        found = re.fullmatch(r"/api/models/org/model/revision/(.+)", self.path)
        if found:
            commit = state["commits"].get(unquote(found[1]))
            return (
                self.yes(json.dumps({"id": "org/model", "sha": commit}).encode())
                if commit
                else self.no(404, "RevisionNotFound")
            )
        found = re.fullmatch(f"/(org|moved)/model/resolve/{COMMIT}/(.+)", self.path)
        if not found:
            return self.no(
                *((404, "EntryNotFound") if "/model/resolve/" in self.path else (401, "RepoNotFound"))
            )
        if state["moved"] and found[1] == "org":
            self.send_response(302)
            self.send_header("Location", state["moved"] + f"/moved/model/resolve/{COMMIT}/{found[2]}")
            return self.end_headers()
        name = unquote(found[2])
        if not (state["folder"] / name).is_file():
            return self.no(404, "EntryNotFound")
        data = (state["folder"] / name).read_bytes()
        self.yes(state["change"].get(name, lambda data: data)(data), len(data))

    def yes(self, data, length=0):
        """Send what is there of an answer of at least `length` bytes."""
        self.send_response(200)
        self.send_header("Content-Length", str(max(length, len(data))))
        self.end_headers()
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
        "commits": {"main": COMMIT, "v1.0": COMMIT, "refs/pr/1": COMMIT},
        "asked": [],
        "status": None,
        "token": None,
        "moved": None,
        "change": {},
    }
    server, address = start_server(state)
    for name in [name for name in os.environ if name.startswith("HF_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "5")
    yield state
    server.shutdown()
    server.server_close()


def asked(state):
    return [path for path, _ in state["asked"]]


def fetch(name="hf:org/model"):
    said = []
    fetched = hub.fetch_model(name, said.append)
    return fetched, said


def refusal(name="hf:org/model"):
    with pytest.raises(PfamnetError) as error:
        fetch(name)
    message = str(error.value)
    assert "\n" not in message
    return message


def left(tmp_path):
    """Files of the cache that are not whole."""
    return [path for path in (tmp_path / "home").rglob("*") if "incomplete" in path.name]


# Fetched, kept, offline


def test_a_scan_of_a_model_on_the_hub_is_that_of_the_model(served, model, tmp_path):
    """The program itself, with a network and then without one."""
    here = scan("--no-date", model, PROTEINS).stdout
    done = scan("--no-date", "hf:org/model", PROTEINS)
    assert done.stdout == here and len(here.splitlines()) > 3
    assert (
        done.stderr
        == f"pfamnet-scan: fetching hf:org/model: {len(open_model(model).description['files'])} files\n"
    )
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        served["asked"].clear()
        again = scan("--no-date", "hf:org/model", PROTEINS)
    finally:
        del os.environ["HF_HUB_OFFLINE"]
    assert (again.stdout, again.stderr, served["asked"]) == (here, "", [])


def test_the_outputs_name_the_model_and_its_commit(served, tmp_path):
    assert (
        scan_here("--domtblout", tmp_path / "dom", "-o", tmp_path / "out", "hf:org/model@v1.0", PROTEINS) == 0
    )
    assert f"hf:org/model@{COMMIT[:12]}" in (tmp_path / "dom").read_text()


def test_what_is_in_the_cache_is_not_fetched_again(served, model):
    path = fetch()[0].path
    assert open_model(path).description == open_model(model).description
    files = asked(served)
    assert files[0] == "/api/models/org/model/revision/main" and files[1].endswith("/model.json")
    served["asked"].clear()
    assert fetch() == ((path, f"hf:org/model@{COMMIT[:12]}"), [])
    assert asked(served) == ["/api/models/org/model/revision/main"]
    served["asked"].clear()
    assert fetch(f"hf:org/model@{COMMIT}")[0].path == path and asked(served) == []


def test_the_cache_is_laid_out_as_the_hubs_own(served, tmp_path):
    """So that its client finds what we fetched, and we what it fetched."""
    client = pytest.importorskip("huggingface_hub")
    for revision in ("v1.0", "refs/pr/1"):
        path = fetch(f"hf:org/model@{revision}")[0].path
        theirs = client.snapshot_download(
            "org/model", revision=revision, cache_dir=tmp_path / "home" / "hub", local_files_only=True
        )
        assert Path(theirs) == path


def test_links_as_the_hubs_client_makes_them_are_read(served, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "models--org--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    for file in model.rglob("*"):
        (snapshot / file.relative_to(model)).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file.relative_to(model)).symlink_to(file)
    assert fetch()[0].path == snapshot
    open_model(snapshot)


def test_a_new_commit_is_fetched_and_the_old_one_stays(served):
    old = fetch()[0].path
    served["commits"]["main"] = OTHER
    assert "model.json is missing" in refusal()  # the server has only the old one
    assert (old / "model.json").exists()
    served["commits"]["main"] = COMMIT
    assert fetch()[0].path == old


def test_without_a_network_the_copy_in_the_cache_is_used(served, monkeypatch):
    path = fetch()[0].path
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    fetched, said = fetch()
    assert fetched.path == path and len(said) == 1 and "the copy in the cache is used" in said[0]
    monkeypatch.undo()


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


def test_a_file_cut_short_or_changed_is_not_kept(served, model, tmp_path):
    for change, why in [
        (lambda data: data[: len(data) // 2], "hf:org/model: "),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "light.onnx: arrived damaged"),
    ]:
        served["change"]["light.onnx"] = change
        assert why in refusal()
        snapshot = tmp_path / "home" / "hub" / "models--org--model" / "snapshots" / COMMIT
        assert not (snapshot / "light.onnx").exists() and not (snapshot / "model.json").exists()
        assert not left(tmp_path)
    served["change"].clear()
    served["asked"].clear()
    open_model(fetch()[0].path)
    # what had arrived whole is not fetched again
    assert not any(path.endswith("families.tsv") for path in asked(served))
    assert any(path.endswith("light.onnx") for path in asked(served))


def test_a_file_that_the_cache_lost_is_fetched_again(served):
    path = fetch()[0].path
    (path / "profiles.h3m").unlink()
    served["asked"].clear()
    open_model(fetch()[0].path)
    assert [name.rpartition("/")[2] for name in asked(served)] == ["main", "model.json", "profiles.h3m"]


def test_damage_in_the_cache_is_told(served, capfd):
    path = fetch()[0].path
    with open(path / "profiles.h3m", "r+b") as file:
        file.write(b"x")
    assert scan_here("hf:org/model", PROTEINS) == 1
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "profiles.h3m is damaged" in said.err


def test_a_full_disk_is_told(served, tmp_path, monkeypatch):
    def full(self, data):
        raise hub.unwritable(self.path, OSError(28, "No space left on device"))

    monkeypatch.setattr(hub.Temporary, "write", full)
    assert "cannot be written to the cache (no space left on device)" in refusal()
    assert not left(tmp_path)


def test_a_cache_that_cannot_be_made_is_told(served, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert "cannot be written to the cache" in refusal()


# Refusals


@pytest.mark.parametrize(
    "name",
    [
        "hf:",
        "hf:model",
        "hf:a/b/c",
        "hf:org/model@",
        "hf:../x",
        "hf:org/..",
        "hf:org/mo del",
        "hf:org/model@a..b",
        "hf:org/model@-x",
        "hf:org/model?x",
    ],
)
def test_names_that_are_none_are_refused(served, name):
    assert "is named hf:ORG/NAME" in refusal(name) and not asked(served)


def test_what_the_hub_does_not_have_is_told(served, model, tmp_path):
    assert refusal("hf:org/none") == (
        "hf:org/none: no such model on the hub, or a private one (then set HF_TOKEN)"
    )
    assert refusal("hf:org/model@v9") == "hf:org/model@v9: the model is there, but not this revision"
    assert "access is granted by its owner" in refusal_with(served, 403, "GatedRepo")
    assert "the hub answers 418" in refusal_with(served, 418)
    served["folder"] = tmp_path
    assert refusal() == "hf:org/model: model.json is missing on the hub: no whole pfamnet model"


def test_a_file_missing_on_the_hub_is_named(served, model, tmp_path):
    import shutil

    served["folder"] = shutil.copytree(model, tmp_path / "copy")
    (tmp_path / "copy" / "families.tsv").unlink()
    assert "families.tsv is missing on the hub" in refusal()


def test_without_network_and_cache_there_is_one_line(served, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refusal() == "hf:org/model: not in the cache, and HF_HUB_OFFLINE is set"
    assert refusal(f"hf:org/model@{COMMIT}") == (
        f"hf:org/model@{COMMIT}: not whole in the cache, and HF_HUB_OFFLINE is set"
    )
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "not in the cache, and the hub cannot be reached (Connection refused)" in refusal()
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    assert "the hub cannot be reached" in refusal()


def test_another_server_than_the_hub_is_told(served):
    served["commits"]["main"] = "../../etc"
    assert "does not answer as the hub does" in refusal()


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/outside", "a/../../outside", "a\\outside", "./a", "c:x"]
)
def test_a_model_cannot_write_outside_of_its_directory(served, model, tmp_path, name):
    fields = json.loads((model / "model.json").read_text())
    del fields["digest"]
    fields["files"][name] = "0" * 64
    text = json.dumps(fields | {"digest": description_digest(fields)}, indent=1) + "\n"
    served["change"]["model.json"] = lambda _: text.encode()
    assert "names a file outside of the model" in refusal()
    assert not list(tmp_path.rglob("outside")) and not left(tmp_path)


# Tokens


def test_the_token_opens_a_private_model(served, monkeypatch, tmp_path):
    served["token"] = "secret"
    assert "no such model" in refusal()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("secret\n")
    assert fetch()[0].path.is_dir()


def test_the_token_is_not_told_to_another_host(served, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    other = dict(served, asked=[], moved=None)
    server, address = start_server(other)
    served["moved"] = address
    try:
        fetch()
    finally:
        server.shutdown()
        server.server_close()
    assert other["asked"] and {token for _, token in other["asked"]} == {None}
    assert {token for _, token in served["asked"]} == {"Bearer secret"}
