"""Model and sequence files on the command line, empty files, and what other programs call an option."""

import gzip

import pytest
from scanning import DATA, LIBRARY, PROTEINS, records, rows, scan_here

from pfamnet.cli.arguments import kind_of

FIRST, SECOND = records("P15056"), records("P06213", "P07949")


@pytest.fixture
def two(tmp_path):
    """Two sequence files, the second one compressed."""
    (tmp_path / "one.fa").write_bytes(FIRST)
    (tmp_path / "two.fa.gz").write_bytes(gzip.compress(SECOND))
    return tmp_path / "one.fa", tmp_path / "two.fa.gz"


def test_kinds_of_files(two, tmp_path):
    assert [kind_of(str(path)) for path in (*two, LIBRARY, tmp_path)] == [*["sequences"] * 2, *["model"] * 2]
    assert [kind_of(path) for path in ("-", "hf:a/b", "none", "/dev/null")] == [
        *("sequences", "model", None, None)
    ]


def test_an_empty_file_is_named_as_fasta_or_is_none(tmp_path):
    for content in (b"", b"\n", gzip.compress(b"")):
        for name, kind in ("x.fa", "sequences"), ("my.x.faa.gz", "sequences"), ("x.hmm", None), ("x", None):
            (tmp_path / name).write_bytes(content)
            assert kind_of(str(tmp_path / name)) == kind


def test_a_format_tells_sequences_that_do_not_show_it(two, tmp_path, capfd):
    selex = tmp_path / "x.slx"
    selex.write_text("x MKV\n")
    assert kind_of(str(selex)) is None and kind_of(str(selex), "selex") == "sequences"
    assert kind_of(str(LIBRARY), "selex") == "model" and kind_of("none", "selex") is None
    assert scan_here("--qformat", "selex", selex, selex) == 0
    assert "2 sequence files" in capfd.readouterr().err


def test_an_empty_file_may_be_the_first(two, tmp_path, capfdbinary):
    (tmp_path / "empty.fa").write_bytes(b"")
    assert scan_here(tmp_path / "empty.fa", two[0]) == 0
    out, err = capfdbinary.readouterr()
    assert {row.split(b"\t")[3] for row in rows(out)} == {b"P15056"} and b"empty.fa: no sequences" in err


def test_several_files_are_as_one(two, tmp_path, capfdbinary):
    both = tmp_path / "both.fa"
    both.write_bytes(FIRST + SECOND)
    tables = ["--gff3", tmp_path / "x.gff3", "--no-date"]
    assert scan_here(*tables, LIBRARY, both) == 0
    expected, features = capfdbinary.readouterr().out, (tmp_path / "x.gff3").read_bytes()
    assert scan_here(*tables, LIBRARY, *two) == 0
    assert capfdbinary.readouterr() == (expected, b"")
    assert (tmp_path / "x.gff3").read_bytes() == features


def test_a_mistake_names_the_file_and_the_record_within_it(two, tmp_path, capfd):
    bad = tmp_path / "bad.fa"
    bad.write_text(">fine\nACD\n>bad\nAC1\n")
    assert scan_here(LIBRARY, two[0], bad) == 1
    assert f"{bad}: record 2 'bad': illegal character '1'" in capfd.readouterr().err
    out = tmp_path / "out"
    assert scan_here("-o", out, LIBRARY, two[0], "none.fa") == 1 and not out.exists()


@pytest.mark.parametrize(
    "words, said",
    (
        (["{model}"], "is a model: the sequence file is missing"),
        (["{fasta}", "{model}"], "the model comes before the sequence files: pfamnet-scan {model} {fasta}"),
        (["{fasta}", "{folder}"], "{folder} is a model; the model comes before"),
        (["--threads", "4", "{fasta}"], "no option --threads: --cpu does that"),
        (["-t", "4", "{fasta}"], "no option -t: --cpu does that"),
        (["--evalue", "1", "{fasta}"], "no option --evalue: -E does that"),
        (["--output=x", "{fasta}"], "no option --output: -o does that"),
        (["--quiet", "--verbose", "{fasta}"], "--quiet and --verbose exclude each other"),
    ),
)
def test_hints(words, said, two, tmp_path, capfd):
    names = {"model": LIBRARY, "fasta": two[0], "folder": tmp_path}
    assert scan_here(*(word.format(**names) for word in words)) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and said.format(**names) in err


def test_two_sequence_files_without_a_model_are_noted(two, capfdbinary):
    assert scan_here(*two) == 0
    out, err = capfdbinary.readouterr()
    assert {row.split(b"\t")[3] for row in rows(out)} == {b"P15056", b"P06213", b"P07949"}
    assert err.count(b"\n") == 1 and b"note: " in err and b"2 sequence files" in err
    assert scan_here("--quiet", *two) == 0
    assert capfdbinary.readouterr() == (out, b"")


@pytest.mark.parametrize("text", (b"", b"\n \n", gzip.compress(b"")), ids=("empty", "blank", "gzip"))
def test_an_empty_sequence_file_is_a_complete_table(text, tmp_path, capfd):
    path, table = tmp_path / "x.fa", tmp_path / "x.tbl"
    path.write_bytes(text)
    assert scan_here("--domtblout", table, LIBRARY, path) == 0
    out, err = capfd.readouterr()
    assert out.startswith("#target_name") and out.count("\n") == 1
    assert err == f"pfamnet-scan: warning: {path}: no sequences\n"
    assert table.read_text().endswith("# [ok]\n")
    assert scan_here("--strict-empty", LIBRARY, path) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and str(path) in err
    assert scan_here("--quiet", LIBRARY, path) == 0
    assert capfd.readouterr().err == ""


def test_a_bare_sequence_is_told_what_it_lacks(tmp_path, capfd):
    path = tmp_path / "x.fa"
    path.write_text("MKVLA\n")
    assert scan_here(LIBRARY, path) == 1
    assert "a sequence needs a line '>name' before it" in capfd.readouterr().err


def test_no_date_names_no_folder(tmp_path):
    tables = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "one.fa").write_bytes(FIRST)
        options = ["-o", folder / "x.tsv", f"--domtblout={folder / 'x.dom'}", "--no-date"]
        assert scan_here(*options, LIBRARY, folder / "one.fa") == 0
        tables.append((folder / "x.dom").read_bytes())
    assert tables[0] == tables[1] and b"# Query file:      one.fa\n" in tables[0]
    assert DATA.name.encode() + b"/" not in tables[0] and PROTEINS.exists()


@pytest.mark.parametrize("title", [["--title", "mine/yours"], ["--ti", "mine/yours"], ["--title=mine/yours"]])
def test_no_date_leaves_a_title_complete(tmp_path, two, monkeypatch, title):
    options = ["--report", "html", *title, "-o", tmp_path / "page", "--tblout", tmp_path / "t", "--no-date"]
    monkeypatch.setattr("sys.argv", ["pfamnet-scan", *map(str, options)])
    assert scan_here(*options, LIBRARY, two[0]) == 0
    settings = (tmp_path / "t").read_text()
    assert f"{' '.join(title)} -o page --tblout t --no-date" in settings and str(tmp_path) not in settings
