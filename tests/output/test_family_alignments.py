"""-A: the included domains of each family, aligned to its profile."""

import gzip

from pyhmmer.easel import MSAFile
from scanning import LIBRARY, PROTEINS, scan_here

import pfamnet
from pfamnet.output.family_alignments import AUTHOR


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


def test_again_and_compressed(tmp_path, capfd):
    for name in ("x.sto", "x.sto.gz"):
        for _ in range(2):
            assert scan_here("-A", tmp_path / name, "-o", tmp_path / "out", LIBRARY, PROTEINS) == 0
    assert gzip.decompress((tmp_path / "x.sto.gz").read_bytes()) == (tmp_path / "x.sto").read_bytes()
    mine = tmp_path / "mine.sto"
    mine.write_text((tmp_path / "x.sto").read_text().replace(AUTHOR, "#=GF AU me"))
    assert scan_here("-A", mine, "-o", tmp_path / "out", LIBRARY, PROTEINS) == 2
    assert "holds an alignment" in capfd.readouterr().err
