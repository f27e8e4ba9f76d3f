"""Tables whose names end in .gz: compressed, reproducible, and marked if a run fails."""

import gzip
import shutil
import subprocess

import pytest
from scanning import LIBRARY, records, scan_here

from pfamnet.output.tsv import TsvWriter
from pfamnet.records import Record

TABLES = ("tblout", "domtblout", "pfamtblout", "gff3", "json-lines")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(records("P15056", "P06213"))
    return path


def test_every_output_is_compressed(path, tmp_path):
    contents = {}
    for ending in ("", ".gz", ".gz"):
        outs = {name: tmp_path / f"x.{name}{ending}" for name in TABLES}
        options = [word for name, out in outs.items() for word in (f"--{name}", out)]
        main = tmp_path / f"x.tsv{ending}"
        assert scan_here("-o", main, *options, "--no-date", LIBRARY, path) == 0
        for name, out in {"tsv": main, **outs}.items():
            contents.setdefault(name, []).append(out.read_bytes())
    for name, (plain, packed, again) in contents.items():
        lines = [
            [line for line in text.splitlines() if b"Option settings" not in line]
            for text in (plain, gzip.decompress(packed))
        ]
        assert lines[0] == lines[1] and len(lines[0]) >= 2, name
        assert packed == again, name


def test_other_programs_read_them(path, tmp_path):
    if not shutil.which("gzip"):
        pytest.skip("no gzip here")
    for text in (path.read_bytes(), b""):
        path.write_bytes(text)
        out = tmp_path / "x.gz"
        assert scan_here("-o", out, "--no-header", LIBRARY, path) == 0
        done = subprocess.run(["gzip", "-tv", out], capture_output=True)
        assert done.returncode == 0, done.stderr


def test_a_run_that_fails_is_marked(path, tmp_path):
    with open(path, "ab") as file:
        file.write(b">bad\nAC1\n")
    outs = {name: tmp_path / f"{name}.gz" for name in ("tsv", "dom", "json")}
    options = ["-o", outs["tsv"], "--domtblout", outs["dom"], "--json-lines", outs["json"]]
    assert scan_here(*options, LIBRARY, path) == 1
    texts = {name: gzip.decompress(out.read_bytes()).decode() for name, out in outs.items()}
    assert texts["tsv"].splitlines()[-1].startswith("# incomplete: ") and "Pkinase" in texts["tsv"]
    assert "[ok]" not in texts["dom"] and "Pkinase" in texts["dom"]
    assert texts["json"].splitlines()[-1].startswith('{"incomplete"')


def test_an_end_is_taken_back(tmp_path):
    out = tmp_path / "x.gz"
    writer = TsvWriter(str(out))
    writer.write(Record("a", "", "MKV", 1), [])
    writer.end()
    writer.abandon("another file failed")
    assert gzip.decompress(out.read_bytes()).splitlines()[1:] == [b"# incomplete: another file failed"]


def test_sequences_are_not_overwritten(path, tmp_path, capfd):
    packed = tmp_path / "mine.gz"
    for text, status in (
        (gzip.compress(path.read_bytes()), 2),
        (b"\x1f\x8bxx", 2),
        (gzip.compress(b"x\n"), 0),
    ):
        packed.write_bytes(text)
        assert scan_here("-o", packed, LIBRARY, path) == status
        assert (packed.read_bytes() == text) == (status == 2)
    assert "mine.gz: holds sequences" in capfd.readouterr().err
