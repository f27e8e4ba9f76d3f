"""Input of every kind through the whole program, beside hmmscan where that reads it."""

import gzip
import os
import subprocess

import golden
import pytest
import untrained
from scanning import LIBRARY, hmmscan, rows, scan_here, start

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.errors import PfamnetError
from pfamnet.io import textfile

KINASE = golden.record("P15056").sequence
LONG = "n" * 1000


def wrapped(sequence, width=60, end="\n"):
    return end.join(sequence[i : i + width] for i in range(0, len(sequence), width)) + end


def member(data):
    return gzip.compress(data, mtime=0)


def bgzip(data):
    """Blocks with the extra field of bgzip, and its empty block at the end."""
    blocks = []
    for part in (data[: len(data) // 2], data[len(data) // 2 :], b""):
        block = bytearray(member(part))
        size = len(block) + 8
        block[3] |= 4
        block[10:10] = b"\x06\x00BC\x02\x00" + (size - 1).to_bytes(2, "little")
        blocks.append(bytes(block))
    return b"".join(blocks)


PLAIN = f">k B-Raf\n{wrapped(KINASE)}".encode()
READ_BY_BOTH = {
    "CRLF": PLAIN.replace(b"\n", b"\r\n"),
    "lower case": PLAIN.lower(),
    "stop at the end": PLAIN.rstrip() + b"*\n",
    "stop inside": f">k\n{KINASE[:300]}*{KINASE[300:]}\n".encode(),
    "rare letters": f">k\n{KINASE[:200]}BZXJUO{KINASE[200:]}\n".encode(),
    "blank lines": b"\n\n" + PLAIN.replace(b"\n", b"\n\n") + b"\n\n",
    "empty sequences": b">e1\n" + PLAIN + b">e2 nothing\n>e3\n\n",
    "duplicate names": PLAIN * 3,
    "long name": PLAIN.replace(b">k", b">" + LONG.encode()),
    "tabs and UTF-8": PLAIN.replace(b"B-Raf", 'a\tb é 名 "x'.encode()),
    "no final newline": PLAIN.rstrip(b"\n"),
    "one line": f">k\n{KINASE}\n".encode(),
    "spaces": f">k\n{wrapped(KINASE, 10, ' ')}\n".encode(),
    "gzip": member(PLAIN),
}


@pytest.mark.parametrize("name", READ_BY_BOTH)
def test_rows_are_hmmscans(name, tmp_path, capfdbinary):
    path = tmp_path / ("x.fa.gz" if name == "gzip" else "x.fa")
    path.write_bytes(READ_BY_BOTH[name])
    hmmscan(tmp_path, "-o", os.devnull, "--domtblout", tmp_path / "theirs", path)
    assert scan_here("--domtblout", tmp_path / "ours", LIBRARY, path) == 0
    theirs, ours = (rows((tmp_path / name).read_bytes()) for name in ("theirs", "ours"))
    assert ours == theirs and len(ours) >= 2
    assert capfdbinary.readouterr().err == b""


PACKED = {
    "gzip": member(PLAIN),
    "members": member(PLAIN[:500]) + member(PLAIN[500:]),
    "bgzip": bgzip(PLAIN),
    "plain": PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_files_and_pipes(name, tmp_path, capfdbinary):
    path = tmp_path / "x"
    for data in (PLAIN, PACKED[name]):
        path.write_bytes(data)
        assert scan_here(LIBRARY, path) == 0
    out = capfdbinary.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    process = start("--mode", "profiles", LIBRARY, "-", stdin=subprocess.PIPE)
    assert process.communicate(PACKED[name]) == (out[: len(out) // 2], b"")


REFUSED = {
    "a digit": (PLAIN + b">b\nAC\nD1E\n", "record 2 'b': illegal character '1' at position 4"),
    "a hyphen": (b">b\nAC-DE\n", "record 1 'b': illegal character '-' at position 3"),
    "a control character": (b">b\nAC\x07DE\n", "record 1 'b': illegal character '\\x07' at position 3"),
    "no name": (PLAIN + b">\nACD\n", "record 2: no name"),
    "truncated gzip": (member(PLAIN)[:-20], "record 1 'k': truncated gzip data after "),
    "binary rubbish": (bytes(range(128, 256)) * 9, "line 1: not FASTA"),
    "text": (b"This is no FASTA.\n", "line 1: not FASTA"),
    "damaged gzip": (member(PLAIN)[:50] + b"\xff" * 50 + member(PLAIN)[100:], "gzip data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_line_names_file_record_and_position(name, tmp_path, capfd):
    path = tmp_path / "x.fa"
    text, said = REFUSED[name]
    path.write_bytes(text)
    assert scan_here(LIBRARY, path) == 1
    err = capfd.readouterr().err
    assert err.startswith(f"pfamnet-scan: {path}: ") and said in err and err.count("\n") == 1


def test_no_file_and_no_right(tmp_path, capfd):
    for path, said in (
        (tmp_path / "none", "no such file"),
        (tmp_path / ("x" * 300), "name too long"),
        ("/proc/self/mem", ""),
    ):
        assert scan_here(LIBRARY, path) == 1
        err = capfd.readouterr().err
        assert f"{path}: " in err and said in err and err.count("\n") == 1


def test_nucleotides_are_warned_of(tmp_path, capfd):
    path = tmp_path / "x.fa"
    path.write_text(">gene\n" + "ACGTTGCA" * 40 + "\n")
    assert scan_here(LIBRARY, path) == 0
    err = capfd.readouterr().err
    assert "record 1 'gene': 100% of it is A, C, G, T, U or N" in err and err.count("\n") == 1


@pytest.mark.parametrize("mode", ("hybrid", "profiles", "network"))
def test_a_protein_of_300000_residues(mode, tmp_path, capfdbinary):
    linker = "GSAPTEQKDN" * 15_000
    path = tmp_path / "long.fa"
    path.write_text(f">long\n{linker}{KINASE}{linker}\n>next\n{KINASE}\n")
    model = str(untrained.write_model(tmp_path / "model", candidates=30))
    assert run(scan, ["--mode", mode, model, str(path)]) == 0
    said = capfdbinary.readouterr()
    found = [row.split(b"\t") for row in rows(said.out)]
    assert said.err == b""
    if mode != "network":
        long = [row for row in found if row[3] == b"long" and row[0] == b"Pkinase"]
        short = [row for row in found if row[3] == b"next" and row[0] == b"Pkinase"]
        assert len(long) == len(short) == 1 and long[0][5] == b"300766"
        # the length model may move an end by a residue or two
        assert int(long[0][17]) == pytest.approx(int(short[0][17]) + len(linker), abs=2)


def test_many_tiny_ones(tmp_path, capfdbinary):
    path = tmp_path / "tiny.fa"
    path.write_text("".join(f">t{i}\nMKV\n" for i in range(4_000)) + PLAIN.decode())
    assert scan_here("--json-lines", tmp_path / "all", LIBRARY, path) == 0
    assert len(rows(capfdbinary.readouterr().out)) >= 2
    with open(tmp_path / "all", "rb") as lines:
        assert sum(1 for _ in lines) == 4_001


@pytest.mark.parametrize("pack", (bytes, gzip.compress))
def test_a_line_without_end_is_not_read_to_its_end(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "MOST_LINE", 1 << 20)
    path = tmp_path / "table.tsv"
    path.write_bytes(pack(b"accession\n" + bytes((1 << 20) - 1) + b"\n"))
    assert [number for number, _ in textfile.numbered_lines(path)] == [1, 2]
    path.write_bytes(pack(b"accession\n" + bytes(1 << 22)))
    with pytest.raises(PfamnetError, match="table.tsv: line 2: more than 1 MiB"):
        list(textfile.numbered_lines(path))
