"""Chunks of a FASTA file: together they are its records, whatever stands before the first."""

import bz2
import gzip
import lzma
import runpy
import subprocess
from types import SimpleNamespace

import pytest
from workflow_engines import WRAPPERS

RECORDS = [
    b">first and more\nMKV\n\nLAAG\n",
    b">second\r\nMK\r\n",
    b">third\n",
    b">fourth\nM>K\nAC",
    b"\n>fifth\nW\n",
]
FASTA = b"".join(RECORDS)
BEFORE = {
    "nothing": b"",
    "a blank line": b"\n",
    "blanks": b" \t\r\n\r\n",
    "a BOM": b"\xef\xbb\xbf",
    "both": b"\xef\xbb\xbf\n",
}


def snakemake(path, chunks):
    """What the Snakemake workflow's script makes of a file."""
    outputs = [str(path.parent / f"{number}.fa") for number in range(chunks)]
    script = WRAPPERS / "snakemake" / "workflow" / "scripts" / "split.py"
    runpy.run_path(str(script), {"snakemake": SimpleNamespace(input=[str(path)], output=outputs)})
    return [open(output, "rb").read() for output in outputs]


def cwl(path, chunks):
    """What the script of the CWL tool makes of a file."""
    yaml = pytest.importorskip("yaml")
    tool = yaml.safe_load((WRAPPERS / "cwl" / "split-fasta.cwl").read_text())
    script = tool["arguments"][0]["valueFrom"]
    done = subprocess.run(
        [*tool["baseCommand"], script, "split-fasta", path.name, str(chunks)],
        cwd=path.parent,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    opener = gzip.open if path.suffix == ".gz" else open
    return [opener(part, "rb").read() for part in sorted(path.parent.glob("0*/*"))]


@pytest.fixture(params=(snakemake, cwl))
def split(request):
    return request.param


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("chunks", (1, 2, 7))
def test_no_record_is_lost(split, before, chunks, tmp_path):
    (tmp_path / "x.fa").write_bytes(before + FASTA)
    parts = split(tmp_path / "x.fa", chunks)
    assert len(parts) == chunks and b"".join(parts) == FASTA
    sizes = [sum(line.startswith(b">") for line in part.splitlines()) for part in parts]
    assert sum(sizes) == len(RECORDS) and max(sizes) - min(sizes) <= 1
    assert all(part.startswith(b">") for part in parts if part)


def test_an_empty_file_has_empty_chunks(split, tmp_path):
    for content in (b"", b"\n\n"):
        (tmp_path / "x.fa").write_bytes(content)
        assert split(tmp_path / "x.fa", 2) == [b"", b""]
        for old in tmp_path.glob("0*/*"):
            old.unlink()
            old.parent.rmdir()


@pytest.mark.parametrize(
    ("split", "pack", "name"),
    (
        (snakemake, gzip.compress, "x.fa.gz"),
        (snakemake, bz2.compress, "x.fa.bz2"),
        (snakemake, lzma.compress, "x"),
        (cwl, gzip.compress, "x.fa.gz"),
    ),
)
def test_compressed(split, pack, name, tmp_path):
    (tmp_path / name).write_bytes(pack(b"\n" + FASTA))
    assert b"".join(split(tmp_path / name, 2)) == FASTA


@pytest.mark.parametrize("content", (b"# STOCKHOLM 1.0\n\nx MKV\n//\n", b"ID   x\n", b"\1"))
def test_what_is_no_fasta_is_refused(split, content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(SystemExit, match="x: not FASTA"):
        split(tmp_path / "x", 2)


def test_data_that_cwl_does_not_unpack_are_refused(tmp_path):
    (tmp_path / "x.bz2").write_bytes(bz2.compress(FASTA))
    with pytest.raises(SystemExit, match="not FASTA, plain or gzip"):
        cwl(tmp_path / "x.bz2", 2)


@pytest.mark.parametrize("pack", (gzip.compress, lambda content: b"PK\3\4"), ids=("cut off", "zip"))
def test_damaged_data_have_no_chunks(split, pack, tmp_path):
    (tmp_path / "x.fa.gz").write_bytes(pack(FASTA * 2)[:60])
    with pytest.raises((SystemExit, EOFError)):
        split(tmp_path / "x.fa.gz", 2)
