"""-A: the included domains of each family, aligned to its profile."""

import gzip

import pytest
from pyhmmer.easel import MSAFile
from scanning import LIBRARY, PROTEINS, records, scan_here

import pfamnet
from pfamnet.output.family_alignments import AUTHOR, UNIQUE


def alignments(path):
    with MSAFile(str(path), format="stockholm") as file:
        return list(file)


def test_rows_are_the_included_domains(tmp_path):
    path, out = tmp_path / "x.sto", tmp_path / "x.tsv"
    assert scan_here("-A", path, "-o", out, LIBRARY, PROTEINS) == 0
    proteins = {protein.name: protein for protein in pfamnet.Model(LIBRARY).scan(PROTEINS)}
    lengths = {family.name: family.length for family in pfamnet.Model(LIBRARY).families}
    expected = {
        (domain.family, f"{name}/{domain.start}-{domain.end}")
        for name, protein in proteins.items()
        for domain in protein.domains
        if domain.included
    }
    found = alignments(path)
    assert {(msa.name, name) for msa in found for name in msa.names} == expected and len(expected) > 50
    for msa in found:
        states = [place for place, mark in enumerate(msa.reference) if mark == "x"]
        assert len(states) == lengths[msa.name] and msa.accession.startswith("PF")
        for name, row in zip(msa.names, msa.alignment):
            protein, _, place = name.rpartition("/")
            start, end = map(int, place.split("-"))
            assert (
                row.replace("-", "").replace(".", "").upper() == proteins[protein].sequence[start - 1 : end]
            )
            assert all(row[place].isupper() or row[place] == "-" for place in states)
            assert all(
                row[place].islower() or row[place] in ".-" for place in set(range(len(row))) - {*states}
            )


def test_domains_of_one_name_are_numbered_as_by_hmmsearch(tmp_path):
    twice = tmp_path / "twice.fa"
    twice.write_bytes(records("P15056") * 2)
    assert scan_here("-A", tmp_path / "x.sto", "-o", tmp_path / "x.tsv", LIBRARY, twice) == 0
    for msa in alignments(tmp_path / "x.sto"):
        assert [name.split("|")[0] for name in msa.names] == [str(n) for n in range(len(msa.names))]
        assert len({name.split("|", 1)[1] for name in msa.names}) == len(msa.names) // 2
    assert UNIQUE in (tmp_path / "x.sto").read_bytes()
    assert scan_here("-A", tmp_path / "x.sto", "-o", tmp_path / "x.tsv", LIBRARY, PROTEINS) == 0
    assert UNIQUE not in (tmp_path / "x.sto").read_bytes()  # an old output is overwritten


@pytest.mark.parametrize("name", ("#=GF", "//", "#"))
def test_names_that_stockholm_would_read_as_its_own_are_numbered(name, tmp_path):
    path, record = tmp_path / "x.fa", records("P15056")
    path.write_bytes(record.replace(b">", f">{name}|".encode()))
    assert scan_here("-A", tmp_path / "x.sto", "-o", tmp_path / "x.tsv", LIBRARY, path) == 0
    found = [row for msa in alignments(tmp_path / "x.sto") for row in msa.names]
    assert found and all(row.startswith(f"0|{name}|") for row in found)


def test_again_and_compressed(tmp_path, capfd):
    for name in ("x.sto", "x.sto.gz"):
        for _ in range(2):
            assert scan_here("-A", tmp_path / name, "-o", tmp_path / "out", LIBRARY, PROTEINS) == 0
    assert gzip.decompress((tmp_path / "x.sto.gz").read_bytes()) == (tmp_path / "x.sto").read_bytes()
    mine = tmp_path / "mine.sto"
    mine.write_text((tmp_path / "x.sto").read_text().replace(AUTHOR, "#=GF AU me"))
    assert scan_here("-A", mine, "-o", tmp_path / "out", LIBRARY, PROTEINS) == 2
    assert "holds an alignment" in capfd.readouterr().err


def test_a_run_that_fails_leaves_no_alignments_of_an_earlier_one(tmp_path, capfd):
    bad = tmp_path / "bad.fa"
    bad.write_bytes(records("P15056") + b">bad\nAC1\n")
    outputs = ["-A", tmp_path / "x.sto", "-o", tmp_path / "x.tsv"]
    assert scan_here(*outputs, LIBRARY, PROTEINS) == 0
    assert scan_here(*outputs, LIBRARY, bad) == 1
    reason = capfd.readouterr().err.removeprefix("pfamnet-scan: ")
    assert (tmp_path / "x.sto").read_text() == f"# incomplete: {reason}"
