"""Open reading frames: six frames, places on the contig, and GFF3 of them."""

import random
import re

import pytest
from scanning import LIBRARY, records, scan_here

import pfamnet
from pfamnet.errors import PfamnetError
from pfamnet.io.fasta import read_fasta
from pfamnet.io.translation import CODES, LEAST, translated
from pfamnet.records import Origin, Record

CODONS = "GCT TGC GAC GAA TTC GGT CAC ATC AAA CTG ATG AAC CCG CAG CGT AGC ACC GTG TGG TAC"
CODONS = dict(zip("ACDEFGHIKLMNPQRSTVWY", CODONS.split(" ")))
PROTEIN = "MKVLAAGIVGLVLAQWEFRHSTNPDCYKMKVLAAGIVG"


def genes(protein):
    return "".join(CODONS[residue] for residue in protein)


def reverse(text):
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def frames(sequence, code=1, name="c"):
    return list(translated([Record(name, "d", sequence, 1)], code, "x.fa"))


def translation(text, code=1):
    """By the book, with Biopython."""
    Seq = pytest.importorskip("Bio.Seq").Seq
    return str(Seq(text).translate(table=code))


@pytest.mark.parametrize("shift", (0, 1, 2))
@pytest.mark.parametrize("strand", "+-")
def test_a_gene_in_each_frame(shift, strand):
    gene = "TAA" + genes(PROTEIN) + "TGA"
    contig = "G" * (6 + shift) + (gene if strand == "+" else reverse(gene)) + "CC"
    (found,) = [record for record in frames(contig) if record.sequence == PROTEIN]
    start = contig.index(genes(PROTEIN) if strand == "+" else reverse(genes(PROTEIN)))
    assert found.origin == Origin("c", len(contig), start, start + 3 * len(PROTEIN), strand)
    assert re.fullmatch(r"c_orf\d+", found.name) and f"strand={strand} d" in found.description
    first, last = found.origin.place(3, 7)
    part = contig[first - 1 : last]
    assert (part if strand == "+" else reverse(part)) == genes(PROTEIN[2:7])


@pytest.mark.parametrize("code", CODES)
def test_frames_are_all_that_lie_between_stops(code):
    choose = random.Random(code)
    contig = "".join(choose.choices("ACGT", k=3001)) + "NNN" * 40 + "".join(choose.choices("ACGT", k=500))
    expected = []
    for text in (contig, reverse(contig)):
        for shift in range(3):
            whole = text[shift : shift + (len(text) - shift) // 3 * 3]
            expected += [
                part for part in translation(whole, code).split("*") if len(part) - part.count("X") >= LEAST
            ]
    found = frames(contig, code)
    assert sorted(record.sequence for record in found) == sorted(expected) and len(found) > 5
    starts = [record.origin.start for record in found]
    assert starts == sorted(starts) and [record.number for record in found] == [*range(1, len(found) + 1)]
    for record in found:
        part = contig[record.origin.start : record.origin.end]
        assert translation(part if record.origin.strand == "+" else reverse(part), code) == record.sequence


def test_short_sequences_and_rna():
    for text in ("", "A", "AC", "ACG", "N" * 300):
        assert frames(text) == []
    rna = genes(PROTEIN).replace("T", "U")
    assert PROTEIN in [record.sequence for record in frames(rna)]


def test_proteins_are_refused():
    with pytest.raises(PfamnetError, match="x.fa: record 1 'c': 'L' at position 3 is no nucleotide"):
        frames("ACLG")
    with pytest.raises(PfamnetError, match="genetic code 7: not one of 1, 2, 3"):
        pfamnet.Model(LIBRARY).scan({"a": "ACGT"}, genetic_code=7)


@pytest.fixture
def contigs(tmp_path):
    """Two kinases on the two strands of one contig, and another contig."""
    query = tmp_path / "proteins.fa"
    query.write_bytes(records("P15056", "P07949"))
    one, two = (genes(record.sequence) for record in read_fasta(query))
    path = tmp_path / "x.fna"
    path.write_text(
        f">contig.1 mine\n{'TAA' + one + 'TAACC' + reverse(two) + 'TTA'}\n>empty\nACGT\n>c2\n{one}\n"
    )
    return query, path, (one, two)


def test_domains_are_placed_on_the_contig(contigs, tmp_path):
    query, path, (one, two) = contigs
    gff, table = tmp_path / "x.gff3", tmp_path / "x.tsv"
    assert scan_here("--cut_ga", "-o", tmp_path / "p.tsv", LIBRARY, query) == 0
    assert scan_here("--translate", "--cut_ga", "--gff3", gff, "-o", table, LIBRARY, path) == 0
    columns = lambda name: [line.split("\t") for line in (tmp_path / name).read_text().splitlines()[1:]]
    expected = {tuple(row[13:22]) for row in columns("p.tsv")}
    assert {tuple(row[13:22]) for row in columns("x.tsv")} == expected and len(expected) == 4
    length = 3 + len(one) + 5 + len(two) + 3
    lines = gff.read_text().splitlines()
    assert [line for line in lines if line.startswith("##seq")] == [
        f"##sequence-region contig.1 1 {length}",
        f"##sequence-region c2 1 {len(one)}",
    ]
    features = [line.split("\t") for line in lines if not line.startswith("#")]
    for row, (contig, _, _, start, end, _, strand, _, attributes) in zip(
        columns("x.tsv"), features, strict=True
    ):
        first, last = int(row[17]), int(row[18])
        if contig == "c2":
            place = 3 * first - 2, 3 * last
        elif strand == "+":
            place = 3 + 3 * first - 2, 3 + 3 * last
        else:
            place = length - 3 - 3 * last + 1, length - 3 - 3 * first + 3
        assert (int(start), int(end)) == place and f"frame={row[3]}" in attributes
    assert {feature[6] for feature in features} == {"+", "-"}


def test_from_python_and_without_effect(contigs, capfd):
    _, path, _ = contigs
    found = [protein for protein in pfamnet.Model(LIBRARY).scan(path, genetic_code=1) if protein.domains]
    assert {protein.record.origin.name for protein in found} == {"contig.1", "c2"}
    for code in (0, 7):
        assert scan_here("--translate", "--genetic-code", code, LIBRARY, path) == 1
        assert f"genetic code {code}: not one of" in capfd.readouterr().err
    assert scan_here("--genetic-code", 4, LIBRARY, contigs[0]) == 0
    assert "--genetic-code has no effect without --translate" in capfd.readouterr().err


def test_a_file_without_frames_is_not_empty(tmp_path, capfd):
    path, nothing = tmp_path / "x.fna", tmp_path / "empty"
    path.write_text(">s\nACGTACGT\n")
    nothing.write_text("")
    assert scan_here("--translate", "--strict-empty", LIBRARY, path) == 0
    warning = f"pfamnet-scan: warning: {path}: no open reading frame of 30 codons\n"
    assert capfd.readouterr().err == warning
    assert scan_here("--translate", "--strict-empty", LIBRARY, nothing) == 1
