"""--families, --list-families, --info, and the look of the table on a terminal."""

import gzip
import json
import os
import pty
import shlex
import subprocess

import golden
import pytest
import untrained
from golden import families
from scanning import ENVIRONMENT, LIBRARY, PROGRAM, records, rows, scan_here

import pfamnet
from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.model.directory import as_text, description_digest
from pfamnet.output.tsv import _HEADER, aligned_line

NAMES = b"Pkinase", b"PK_Tyr_Ser-Thr"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(records("P15056", "P06213"))
    return path


def fields(out, *without):
    """The rows, without some columns."""
    found = [row.split(b"\t") for row in rows(out)]
    return [[field for n, field in enumerate(row) if n not in without] for row in found]


def test_a_subset_has_the_numbers_of_the_complete_scan(path, tmp_path, capfdbinary):
    table = tmp_path / "families.txt"
    table.write_text("# mine\nPkinase  and more\n\nPF07714\n")
    assert scan_here("--domZ", 5, LIBRARY, path) == 0
    complete = [row for row in fields(capfdbinary.readouterr().out) if row[0] in NAMES]
    assert len(complete) > 2
    for given in ("Pkinase,PF07714", "PF07714.20, PF00069", table):
        assert scan_here("--domZ", 5, "--families", given, LIBRARY, path) == 0
        assert fields(capfdbinary.readouterr().out) == complete


def test_a_subset_in_every_mode(path, tmp_path, capfdbinary):
    model = untrained.write_model(tmp_path / "model", candidates=22)
    for mode in ("hybrid", "network", "profiles", "auto"):
        options = ["--mode", mode, "--domZ", "5", str(model), str(path)]
        assert run(scan, options) == 0
        complete = [row for row in fields(capfdbinary.readouterr().out) if row[0] in NAMES]
        assert complete or mode == "network"
        assert run(scan, ["--families", "Pkinase,PK_Tyr_Ser-Thr", *options]) == 0
        assert fields(capfdbinary.readouterr().out) == complete


def test_families_that_are_none(path, capfd):
    for given, said in (("Pkinase,none", "has no family 'none'"), (",", "no families are chosen")):
        assert scan_here("--families", given, LIBRARY, path) == 1
        out, err = capfd.readouterr()
        assert out == "" and err.count("\n") == 1 and said in err
    with pytest.raises(pfamnet.PfamnetError, match="has no family 'none'"):
        pfamnet.Model(LIBRARY).scan(path, families="none")
    (protein, _) = pfamnet.Model(LIBRARY).scan(path, families=["Pkinase"])
    assert {domain.family for domain in protein.domains} == {"Pkinase"}


def test_list_of_families(capfd):
    assert run(scan, ["--list-families", str(LIBRARY)]) == 0
    head, *lines = capfd.readouterr().out.splitlines()
    assert head.startswith("#accession\tname\tlength") and len(lines) == len(families())
    first = families()[0]
    assert lines[0].split("\t")[:3] == [first.accession, first.name, str(first.length)]


def test_info(tmp_path, capfd):
    model = untrained.write_model(tmp_path / "model")
    assert run(scan, ["--info", str(model)]) == 0
    out = capfd.readouterr().out
    assert "22, of these 2 in 1 clans" in out and "GA: 22" in out and "light: blocks of" in out
    assert "default" in out and "12 candidates" in out and "licence" in out
    assert run(scan, ["--info", str(LIBRARY)]) == 0
    assert "every profile is searched" in capfd.readouterr().out
    assert run(scan, ["--info", str(LIBRARY), "x.fa"]) == 2 and run(scan, []) == 2


def test_a_list_is_quiet_with_quiet(path, tmp_path, capfd):
    listed = tmp_path / "list.gz"
    listed.write_bytes(gzip.compress(b"Pkinase\n") + b"garbage")
    for quiet, said in (["--quiet"], ""), ([], "pfamnet-scan: warning: "):
        assert scan_here(*quiet, "--families", listed, "-o", tmp_path / "out", LIBRARY, path) == 0
        err = capfd.readouterr().err
        assert err.startswith(said) and err.count("\n") == bool(said)


@pytest.mark.parametrize("option", ("--info", "--list-families"))
def test_descriptions_need_stdout(option):
    words = shlex.join([*PROGRAM, option, str(LIBRARY)])
    done = subprocess.run(["sh", "-c", f"{words} >&-"], env=ENVIRONMENT, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"pfamnet-scan: stdout is closed\n")


@pytest.mark.parametrize("option", ("--info", "--list-families"))
def test_descriptions_take_no_options_of_a_scan(option, tmp_path, capfd):
    assert run(scan, [option, "-o", str(tmp_path / "out"), str(LIBRARY)]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "not together with -o" in err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "place, value",
    [
        (("provenance",), "x"),
        (("provenance", "options"), None),
        (("provenance", "options", "license"), "\ud800"),
        (("networks", "light", "sensitivities", "fast", "recall"), "x"),
        (("pfamnet",), None),
    ],
)
def test_info_that_is_damaged_is_one_line(place, value, tmp_path, capfd):
    """The digest fits, but no build has written it; a scan needs none of this."""
    model = untrained.write_model(tmp_path / "model")
    description = json.loads((model / "model.json").read_text())
    *folders, name = place
    inner = description
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[name] = value
    if value is None:
        del inner[name]
    if place[-1] == "options":
        inner[name] = [1]
    description["digest"] = description_digest({k: v for k, v in description.items() if k != "digest"})
    (model / "model.json").write_text(as_text(description))
    assert run(scan, ["--info", str(model)]) == 1
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "lacks what --info needs" in said.err


def test_profiles_of_one_accession_are_chosen_together(path, tmp_path, capfdbinary):
    database = tmp_path / "two.hmm"
    with open(database, "wb") as file:
        for version, hmm in enumerate(hmm for hmm in golden.hmms() if hmm.name.encode() in NAMES):
            hmm = hmm.copy()
            hmm.accession = f"PF99999.{version}"
            hmm.write(file)
    for given, count in (("PF99999", 2), ("PF99999.1", 1)):
        assert scan_here("--families", given, database, path) == 0
        assert len({row[0] for row in fields(capfdbinary.readouterr().out)}) == count


def test_columns_on_a_terminal(path):
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "--mode", "profiles", "--cut_ga", str(LIBRARY), str(path)]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 1 << 16):
                text += piece
        except OSError:  # Linux says so at the end
            pass
        assert process.wait(60) == 0 and process.stderr.read() == b""
    os.close(ours)
    head, *lines = text.replace(b"\r\n", b"\n").splitlines()
    assert b"\t" not in text and len(lines) > 2
    place = head.index(b"query_name")
    assert {line[place:].split()[0] for line in lines} == {b"P15056", b"P06213"}
    assert head.split() == aligned_line(_HEADER).split() and b"source" in head
