"""What the web app does with what it is given, without the web."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace

import browser
import golden
import pytest
import untrained
from hypothesis import given
from hypothesis import strategies as st
from scanning import LIBRARY, PROTEINS, records, rows

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.cli.web import command_of
from pfamnet.errors import PfamnetError
from pfamnet.web import scanning as web_scan
from pfamnet.web.scanning import LIMIT, WebScanner, framed, message, read_input

GOOD = records("P15056", "P06213").decode()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untrained.write_model(tmp_path_factory.mktemp("web") / "model")


@pytest.fixture
def scanner(model, tmp_path):
    return WebScanner(model, 1, tmp_path, [].append, command_of)


HINT = "; a sequence needs a line '>name' before it"


def refused(*arguments):
    with pytest.raises(PfamnetError) as caught:
        read_input(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_text_and_files_are_read(tmp_path):
    plain, packed = tmp_path / "a.fa", tmp_path / "b.fa.gz"
    plain.write_text(GOOD)
    packed.write_bytes(gzip.compress(GOOD.encode()))
    names = ["P15056", "P06213"]
    for given_input in ((GOOD, None), ("", str(plain)), (None, str(packed)), (" \n", str(plain))):
        assert [record.name for record in read_input(*given_input)] == names


def test_wrong_input_is_told_in_one_line(tmp_path):
    path = tmp_path / "mine<b>.fa"
    path.write_text(">a\nMK1\n")
    assert refused("", str(path)) == "mine<b>.fa: record 1 'a': illegal character '1' at position 3"
    assert refused("MKV", None) == "the pasted text: line 1: not FASTA: '>' expected, 'M' found" + HINT
    assert refused(">x\nM\n>\nM", None).startswith("the pasted text: record 2: no name")
    assert refused("", None) == refused(None, None) == refused("  \n", None)
    assert "both" not in refused("", None) and "remove one of them" in refused(GOOD, str(path))
    path.write_bytes(gzip.compress(GOOD.encode())[:-9])
    assert refused("", str(path)) == "mine<b>.fa: truncated gzip data"
    path.write_bytes(b"")
    assert refused("", str(path)) == "mine<b>.fa: empty file"
    path.write_bytes(b"\x89PNG\r\n")
    assert "not FASTA" in refused("", str(path))


def test_more_than_the_limit_is_refused(tmp_path):
    said = refused(">a\n" + "M" * 50_000_000, None)
    assert said == "the pasted text exceeds the 2 MB of this page; pfamnet-scan takes any amount"
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(20):
            file.write(b"M" * 1_000_000)
    assert path.stat().st_size < LIMIT and "bomb.gz exceeds" in refused("", str(path))
    assert len(read_input(">a\n" + "M" * (LIMIT - 3), None)[0].sequence) == LIMIT - 3
    assert "exceeds" in refused(">a\n" + "M" * (LIMIT - 2), None)


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_or_refused(text):
    try:
        assert read_input(">" + text, None)
    except PfamnetError as error:
        assert "\n" not in str(error)


def test_the_files_are_those_of_the_command(scanner, model, tmp_path, capfdbinary):
    *counts, result = scanner.scan(read_input(PROTEINS.read_text(), None), "fast")
    assert counts == list(range(1, len(golden.records()) + 1))
    files = {Path(path).suffix: Path(path) for path in result.files}
    assert list(files) == [".html", ".tsv", ".domtblout", ".tblout", ".pfamtblout", ".gff3", ".jsonl"]
    query, out = tmp_path / "query.fa", tmp_path / "out"
    query.write_bytes(PROTEINS.read_bytes())
    words = ["--fast", model, query, "-o", out]
    for option in ("--json-lines", "--gff3", "--domtblout"):
        words += [option, tmp_path / option[2]]
    assert run(scan, list(map(str, words))) == 0
    assert files[".tsv"].read_bytes() == out.read_bytes() and len(rows(out.read_bytes())) > 50
    assert files[".jsonl"].read_bytes() == (tmp_path / "j").read_bytes()
    assert files[".gff3"].read_bytes() == (tmp_path / "g").read_bytes()
    domains = files[".domtblout"].read_bytes()
    assert rows(domains) == rows((tmp_path / "d").read_bytes()) and domains.endswith(b"[ok]\n")
    data = browser.data_of(result.page.encode())
    assert data[-1][:2] == ["end", len(golden.records())]
    assert result.summary.startswith(f"{len(golden.records())} proteins, ")


def test_nucleotides_are_warned_of(scanner):
    *_, result = scanner.scan(read_input(">dna\n" + "ACGT" * 30, None), "default")
    assert result.summary.startswith("1 protein, ") and "nucleotides?" in result.summary


def test_a_scan_that_nobody_waits_for_ends_and_leaves_nothing(scanner, tmp_path, monkeypatch):
    done = []
    whole = scanner.model._scanner

    def counted(options):
        made = whole(options)
        return SimpleNamespace(scan=lambda records: done.append(len(records)) or made.scan(records))

    monkeypatch.setattr(scanner.model, "_scanner", counted)
    records = [golden.record("P15056")._replace(number=n) for n in range(200)]
    scan = scanner.scan(records, "default")
    assert next(scan) == 1 and len(list(tmp_path.iterdir())) == 1
    scan.close()
    assert list(tmp_path.iterdir()) == []
    threads = [thread for thread in threading.enumerate() if thread.daemon and "run" in thread.name]
    for thread in threads:
        thread.join(60)
    assert sum(done) < 100


def test_only_the_last_results_stay(scanner, tmp_path, monkeypatch):
    monkeypatch.setattr(web_scan, "KEPT", 2)
    for _ in range(4):
        *_, result = scanner.scan(read_input(">a\nMKVLAAGG", None), "fast")
    assert len(list(tmp_path.iterdir())) == 2 and Path(result.files[0]).exists()


def test_a_sequence_without_a_name_is_taken():
    (record,) = read_input("  MKVLAAGIVG LVLAQ\nACDEF*\n", None)
    assert (record.name, record.sequence) == ("pasted", "MKVLAAGIVGLVLAQACDEF*")
    for text in ("MKV", "MKVLAAGIVG1", "MKVLAAGIVG-LVLAQ"):
        assert "not FASTA" in refused(text, None)


def test_options_are_those_of_the_command(scanner):
    records = read_input(PROTEINS.read_text(), None)
    found = {}
    for options in ((False, False), (True, False), (True, True)):
        *_, result = scanner.scan(records, "default", *options)
        files = {Path(path).suffix: Path(path) for path in result.files}
        found[options] = rows(files[".tsv"].read_bytes())
        command = files[".domtblout"].read_text().partition("# Option settings: ")[2].splitlines()[0]
        assert ("--cut_ga" in command, "--clan-overlaps best" in command) == options
    counts = [len(found[options]) for options in found]
    assert counts[0] > counts[1] > counts[2] > 0


def test_a_sensitivity_that_is_none(scanner):
    with pytest.raises(PfamnetError, match="not one of fast, default, sensitive"):
        list(scanner.scan(read_input(GOOD, None), "<b>"))


def test_a_library_in_the_place_of_a_model(tmp_path):
    warnings = []
    scanner = WebScanner(LIBRARY, 1, tmp_path, warnings.append, command_of)
    *_, result = scanner.scan(read_input(GOOD, None), "default")
    assert "Pkinase" in result.page and not warnings


@given(st.text() | st.sampled_from(browser.EVIL))
def test_messages_and_frames_are_inert(text):
    for made, tags in ((message(text, True), {"p"}), (message(text), {"p"}), (framed(text), {"iframe"})):
        assert browser.Document(made).tags() == tags and made.count("<") == 2
    page = browser.Document(framed(text))
    attributes = page.elements[0][1]
    assert "allow-same-origin" not in attributes["sandbox"] and not re.search("[{}$`]", framed(text))
    assert (
        attributes["srcdoc"].replace("\r", "") == text.replace("\r", "")
        or "\0" in text
        or not text.isprintable()
    )


def test_an_archive_is_no_sequence_file(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.fa"), io.BytesIO(b""))
    assert "tar data, which are not read" in refused("", str(path))


@pytest.mark.parametrize("inner", (gzip.compress, bz2.compress, lzma.compress))
def test_data_that_are_compressed_twice_are_refused(inner, tmp_path):
    """What is small when it is unpacked once may be of any size when it is unpacked again."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(inner(GOOD.encode())))
    assert "x.gz: compressed twice" in refused("", str(path))
