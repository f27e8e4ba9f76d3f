"""What people read hmmscan's tables with, on tables of pfamnet-scan.

Those of the hybrid mode, with rows of the network alone among them.
"""

import io
import subprocess

import golden
import pandas
import pytest
import untrained
from Bio import SearchIO
from hmmer_tables.domtbl import read_domtbl
from hmmer_tables.tbl import read_tbl
from pyhmmer.plan7 import OptimizedProfileBlock, Pipeline
from scanning import PROTEINS, rows

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.output.hmmscan_tables import DomtblWriter
from pfamnet.profiles.search import to_digital
from pfamnet.profiles.store import optimize

KINDS = ("domtblout", "tblout", "pfamtblout")
PARSERS = {"domtblout": "hmmscan3-domtab", "tblout": "hmmer3-tab"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Paths of all tables of one scan."""
    folder = tmp_path_factory.mktemp("tables")
    model = untrained.write_model(folder / "model")
    arguments = [word for kind in KINDS for word in (f"--{kind}", str(folder / kind))]
    assert (
        run(scan, ["--mode", "hybrid", *arguments, "-o", str(folder / "tsv"), str(model), str(PROTEINS)]) == 0
    )
    assert b"[network] " in (folder / "domtblout").read_bytes()
    return {kind: folder / kind for kind in (*KINDS, "tsv")}


def split_rows(path, blanks=22):
    return [row.decode().split(None, blanks) for row in rows(path.read_bytes()) if row]


@pytest.mark.parametrize("kind", PARSERS)
def test_biopython(tables, kind):
    results = list(SearchIO.parse(tables[kind], PARSERS[kind]))
    expected = split_rows(tables[kind], 22 if kind == "domtblout" else 18)
    found = [(hit.id, result.id) for result in results for hit in result for _ in hit]
    place = (0, 3) if kind == "domtblout" else (0, 2)
    assert found == [tuple(row[i] for i in place) for row in expected]
    if kind == "domtblout":
        domains = [hsp for result in results for hit in result for hsp in hit]
        for domain, row in zip(domains, expected):
            assert (domain.query_start + 1, domain.query_end) == (int(row[17]), int(row[18]))
            assert (domain.bitscore, domain.evalue) == (float(row[13]), float(row[12]))


@pytest.mark.parametrize("kind", PARSERS)
def test_biopython_index_works_where_it_does_on_hmmscans(tables, kind, tmp_path):
    def outcome(path):
        try:
            index = SearchIO.index(str(path), PARSERS[kind])
            return [len(index[name].hits) for name in ("P06213", "P15056")]
        except Exception as error:  # whatever Biopython raises
            return type(error)

    theirs = tmp_path / "theirs"
    theirs.write_bytes(golden.table("default", kind))
    expected, found = outcome(theirs), outcome(tables[kind])
    assert type(found) is type(expected)


def test_hmmer_tables(tables):
    found = read_domtbl(str(tables["domtblout"]))
    expected = split_rows(tables["domtblout"])
    assert len(found) == len(expected)
    for ours, row in zip(found, expected):
        assert (ours.target.name, ours.query.name, ours.env_coord.stop) == (row[0], row[3], int(row[20]))
        assert ours.description == " ".join(row[22].split())
    assert len(list(read_tbl(str(tables["tblout"])))) == len(split_rows(tables["tblout"], 18))


def test_pandas_with_tabs(tables):
    table = pandas.read_csv(tables["tsv"], sep="\t")
    assert len(table) == len(rows(tables["tsv"].read_bytes()))
    assert set(table["source"]) == {"profile", "network", "both"}
    assert table[["evalue", "score", "acc"]].dtypes.eq(float).all() and table["tlen"].dtype == int
    assert not table.isna().any().any()


def test_pandas_with_blanks(tables):
    expected = split_rows(tables["domtblout"])
    table = pandas.read_csv(
        tables["domtblout"],
        sep=r"\s+",
        comment="#",
        header=None,
        usecols=range(22),
        engine="python",
        names=range(60),
    )
    assert len(table) == len(expected) and table[6].dtype == float and table[20].dtype == int
    assert list(table[0]) == [row[0] for row in expected]


def test_pyhmmers_own_table():
    """The same fields as pyhmmer's writer, row by row."""
    profiles = [optimize(hmm) for hmm in golden.hmms()]
    alphabet = profiles[0].alphabet
    for name in ("P15056", "P19838"):
        record = golden.record(name)
        pipeline = Pipeline(alphabet, Z=len(profiles))
        top = pipeline.scan_seq(
            to_digital(record.sequence, record.name), OptimizedProfileBlock(alphabet, profiles)
        )
        out = io.BytesIO()
        top.write(out, format="domains", header=False)
        theirs = [row.split() for row in rows(out.getvalue())]
        (ours,) = golden.search([record])
        written = io.BytesIO()
        with DomtblWriter(written, golden.trailer("default")) as writer:
            writer.write(record, ours)
        assert theirs == [row.split() for row in rows(written.getvalue()) if row] and theirs


@pytest.mark.parametrize(
    "command, column, limit",
    (
        ("grep -v '^#' {domtblout} | awk '{{print $1,$2,$4,$18,$19}}'", 5, None),
        ('awk \'!/^#/ && $7 <= 1e-5 {{print $1"\\t"$4"\\t"$20"\\t"$21}}\' {domtblout}', 4, 1e-5),
        ("awk 'BEGIN{{OFS=\"\\t\"}} !/^#/ {{$1=$1; print}}' {tblout}", None, None),
        ("sed '/^#/d' {domtblout} | tr -s ' ' '\\t' | cut -f 1,4,13", 3, None),
        ("awk -F'\\t' '$24 != \"network\" && !/^#/ {{print $4,$1}}' {tsv}", 2, None),
        ("cut -f 4 {tsv} | tail -n +2 | sort | uniq -c", 2, None),
    ),
)
def test_awk(tables, command, column, limit):
    done = subprocess.run(["sh", "-c", command.format(**tables)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines and done.stderr == ""
    assert column is None or {len(line.split()) for line in lines} == {column}
    if limit:
        assert len(lines) == sum(float(row[6]) <= limit for row in split_rows(tables["domtblout"]))
    elif "domtblout" in command:
        assert len(lines) == len(split_rows(tables["domtblout"]))


def test_best_hit_by_awk(tables):
    """The first row of each query is its best family."""
    best = subprocess.run(
        ["awk", "!/^#/ && !seen[$3]++ {print $3, $1}", tables["tblout"]],
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split() for line in best.stdout.splitlines())
    by_evalue = {}
    for row in split_rows(tables["tblout"], 18):
        by_evalue.setdefault(row[2], []).append((float(row[4]), row[0]))
    assert all(
        float(min(found_)[0]) == next(e for e, name in found_ if name == found[query])
        for query, found_ in by_evalue.items()
    )
