"""Sequence files of every format, against what hmmscan makes of them."""

import gzip
import io
import itertools
import re

import format_fuzz
import golden
import pytest
from scanning import LIBRARY, hmmscan, rows, scan_here, start

from pfamnet.errors import PfamnetError
from pfamnet.io import easel
from pfamnet.io.sequences import no_nucleotides, read_sequences, sniff
from pfamnet.records import Record

NAMES = ("P15056", "P06213")


def embl(records):
    for record in records:
        yield f"ID   {record.name}_X   Reviewed;   {len(record.sequence)} AA.\nAC   {record.name}0123; Q1;\n"
        yield f"DE   {record.description or 'none'}.\nSQ   SEQUENCE   {len(record.sequence)} AA;\n"
        for i in range(0, len(record.sequence), 60):
            yield "     " + record.sequence[i : i + 60].lower() + "\n"
        yield "//\n"


def genbank(records):
    for record in records:
        yield f"LOCUS       {record.name}   {len(record.sequence)} aa   linear\n"
        yield f"DEFINITION  {record.description or 'none'}\nVERSION     {record.name}.2\nORIGIN\n"
        for i in range(0, len(record.sequence), 60):
            yield f"{i + 1:>9} {record.sequence[i : i + 60].lower()}\n"
        yield "//\n"


def stockholm(records):
    width = max(len(record.sequence) for record in records)
    yield "# STOCKHOLM 1.0\n"
    for record in records:
        yield f"{record.name} {record.sequence.ljust(width, '-')}\n"
    yield "//\n"


def afa(records):
    width = max(len(record.sequence) for record in records)
    for record in records:
        yield f">{record.name} {record.description}\n{record.sequence.ljust(width, '-')}\n"


def hmmpgmd(records):
    residues, count = sum(len(record.sequence) for record in records), len(records)
    yield f"#{residues} {count} 1 {count} {count} date\n"
    for record in records:
        yield f">{record.name} 1\n{record.sequence}\n"


UNSIGNED = ("a2m", "afa", "hmmpgmd")  # their first bytes do not show the format
FORMATS = {
    "a2m": afa,
    "hmmpgmd": hmmpgmd,
    "embl": embl,
    "uniprot": embl,
    "genbank": genbank,
    "stockholm": stockholm,
    "pfam": stockholm,
    "afa": afa,
}


def written(format):
    return "".join(FORMATS[format]([golden.record(name) for name in NAMES])).encode()


@pytest.mark.parametrize("format", FORMATS)
def test_formats_are_read_as_hmmscan_reads_them(format, tmp_path, capfdbinary):
    path = tmp_path / "x"
    path.write_bytes(written(format))
    hmmscan(tmp_path, "--domtblout", tmp_path / "theirs", "--qformat", format, path)
    for options in (["--qformat", format], [] if format not in UNSIGNED else ["--qformat", format.upper()]):
        assert scan_here(*options, "--domtblout", tmp_path / "ours", LIBRARY, path) == 0
        assert rows((tmp_path / "ours").read_bytes()) == rows((tmp_path / "theirs").read_bytes())
    assert capfdbinary.readouterr().err == b""
    assert len(rows((tmp_path / "ours").read_bytes())) > 5


