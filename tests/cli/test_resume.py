"""--resume: a scan that was stopped goes on, and its outputs are as if it never had been."""

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import golden
import pytest
import untrained
from scanning import ENVIRONMENT, LIBRARY, PROTEINS, scan_here

from pfamnet.cli import scan_files
from pfamnet.output import journal

TABLES = ("tblout", "domtblout", "pfamtblout", "gff3", "json-lines", "architecture", "pfamscan")
COUNT = PROTEINS.read_text().count(">")


@pytest.fixture
def argv(monkeypatch):
    """The command line that outputs state."""
    monkeypatch.setattr(sys, "argv", ["pfamnet-scan"])


def outputs(folder, ending):
    options = ["--resume", "--no-date", "-o", folder / f"main{ending}"]
    return options + [word for name in TABLES for word in (f"--{name}", folder / f"{name}{ending}")]


def contents(folder):
    return {
        path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in folder.iterdir()
    }


def stop_after(monkeypatch, count, error):
    """Let the scan fail after so many queries."""
    left = [count]

    def add(self, record, hits):
        left[0] -= 1
        if left[0] == 0:
            raise error

    monkeypatch.setattr(scan_files.Done, "add", add)


@pytest.mark.parametrize("ending", ("", ".gz"))
@pytest.mark.parametrize("every", (0.0, 1e9))
@pytest.mark.parametrize("report", ("tsv", "text"))
def test_stopped_and_stopped_again(ending, every, report, tmp_path, monkeypatch, argv, capfd):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    more = ["--report", report, LIBRARY, PROTEINS]
    assert scan_here(*outputs(one, ending), *more) == 0
    monkeypatch.setattr(journal, "EVERY", every)
    for count, error in ((1, KeyboardInterrupt()), (7, OSError(28, "disk full")), (12, KeyboardInterrupt())):
        with monkeypatch.context() as patches:
            stop_after(patches, count, error)
            assert scan_here(*outputs(two, ending), *more) in (1, 130)
        assert json.loads((two / f"main{ending}.resume").read_text())["queries"] > 0
    capfd.readouterr()
    assert scan_here(*outputs(two, ending), *more) == 0
    assert capfd.readouterr().err == "pfamnet-scan: note: resuming after 20 sequences\n"
    assert contents(two) == contents(one) and len(contents(one)) == 1 + len(TABLES)


