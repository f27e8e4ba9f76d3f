"""No output destroys an input, a model, another output, or an old result that nothing replaces yet."""

import gzip
import os
import shutil
import subprocess

import pyhmmer
import pytest
import untrained
from scanning import LIBRARY, PROGRAM, records, scan_here

from pfamnet.output.tsv import TsvWriter

GOOD = records("P15056")


@pytest.fixture
def files(tmp_path):
    """An input, a flat database as if it were pressed, a model; and links to each."""
    (tmp_path / "x.fa").write_bytes(GOOD)
    (tmp_path / "x.gp").write_text("LOCUS       x\n//\n")
    (tmp_path / "pf.hmm").write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    for ending in ("h3m", "h3f", "h3i", "h3p"):
        (tmp_path / f"pf.hmm.{ending}").write_bytes(b"pressed")
        os.utime(tmp_path / f"pf.hmm.{ending}", (1, 1))  # older than the flat file, which is read then
    untrained.write_model(tmp_path / "model")
    (tmp_path / "list").write_text("KH_1\n")
    os.link(tmp_path / "x.fa", tmp_path / "hard.fa")
    os.symlink("x.fa", tmp_path / "soft.fa")
    os.symlink("model", tmp_path / "other")
    shutil.copy(tmp_path / "pf.hmm", tmp_path / "copy.hmm")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "arguments",
    (
        "-o x.fa pf.hmm x.fa",
        "-o ./../{folder}/x.fa pf.hmm x.fa",
        "-o hard.fa pf.hmm x.fa",
        "-o soft.fa pf.hmm x.fa",
        "--tblout x.fa pf.hmm hard.fa",
        "-o pf.hmm pf.hmm x.fa",
        "--gff3 pf.hmm.h3i pf.hmm x.fa",
        "-o model/families.tsv model x.fa",
        "--json-lines model/light.onnx other x.fa",
        "--domtblout other/model.json model x.fa",
        "--domtblout pf.hmm x.fa",  # a name was forgotten
        "--domtblout copy.hmm pf.hmm x.fa",
        "--pfamtblout model/profiles.h3z x.fa",
        "-o soft.fa pf.hmm x.gp",
        "-o x.gp pf.hmm x.fa",
        "--families list -o list pf.hmm x.fa",
        "-o new --tblout new pf.hmm x.fa",
        "-o new --tblout sub/../new pf.hmm x.fa",
        "-o - --tblout - pf.hmm x.fa",
        "pf.hmm pf.hmm x.fa",
        "-o new",
    ),
)
def test_it_is_refused_before_anything_is_opened(arguments, files, monkeypatch, capfd):
    (files / "sub").mkdir()
    monkeypatch.chdir(files)
    before = contents(files)
    assert scan_here(*arguments.format(folder=files.name).split()) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("pfamnet-scan: ") and err.count("\n") == 1
    assert contents(files) == before


@pytest.mark.parametrize("ending", ("h3m", "h3f", "h3i", "h3p"))
def test_what_hmmpress_wrote_is_kept_though_no_input(ending, tmp_path, capfd):
    with pyhmmer.plan7.HMMFile(str(LIBRARY)) as hmms:
        pyhmmer.hmmer.hmmpress(hmms, tmp_path / "pf.hmm")
    path = tmp_path / f"pf.hmm.{ending}"
    before = path.read_bytes()
    assert scan_here("-o", path, LIBRARY, tmp_path / "x.fa") == 2
    assert "holds profile HMMs" in capfd.readouterr().err and path.read_bytes() == before


def test_stdin_and_stdout_that_are_the_input(files):
    def outcome(*arguments, **streams):
        command = [*PROGRAM, "--mode", "profiles", *arguments]
        done = subprocess.run(command, cwd=files, stderr=subprocess.PIPE, **streams)
        assert done.stderr.count(b"\n") == 1
        return done.returncode

    with open(files / "x.fa", "ab") as appended, open(files / "x.fa", "rb") as stdin:
        assert outcome("pf.hmm", "x.fa", stdout=appended) == 2
        assert outcome("-o", "hard.fa", "pf.hmm", "-", stdin=stdin) == 2
    with open(files / "table", "wb") as stdout:
        assert outcome("--tblout", "/dev/stdout", "pf.hmm", "x.fa", stdout=stdout) == 2
    assert (files / "x.fa").read_bytes() == GOOD


def test_old_results_and_devices_may_be_outputs(files, monkeypatch, capfd):
    monkeypatch.chdir(files)
    options = ["-o", "a", "--domtblout", "b", "--tblout", "/dev/null", "--gff3", "/dev/null"]
    for _ in range(2):
        assert scan_here(*options, "pf.hmm", "x.fa") == 0
        assert b"Pkinase" in (files / "a").read_bytes()
    assert scan_here("-o", "model/new", "--json-lines", "model/lines", "model", "x.fa") == 0
    assert scan_here("-o", "model/new", "--json-lines", "model/lines", "model", "x.fa") == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", (None, b"no fasta", b">a\nAC1\n"), ids=("none", "odd", "bad"))
def test_old_results_stay_if_there_is_no_new_one(text, files, monkeypatch, capfd):
    monkeypatch.chdir(files)
    if text is not None:
        (files / "bad.fa").write_bytes(text)
    tables = ["-o", "out", "--domtblout", "dom", "--json-lines", "lines", "--gff3", "gff"]
    assert scan_here(*tables, "pf.hmm", "x.fa") == 0
    before = contents(files)
    assert scan_here(*tables, "pf.hmm", "bad.fa") == 1
    assert scan_here(*tables, "none.hmm", "x.fa") == 1
    assert scan_here(*tables, "--tblout", "none/tbl", "pf.hmm", "x.fa") == 1
    assert contents(files) == before


def test_new_results_replace_all_of_the_old(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"much older and longer\n" * 9)
    writer = TsvWriter(str(path), header=False)
    assert b"older" in path.read_bytes()
    writer.close()
    assert path.read_bytes() == b""