@pytest.mark.parametrize("format", format_fuzz.TEXTS)
def test_every_format_has_the_records_that_hmmscan_finds(format, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(format_fuzz.TEXTS[format])
    report = hmmscan(tmp_path, "--qformat", format, path)
    theirs = re.findall(rb"^Query: +(\S+) +\[L=(\d+)\]", report, re.MULTILINE)
    ours = [(record.name, len(record.sequence)) for record in read_sequences(path, format)]
    assert ours == [(name.decode(), int(length)) for name, length in theirs]
    assert ours


@pytest.mark.parametrize("format", ("embl", "genbank", "stockholm", "fasta"))
def test_gzip_and_pipes(format, capfdbinary):
    text = written(format) if format in FORMATS else b">a b\nACDE\n"
    plain = list(read_sequences("-", stdin=io.BytesIO(text)))
    assert list(read_sequences("-", format, stdin=io.BytesIO(gzip.compress(text)))) == plain
    process = start("--mode", "profiles", LIBRARY, "-", stdin=-1)
    out, err = process.communicate(gzip.compress(text))
    assert (process.returncode, err) == (0, b"") and out.startswith(b"#target_name")


def test_accessions_and_numbers():
    first, second = read_sequences("-", stdin=io.BytesIO(written("genbank")))
    assert (first.name, first.accession, first.number) == ("P15056", "P15056.2", 1)
    assert second.number == 2 and second.sequence == golden.record("P06213").sequence


@pytest.mark.parametrize(
    "text, format",
    (
        (b">a\nAC", "fasta"),
        (b"\n\n >a", "fasta"),
        (b"# STOCKHOLM 1.0\n", "stockholm"),
        (b"\nID   x", "embl"),
        (b"LOCUS       x", "genbank"),
        (b"# STO", "fasta"),
        (b"", "fasta"),
        (b"LOC", "fasta"),
        (b"IDx", "fasta"),
    ),
)
def test_sniff(text, format):
    for size in (1, 3, 100):
        chunks = iter([text[i : i + size] for i in range(0, len(text), size)])
        found, lines, again = sniff(chunks)
        blank = len(text) - len(text.lstrip())
        assert (found, lines, b"".join(again)) == (format, text[:blank].count(b"\n"), text[blank:])


def test_fasta_of_a_pipe_is_not_waited_for():
    def endless():
        yield b">"
        raise AssertionError("asked for more than needed")

    found, _, again = sniff(endless())
    assert found == "fasta" and next(again) == b">"


@pytest.mark.parametrize(
    "text, format, said",
    (
        (b">a\nACD\n", "embl", "record 1: not embl"),
        (b"# STOCKHOLM 1.0\na ACD\n", None, "record 1: not stockholm: missing // terminator"),
        (b"# STOCKHOLM 1.0\na ACD\n//\n# STOCKHOLM 1.0\nb ACD\nb AC\n", None, "record 2: not stockholm"),
        (b"# STOCKHOLM 1.0\na AC1\n//\n", None, "record 1 'a': illegal character '1' at position 3"),
        (b"\x00\xff\x80" * 50, "genbank", None),
        (b">a\nAC\n>b\nACD\n", "afa", "record 1: not afa"),
        (b">1 1\nACDEF\n", "hmmpgmd", "line 1: not hmmpgmd: '#' expected"),
        (b"#5 1 1 1 1 date", "hmmpgmd", "line 1: not hmmpgmd: no records"),
        (b"#5 1 1 1 1 date\n>1 1\nAC1\n", "hmmpgmd", "record 1 '1': illegal character '1' at position 3"),
        (b"", "stockholm", None),
    ),
)
def test_what_is_refused(text, format, said, tmp_path, capfd):
    path = tmp_path / "x"
    path.write_bytes(text)
    status = scan_here(*(["--qformat", format] if format else []), LIBRARY, path)
    out, err = capfd.readouterr()
    assert err.count("\n") == 1 and "Traceback" not in err
    if said:
        assert status == 1 and f"{path}: {said}" in err
    else:
        assert status == 0 and "no sequences" in err


def test_truncated_gzip_of_another_format():
    text = gzip.compress(written("embl"))[:-40]
    with pytest.raises(PfamnetError, match="-: truncated gzip data"):
        list(read_sequences("-", stdin=io.BytesIO(text)))


def test_records_come_before_the_bad_one():
    text = written("embl") + b"ID   bad\nno end"
    records = read_sequences("-", stdin=io.BytesIO(text))
    assert [record.number for record in itertools.islice(records, 2)] == [1, 2]
    with pytest.raises(PfamnetError, match="record 3: not embl"):
        next(records)


def test_nucleotides_are_warned_of_once():
    said = []
    records = [
        Record("short", "", "ACGT" * 12, 1),
        Record("protein", "", "MKLVWHERT" * 10, 2),
        Record("gene\n", "", "ACGTN" * 12, 3),
        Record("rna", "", "ACGU" * 20, 4),
    ]
    assert list(no_nucleotides(records, "x.fa", said.append)) == records
    assert said == [
        r"warning: x.fa: record 3 'gene\n': 100% of it is A, C, G, T, U or N: are these "
        "nucleotides? pfamnet expects proteins"
    ]


LATIN = b"caf\xe9"
LATIN_FILES = {
    "genbank": b"LOCUS       N%s   4 aa\nDEFINITION  %s d.\nVERSION     V%s.1\nORIGIN\n        1 acde\n//\n",
    "embl": b"ID   N%s  Reviewed; 4 AA.\nAC   V%s.1;\nDE   %s d.\nSQ   SEQUENCE 4 AA;\n     ACDE\n//\n",
    "stockholm": b"# STOCKHOLM 1.0\n#=GS N%s AC V%s.1\n#=GS N%s DE d\nN%s ACDE\n//\n",
}


@pytest.mark.parametrize("format", LATIN_FILES)
def test_bytes_that_are_not_utf8_are_kept(format):
    text = LATIN_FILES[format].replace(b"%s", LATIN)
    records = list(read_sequences("-", stdin=io.BytesIO(text * 2)))
    assert [record.number for record in records] == [1, 2]
    record, cafe = records[0], LATIN.decode("utf-8", "surrogateescape")
    assert (record.name, record.sequence) == ("N" + cafe, "ACDE")
    assert record.accession.rstrip(";").startswith("V" + cafe)
    assert record.description.endswith("d" if format == "stockholm" else "d.")


@pytest.mark.parametrize("format, text", (("a2m", b">L"), ("selex", b"\x8a \xd3")))
def test_a_crash_of_the_reader_is_one_line(format, text, tmp_path, capfd):
    path = tmp_path / "x"
    path.write_bytes(text)
    assert scan_here("--qformat", format, LIBRARY, path) in (0, 1)
    out, err = capfd.readouterr()
    assert out.count("\n") <= 1 and err.count("\n") == 1 and err.startswith("pfamnet-scan: ")


def test_a_reader_that_dies_does_so_alone(monkeypatch, tmp_path):
    script = tmp_path / "reader.py"
    script.write_text('import os; print(\'["a", "", "", "acde"]\', flush=True); os.abort()')
    monkeypatch.setattr("pfamnet.io.easel._READER", script)
    records = read_sequences("-", "embl", io.BytesIO(b"ID   "))
    assert next(records).sequence == "ACDE"
    with pytest.raises(PfamnetError, match="^-: record 2: not embl: Easel, which reads it, crashed$"):
        next(records)


def test_a_reader_that_does_not_end_is_ended(monkeypatch, tmp_path):
    """By the time that it works, not by the time that its input takes to come."""
    script = tmp_path / "reader.py"
    code = easel._READER.read_text().replace("SECONDS = 120", "SECONDS = 0.2")
    code = code.replace("for sequence in reader:", "for sequence in forever(reader):")
    forever = """
def forever(reader):
    yield next(reader)
    while True:
        pass

"""
    script.write_text(code.replace("def main(", f"{forever}\ndef main("))
    monkeypatch.setattr(easel, "_READER", script)
    records = read_sequences("-", "embl", io.BytesIO(written("embl")))
    assert next(records).name == "P15056_X"
    with pytest.raises(PfamnetError, match="record 2: not embl: Easel, which reads it, crashed"):
        next(records)
