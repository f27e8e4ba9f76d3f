"""The names of a protein's domains in a line, and pfam_scan's table."""

import gzip
from dataclasses import replace

import pytest
import untrained
from scanning import LIBRARY, PROTEINS, records, scan_here

import pfamnet
from pfamnet.families import Family
from pfamnet.hits import network_domain, network_hit
from pfamnet.output.architectures import ArchitectureWriter, PfamscanWriter
from pfamnet.records import Record

QUERY = Record("caf\udce9", "", "M" * 300, 1)
FAMILIES = [
    Family("PF00001.2", "One", 50, "CL0001", ga=(20.0, 10.0), type="Domain"),
    Family("PF00002", "Two", 50, "CL0001"),
    Family("", "Three", 50),
]


def hit(index, *domains, **changes):
    return replace(network_hit(index, FAMILIES[index], QUERY, domains), **changes)


def domain(start, end, evalue, score=30.0, included=True):
    return replace(network_domain(start, end, evalue, score, (1, 50)), log_p=-1 / evalue, included=included)


HITS = [
    hit(1, domain(100, 150, 1e-9)),
    hit(0, domain(0, 50, 1e-5), domain(110, 160, 1e-3), domain(200, 250, 5.0, 5.0, included=False)),
    hit(2, domain(40, 90, 1e-2)),
]


def written(writer, tmp_path, hits=HITS):
    path = tmp_path / "x"
    with writer(str(path), FAMILIES) as table:
        table.write(QUERY, hits)
    return path.read_bytes().splitlines()


def test_included_domains_by_start_and_the_best_of_a_clan(tmp_path):
    assert written(ArchitectureWriter, tmp_path) == [
        b"#query_name\tqlen\tarchitecture",
        b"caf\xe9\t300\tOne Three Two",
    ]
    assert written(ArchitectureWriter, tmp_path, [])[1] == b"caf\xe9\t300\t-"


@pytest.mark.parametrize(
    "source, included, significance",
    (("network", True, b"1"), ("network", False, b"0"), ("profile", True, b"0"), ("both", True, b"0")),
)
def test_cutoffs_are_those_of_profiles(source, included, significance, tmp_path):
    below = hit(0, domain(0, 50, 1e-5, 15.0, included), source=source)  # bits; its cutoff is 20
    _, _, row = written(PfamscanWriter, tmp_path, [below])
    assert row.split()[-2] == significance


def test_pfam_scan(tmp_path):
    head, blank, *rows = written(PfamscanWriter, tmp_path)
    assert head.startswith(b"# <seq id> <alignment start>") and blank == b""
    assert [row.split()[1:] for row in rows] == [
        b"1 50 1 50 PF00001.2 One Domain 1 50 50 30.0 1e-05 1 CL0001".split(),
        b"41 90 41 90 Three Three NA 1 50 50 30.0 0.01 1 No_clan".split(),
        b"101 150 101 150 PF00002 Two NA 1 50 50 30.0 1e-09 1 CL0001".split(),
        b"201 250 201 250 PF00001.2 One Domain 1 50 50 5.0 5 0 CL0001".split(),
    ]


def test_both_on_the_command_line(tmp_path, capfd):
    model = untrained.write_model(tmp_path / "model")
    one, two = tmp_path / "a", tmp_path / "b.gz"
    options = ["--architecture", one, "--pfamscan", two, "--cut_ga", "-o", tmp_path / "tsv"]
    assert scan_here(*options, model, PROTEINS) == 0
    lines = dict(line.split("\t")[::2] for line in one.read_text().splitlines()[1:])
    assert len(lines) == PROTEINS.read_text().count(">")
    rows = [row.split() for row in gzip.decompress(two.read_bytes()).decode().splitlines()[2:]]
    named = {name: [] for name in lines}
    for row in rows:
        named[row[0]].append(row[6])
        assert len(row) == 15 and row[13] == "1"
    assert {name: " ".join(names) or "-" for name, names in named.items()} == lines
    assert not {"Pkinase", "PK_Tyr_Ser-Thr"} <= set(named["P15056"])


def test_a_nested_domain_is_named_whatever_else_is_written(tmp_path):
    """A domain of a clan in an insertion of another one's: both stay, with alignments and without."""
    model = pfamnet.Model()
    places = {family.name: place for place, family in enumerate(model.families)}
    outer, inner = (model.profiles.hmm(places[name]).consensus.upper() for name in ("AlkZ-like", "Crp"))
    query, one, two = tmp_path / "x.fa", tmp_path / "one", tmp_path / "two"
    query.write_text(f">x\n{outer[:160]}{inner}{outer[160:]}\n")
    assert scan_here("--cut_ga", "--architecture", one, "-o", tmp_path / "tsv", query) == 0
    more = ["--pfamscan", tmp_path / "pfamscan", "-A", tmp_path / "sto"]
    assert scan_here("--cut_ga", "--architecture", two, *more, "-o", tmp_path / "tsv", query) == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text().split()[-2:] == ["AlkZ-like", "Crp"]
    assert next(model.scan(query, bit_cutoffs="gathering")).architecture() == "AlkZ-like Crp"


def test_other_tables_stay_as_they_are(tmp_path):
    """Alignments, which -A needs, change no other table."""
    tables = []
    for name, more in (("a", []), ("b", ["--pfamscan", tmp_path / "p", "-A", tmp_path / "sto"])):
        kinds = ("tblout", "domtblout", "pfamtblout")
        options = [word for kind in kinds for word in (f"--{kind}", tmp_path / f"{name}.{kind}")]
        assert scan_here(*more, *options, "-o", tmp_path / name, "--no-date", LIBRARY, PROTEINS) == 0
        tables.append([(tmp_path / name).read_bytes()])
        for kind in kinds:
            lines = (tmp_path / f"{name}.{kind}").read_bytes().splitlines()
            tables[-1].append([line for line in lines if b"Option settings" not in line])
    assert tables[0] == tables[1]


@pytest.mark.parametrize("ending", (".dat", ".dat.gz"))
def test_clans_and_types_of_a_database_are_read_beside_it(ending, tmp_path):
    database, query = tmp_path / "pf.hmm", tmp_path / "x.fa"
    database.write_bytes(gzip.decompress(LIBRARY.read_bytes()))
    query.write_bytes(records("P15056"))
    text = b"".join(
        b"# STOCKHOLM 1.0\n#=GF ID   %s\n#=GF AC   %s.1\n#=GF TP   Domain\n#=GF CL   CL0016\n//\n" % pair
        for pair in ((b"Pkinase", b"PF00069"), (b"PK_Tyr_Ser-Thr", b"PF07714"))
    )
    (tmp_path / f"pf.hmm{ending}").write_bytes(text if ending == ".dat" else gzip.compress(text))
    table = tmp_path / "table"
    assert scan_here("--pfamscan", table, "--cut_ga", "-o", tmp_path / "tsv", database, query) == 0
    kinases = [row.split() for row in table.read_text().splitlines() if "CL0016" in row]
    assert len(kinases) == 1 and kinases[0][7] == "Domain"
