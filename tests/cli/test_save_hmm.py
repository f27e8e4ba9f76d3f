"""`--save-hmm` gives the profiles of a model back to HMMER."""

import gzip
import os
import signal
import stat
import subprocess

import golden
import pytest
import untrained
from pyhmmer.plan7 import HMMFile
from scanning import ENVIRONMENT, LIBRARY, PROGRAM, start

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan


def scan_alone(*arguments):
    """`pfamnet-scan` with these arguments only."""
    return run(scan, list(map(str, arguments)))


def run_program(*arguments, **settings):
    """The program, ended."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT}
    return subprocess.run([*PROGRAM, *map(str, arguments)], **pipes | settings)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untrained.write_model(tmp_path_factory.mktemp("model") / "made")


@pytest.mark.parametrize("name, begin", [("out.hmm", b"HMMER3/f"), ("out.h3m", b"\xba\xed\xed\xe8")])
def test_hmmer_reads_what_the_model_was_made_of(model, tmp_path, name, begin):
    assert scan_alone("--save-hmm", tmp_path / name, model) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(begin)
    with HMMFile(tmp_path / name) as file:
        assert [hmm.checksum for hmm in file] == [hmm.checksum for hmm in golden.hmms()]


def test_the_file_is_the_database_that_it_came_from(model, tmp_path):
    assert scan_alone("--save-hmm", tmp_path / "one.hmm", model) == 0
    assert scan_alone("--save-hmm", tmp_path / "two.hmm", tmp_path / "one.hmm") == 0
    assert (tmp_path / "one.hmm").read_bytes() == (tmp_path / "two.hmm").read_bytes()


@pytest.mark.parametrize("arguments", ["--save-hmm new.hmm made x.fa", "--save-hmm made/model.json made"])
def test_wrong_use_is_refused(model, tmp_path, monkeypatch, capfd, arguments):
    monkeypatch.chdir(model.parent)
    before = sorted(model.parent.rglob("*"))
    assert scan_alone(*arguments.split()) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert sorted(model.parent.rglob("*")) == before


def test_a_model_that_is_damaged_leaves_no_file(tmp_path, capfd):
    assert scan_alone("--save-hmm", tmp_path / "out.hmm", tmp_path / "nothing") == 1
    assert capfd.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_links_stay_and_pipes_are_written_to(model, tmp_path):
    assert scan_alone("--save-hmm", tmp_path / "plain.hmm", model) == 0
    (tmp_path / "file.hmm").write_text("old")
    os.symlink("file.hmm", tmp_path / "link.hmm")
    (tmp_path / "file.hmm.partial").write_text("mine")
    assert scan_alone("--save-hmm", tmp_path / "link.hmm", model) == 0
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "piped", "wb") as piped, subprocess.Popen(["cat", tmp_path / "pipe"], stdout=piped):
        assert scan_alone("--save-hmm", tmp_path / "pipe", model) == 0
    content = (tmp_path / "plain.hmm").read_bytes()
    assert (tmp_path / "piped").read_bytes() == content == (tmp_path / "file.hmm").read_bytes()
    assert os.readlink(tmp_path / "link.hmm") == "file.hmm" and stat.S_ISFIFO(
        os.stat(tmp_path / "pipe").st_mode
    )
    assert (tmp_path / "file.hmm.partial").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 6


def test_a_directory_is_refused(model, tmp_path, capfd):
    assert scan_alone("--save-hmm", tmp_path, model) == 1
    assert capfd.readouterr().err == f"pfamnet-scan: {tmp_path}: is a directory\n"
    assert not list(tmp_path.iterdir())


def test_stdout_and_compressed(model, tmp_path, capfdbinary):
    assert scan_alone("--save-hmm", tmp_path / "x.hmm.gz", model) == 0
    assert scan_alone("--save-hmm", "-", model) == 0
    assert gzip.decompress((tmp_path / "x.hmm.gz").read_bytes()) == capfdbinary.readouterr().out


def test_no_argument_at_all(capfd):
    assert scan_alone() == 2
    assert "Missing argument" in capfd.readouterr().err


def test_what_cannot_be_written_is_one_line(tmp_path):
    saving = lambda out, **more: run_program("--save-hmm", out, LIBRARY, **more)
    with open("/dev/full", "wb") as full:
        for process in (saving("/dev/full"), saving("-", stdout=full)):
            assert process.returncode == 1 and process.stderr.count(b"\n") == 1
            assert b"no space left on device" in process.stderr
    closed = saving("-", preexec_fn=lambda: os.close(1))
    assert (closed.returncode, closed.stderr.count(b"\n")) == (1, 1) and b"stdout is closed" in closed.stderr
    with start("--save-hmm", "-", LIBRARY) as process:
        process.stdout.close()
        assert process.wait(60) == 141 and process.stderr.read() == b""


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_leaves_nothing(tmp_path, number):
    with start("--save-hmm", tmp_path / "out.hmm") as process:  # of the model that ships: it takes seconds
        while not list(tmp_path.iterdir()) and process.poll() is None:
            pass
        process.send_signal(number)
        assert process.wait(60) == 128 + number and process.stderr.read() == b""
    assert not list(tmp_path.iterdir())