def test_killed_in_the_middle_of_a_row(tmp_path, monkeypatch, argv):
    """What came after the last entry is cut off, whatever it is."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    assert scan_here(*outputs(one, ""), LIBRARY, PROTEINS) == 0
    monkeypatch.setattr(journal, "EVERY", 0.0)
    with monkeypatch.context() as patches:
        stop_after(patches, 9, KeyboardInterrupt())
        assert scan_here(*outputs(two, ""), LIBRARY, PROTEINS) == 130
    for path in two.iterdir():
        if path.suffix != ".resume":
            with open(path, "ab") as file:
                file.write(b"torn row without")
    assert scan_here(*outputs(two, ""), LIBRARY, PROTEINS) == 0
    assert contents(two) == contents(one)


@pytest.mark.parametrize("room", (0, 10, 40))
def test_a_disk_that_is_full_after_an_entry_leaves_it(room, tmp_path):
    """There may be no room for the mark of an incomplete table: it replaces nothing that is complete."""
    one, two = tmp_path / "one", tmp_path / "two"

    def run(out, limit=resource.RLIM_INFINITY):
        code = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
            "from pfamnet.output import journal; journal.EVERY = 0.0; "
            "from pfamnet.cli import main_scan; main_scan()"
        )
        options = ["--resume", "--no-date", "--mode", "profiles", "--cpu", "1", "-o", str(out)]
        command = [sys.executable, "-c", code, *options, str(LIBRARY), str(PROTEINS)]
        done = subprocess.run(command, env=ENVIRONMENT, stderr=subprocess.PIPE)
        return done.returncode, done.stderr

    assert run(one)[0] == 0
    lines = one.read_bytes().splitlines(keepends=True)
    names = [line.split(b"\t")[3] for line in lines]
    limit = room + sum(map(len, lines[: next(n for n in range(20, 99) if names[n] != names[n - 1])]))
    code, said = run(two, limit)
    assert code == 1 and b"file too large" in said and two.stat().st_size <= limit
    assert run(two)[0] == 0 and two.read_bytes() == one.read_bytes()


def test_a_real_kill(tmp_path):
    code = (
        "import sys; from pfamnet.output import journal; journal.EVERY = 0.0; "
        "from pfamnet.cli import main_scan; main_scan()"
    )
    query = tmp_path / "x.fa"
    query.write_bytes(PROTEINS.read_bytes() * 20)
    command = ["--resume", "--no-date", "--mode", "profiles", str(LIBRARY), str(query)]
    tables = lambda name: ["-o", str(tmp_path / f"{name}.tsv"), "--gff3", str(tmp_path / f"{name}.gff3.gz")]
    start = lambda name: subprocess.Popen(
        [sys.executable, "-c", code, *command, *tables(name)], env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    assert start("whole").wait(120) == 0
    process, path = start("x"), tmp_path / "x.tsv.resume"
    while process.poll() is None and not (path.exists() and json.loads(path.read_text())["queries"] > 100):
        pass
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -9
    assert start("x").wait(120) == 0 and not path.exists()
    assert (tmp_path / "x.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    whole, other = (gzip.decompress((tmp_path / f"{name}.gff3.gz").read_bytes()) for name in ("whole", "x"))
    assert whole == other


def test_another_scan_is_refused(tmp_path, monkeypatch, argv, capfd):
    out = ["--resume", "-o", tmp_path / "out"]
    with monkeypatch.context() as patches:
        stop_after(patches, 5, KeyboardInterrupt())
        assert scan_here(*out, LIBRARY, PROTEINS) == 130
    monkeypatch.setattr(sys, "argv", ["pfamnet-scan", "--cut_ga"])
    assert scan_here(*out, "--cut_ga", LIBRARY, PROTEINS) == 1
    assert "is of a scan with other options or files" in capfd.readouterr().err
    assert scan_here("-o", tmp_path / "out", LIBRARY, PROTEINS) == 0
    assert not (tmp_path / "out.resume").exists()
    for text in (
        "{}",
        '{"scan": [], "queries": 1, "sizes": [5]}',
        '{"scan": [], "queries": [], "sizes": []}',
    ):
        (tmp_path / "out.resume").write_text(text)
        assert scan_here(*out, LIBRARY, PROTEINS) == 1
        assert "is not the journal of a scan" in capfd.readouterr().err


@pytest.mark.parametrize("changed", ("x.fa", "x.hmm", "families"))
def test_files_that_have_changed_are_other_files(changed, tmp_path, monkeypatch, argv, capfd):
    (tmp_path / "x.fa").write_bytes(PROTEINS.read_bytes())
    (tmp_path / "x.hmm").write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    (tmp_path / "families").write_text("\n".join(family.name for family in golden.families()))
    files = ["--families", tmp_path / "families", tmp_path / "x.hmm", tmp_path / "x.fa"]
    with monkeypatch.context() as patches:
        stop_after(patches, 5, KeyboardInterrupt())
        assert scan_here("--resume", "-o", tmp_path / "out", *files) == 130
    os.utime(tmp_path / changed, (1, 1))
    assert scan_here("--resume", "-o", tmp_path / "out", *files) == 1
    assert "is of a scan with other options or files" in capfd.readouterr().err


def test_another_model_of_the_same_name_is_another_one(tmp_path, monkeypatch, argv, capfd):
    model, command = tmp_path / "model", ["--resume", "-o", tmp_path / "out", tmp_path / "model", PROTEINS]
    untrained.write_model(model)
    with monkeypatch.context() as patches:
        stop_after(patches, 5, KeyboardInterrupt())
        assert scan_here(*command) == 130
    shutil.rmtree(model)
    untrained.write_model(model, candidates=9)
    assert scan_here(*command) == 1
    assert "is of a scan with other options or files" in capfd.readouterr().err


def test_a_file_of_the_journals_name_stays(tmp_path, capfd):
    notes = tmp_path / "out.resume"
    notes.write_bytes(PROTEINS.read_bytes())
    assert scan_here("-o", tmp_path / "out", LIBRARY, notes) == 0
    assert notes.read_bytes() == PROTEINS.read_bytes()
    assert scan_here("--resume", "-o", tmp_path / "out", LIBRARY, notes) == 2
    assert "out.resume: is an input" in capfd.readouterr().err


def test_outputs_that_cannot_go_on(tmp_path, capfd):
    for options, said in (
        ([], "-o is missing"),
        (["-o", tmp_path / "x", "--report", "html"], "cannot go on with an output of html"),
        (["-o", tmp_path / "x", "-A", tmp_path / "y"], "cannot go on with an output of stockholm"),
    ):
        assert scan_here("--resume", *options, LIBRARY, PROTEINS) == 2
        assert said in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_scan_that_cannot_begin_leaves_the_journal(tmp_path, monkeypatch, argv):
    with monkeypatch.context() as patches:
        stop_after(patches, 5, KeyboardInterrupt())
        assert scan_here("--resume", "-o", tmp_path / "out", LIBRARY, PROTEINS) == 130
    before = contents(tmp_path)
    assert scan_here("-o", tmp_path / "out", LIBRARY, tmp_path / "none.fa") == 1
    assert contents(tmp_path) == before and "out.resume" in before


@pytest.mark.parametrize("ending", ("", ".gz"))
def test_outputs_that_hold_something_else_are_refused(ending, tmp_path, monkeypatch, argv, capfd):
    with monkeypatch.context() as patches:
        stop_after(patches, 5, KeyboardInterrupt())
        assert scan_here(*outputs(tmp_path, ending), LIBRARY, PROTEINS) == 130
    changed = tmp_path / f"domtblout{ending}"
    changed.write_bytes(changed.read_bytes()[::-1] * 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capfd.readouterr()
    assert scan_here(*outputs(tmp_path, ending), LIBRARY, PROTEINS) == 1
    assert f"{changed}: has changed since the scan was stopped" in capfd.readouterr().err
    assert changed.read_bytes() == before[changed.name]
