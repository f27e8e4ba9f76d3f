"""GFF3: the specification's grammar, and the values of the table."""

import gzip
import re
import urllib.parse

import golden
import pytest
import untrained
from scanning import LIBRARY, PROTEINS, rows, scan_here

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.hits import network_domain, network_hit
from pfamnet.output.gff3 import Gff3Writer, today
from pfamnet.records import Origin, Record

SEQID = re.compile(r"(?:[a-zA-Z0-9.:^*$@!+_?|-]|%[0-9A-F]{2})+$")


def features(text):
    for line in text.decode().splitlines():
        if not line.startswith("#"):
            columns = line.split("\t")
            pairs = dict(pair.split("=", 1) for pair in columns[8].split(";"))
            yield columns, {key: urllib.parse.unquote(value) for key, value in pairs.items()}


def test_one_feature_for_each_domain(tmp_path, capfdbinary):
    assert scan_here("--gff3", tmp_path / "gff", LIBRARY, PROTEINS) == 0
    table = [row.decode().split("\t") for row in rows(capfdbinary.readouterr().out)]
    text = (tmp_path / "gff").read_bytes()
    found = list(features(text))
    assert text.startswith(b"##gff-version 3.1.26\n") and len(found) == len(table) > 100
    lengths = dict(line.split()[1::2] for line in text.decode().splitlines() if line.startswith("##seq"))
    for (columns, pairs), row in zip(found, table):
        assert len(columns) == 9 and SEQID.match(columns[0])
        assert urllib.parse.unquote(columns[0]) == row[3] and lengths[columns[0]] == row[5]
        assert columns[1:3] == ["pfamnet", "protein_match"] and columns[6:8] == ["+", "."]
        assert columns[3:6] == [row[17], row[18], row[12]]
        assert 1 <= int(columns[3]) <= int(columns[4]) <= int(row[5])
        assert pairs["Name"] == row[1].split(".")[0] and pairs["signature_desc"] == row[22]
        assert pairs["Target"] == f"{pairs['Name']} {row[15]} {row[16]}"
        assert (pairs["included"], pairs["status"]) in (("true", "T"), ("false", "?"))
        assert pairs["date"] == today() and pairs["family"] == row[0]
        assert (pairs["env_start"], pairs["env_end"], pairs["bits"]) == (row[19], row[20], row[13])
        assert pairs["found_by"] == row[23]
    assert len({pairs["ID"] for _, pairs in found}) == len(found)
    included = [
        domain.included for hits in golden.hits("default") for hit in hits for domain in hit.reported_domains
    ]
    assert [pairs["included"] == "true" for _, pairs in found] == included and len(set(included)) == 2


def test_no_date(tmp_path, capfd):
    for name in "ab":
        assert scan_here("--no-date", "--gff3", tmp_path / name, LIBRARY, PROTEINS) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"date=" not in (tmp_path / "a").read_bytes()


def test_sources(tmp_path, capfd):
    model = untrained.write_model(tmp_path / "model")
    assert run(scan, ["--mode", "hybrid", "--gff3", str(tmp_path / "gff"), str(model), str(PROTEINS)]) == 0
    assert {pairs["found_by"] for _, pairs in features((tmp_path / "gff").read_bytes())} == {
        "profile",
        "network",
        "both",
    }


def test_names_are_escaped(tmp_path):
    record = Record("a;b=c%é>\udcff,&", "", "A" * 90, 7)
    import dataclasses

    family = dataclasses.replace(
        golden.families()[0], accession="", name="x y;z", description="50%, a=b;c\t&"
    )
    hit = network_hit(0, family, record, [network_domain(0, 50, 1e-9, 30.0, (1, 20))])
    with Gff3Writer(str(tmp_path / "gff")) as writer:
        writer.write(record, [hit])
    text = (tmp_path / "gff").read_bytes()
    assert b"a%3Bb%3Dc%25%C3%A9%3E%FF%2C%26\t" in text
    ((columns, pairs),) = features(text)
    assert pairs["ID"] == "match$a;b=c%é>\ufffd,&_1_1_50"
    assert pairs["Name"] == "x y;z" and pairs["signature_desc"] == "50%, a=b;c\t&"
    assert b"Target=x%20y%3Bz 1 20;" in text


def test_features_do_not_depend_on_the_place_in_the_file(tmp_path):
    record, (hits, *_) = golden.record("P06213"), golden.hits("default")
    for number in (1, 2):
        with Gff3Writer(str(tmp_path / str(number))) as writer:
            writer.write(record._replace(number=number), hits)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("name", ("x.gff", "x.gff.gz"))
def test_a_nucleotide_sequence_has_one_region_though_the_scan_was_stopped(name, tmp_path):
    path, (family, *_) = str(tmp_path / name), golden.families()
    frames = [
        Record(f"f{n}", "", "M" * 90, n + 1, "", Origin("chr", 900, 90 * n, 90 * n + 90, "+"))
        for n in range(3)
    ]
    hits = [[network_hit(0, family, frame, [network_domain(5, 50, 1e-9, 30.0, (1, 40))])] for frame in frames]
    with Gff3Writer(path) as writer:
        for pair in zip(frames, hits):
            writer.write(*pair)
    whole = content(path)
    stopped = Gff3Writer(path)
    stopped.write(frames[0], hits[0])
    at = stopped.saved()
    stopped.abandon("stopped")
    with Gff3Writer(path) as writer:
        writer.go_on(1, *at)
        for pair in zip(frames[1:], hits[1:]):
            writer.write(*pair)
    assert content(path) == whole and whole.count(b"##sequence-region") == 1


def content(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        return file.read()


def test_nothing_found_and_not_whole(tmp_path):
    path = str(tmp_path / "gff")
    with Gff3Writer(path) as writer:
        writer.write(golden.record("P06213"), [])
    assert (tmp_path / "gff").read_bytes() == b"##gff-version 3.1.26\n"
    writer = Gff3Writer(path)
    writer.write(golden.record("P06213"), [])
    writer.abandon("why")
    assert (tmp_path / "gff").read_bytes().endswith(b"\n# incomplete: why\n")
