"""Our tables against hmmscan's own, and through the parsers people use."""

import io
import math
from dataclasses import replace

import golden
import pandas
import pytest
from Bio import SearchIO

from pfamnet.errors import PfamnetError
from pfamnet.hits import network_domain, network_hit
from pfamnet.output.hmmscan_tables import DomtblWriter, PfamtblWriter, TblWriter
from pfamnet.output.tsv import TSV_COLUMNS, TsvWriter
from pfamnet.records import Record

KINDS = ("domtblout", "tblout", "pfamtblout")


def writer(kind, name, out, **changes):
    trailer = golden.trailer(name, **changes)
    if kind == "pfamtblout":
        return PfamtblWriter(out, trailer, golden.SETS[name].inclusion_by_score)
    return (DomtblWriter if kind == "domtblout" else TblWriter)(out, trailer)


def written(make, hits=None):
    """What a writer writes of the golden records, or of these (record, hits)."""
    out = io.BytesIO()
    with make(out) as table:
        for record, found in hits or zip(golden.records(), golden.hits("default")):
            table.write(record, found)
    return out.getvalue()


def network_only():
    record = golden.record("P06213")
    family = golden.families()[3]
    domain = network_domain(9, 120, 1.5e-7, 33.2, (1, family.length), accuracy=0.9)
    return record, [network_hit(3, family, record, [domain])]


@pytest.mark.parametrize("name", golden.SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_hmmscans(name, kind):
    out = io.BytesIO()
    with writer(kind, name, out) as table:
        for record, hits in zip(golden.records(), golden.hits(name)):
            table.write(record, hits)
    assert out.getvalue().splitlines() == golden.table(name, kind).splitlines()
    assert out.getvalue() == golden.table(name, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_no_date_leaves_out_date_and_directory(kind):
    ours = written(lambda out: writer(kind, "default", out, date=None, directory=None))
    theirs = golden.table("default", kind).splitlines(keepends=True)
    assert ours == b"".join(theirs[:-3] + theirs[-1:])


@pytest.mark.parametrize("kind", KINDS)
def test_no_query_gives_the_trailer_alone(kind):
    out = io.BytesIO()
    writer(kind, "default", out).close()
    assert out.getvalue() == b"".join(golden.table("default", kind).splitlines(True)[-10:])


def test_tsv_has_the_values_of_domtblout():
    rows = [line.split("\t") for line in written(TsvWriter).decode().splitlines()]
    assert rows[0] == ["#" + TSV_COLUMNS[0], *TSV_COLUMNS[1:]]
    theirs = [
        line.split(None, 22)
        for line in golden.table("default", "domtblout").decode().splitlines()
        if not line.startswith("#")
    ]
    assert [row[:23] for row in rows[1:]] == theirs
    assert {row[23] for row in rows[1:]} == {"profile"}


def test_tsv_header():
    assert written(lambda out: TsvWriter(out, header=False)).count(b"#") == 0
    out = io.BytesIO()
    TsvWriter(out).close()
    assert out.getvalue().count(b"\n") == 1


def test_biopython_reads_every_row(tmp_path):
    # SearchIO.index fails on hmmscan's own tables: it takes the trailer for rows.
    for kind, parser in (("domtblout", "hmmscan3-domtab"), ("tblout", "hmmer3-tab")):
        path = tmp_path / kind
        path.write_bytes(written(lambda out, kind=kind: writer(kind, "default", out)))
        results = list(SearchIO.parse(path, parser))
        rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        per_hit = sum(len(result) for result in results)
        per_domain = sum(len(result.hsps) for result in results)
        assert (per_domain if kind == "domtblout" else per_hit) == len(rows) > 20


def test_pandas_reads_every_row(tmp_path):
    tsv, dom = tmp_path / "tsv", tmp_path / "dom"
    tsv.write_bytes(written(TsvWriter))
    dom.write_bytes(written(lambda out: writer("domtblout", "default", out)))
    table = pandas.read_csv(tsv, sep="\t")
    assert list(table.columns[1:]) == TSV_COLUMNS[1:]
    assert table["evalue"].dtype == float and table["hmm_from"].dtype == int
    # Descriptions have blanks: only the 22 columns before them can be split.
    cut = "\n".join(" ".join(line.split()[:22]) for line in dom.read_text().splitlines() if line[0] != "#")
    other = pandas.read_csv(io.StringIO(cut), sep=r"\s+", header=None)
    assert len(other) == len(table)
    for i, column in enumerate(TSV_COLUMNS[:22]):
        assert other[i].tolist() == table.iloc[:, i].tolist(), column


def test_network_rows_are_marked_and_finite():
    case = [network_only()]
    tsv = written(TsvWriter, case).decode().splitlines()[1].split("\t")
    assert tsv[23] == "network" and not tsv[22].startswith("[network]")
    for kind, columns in (("domtblout", 22), ("tblout", 18)):
        text = written(lambda out, kind=kind: writer(kind, "default", out), case).decode()
        (row,) = [line for line in text.splitlines() if not line.startswith("#")]
        fields = row.split(None, columns)
        assert fields[columns] == "[network] " + golden.families()[3].description
        numbers = fields[4:] if kind == "tblout" else fields[5:]
        assert all(math.isfinite(float(x)) for x in numbers[:-1])
    text = written(lambda out: writer("pfamtblout", "default", out), case).decode()
    assert text.count(" [network] ") == 2


def test_domains_by_score_and_ties_by_name():
    record, (hit,) = network_only()
    domain = hit.domains[0]
    # By E-value the first domain leads, by score the second.
    low, high = replace(domain, log_p=-50.0), replace(domain, score=99.0, ali_from=300)
    hits = [replace(hit, domains=(low, high)), replace(hit, target_name="A", domains=(low,))]
    trailer = golden.trailer("default")
    for by_score, order in (
        (False, ["A", hit.target_name] + [hit.target_name]),
        (True, [hit.target_name, "A", hit.target_name]),
    ):
        text = written(lambda out, by_score=by_score: PfamtblWriter(out, trailer, by_score), [(record, hits)])
        rows = text.decode().split("# Domain scores")[1].splitlines()
        assert [row.split()[0] for row in rows if row and row[0] != "#"] == order


def test_names_that_are_no_utf8_and_long_ones_keep_their_bytes():
    name = b"\xff" + b"n" * 1000
    record, (hit,) = network_only()
    record = Record(name.decode("utf-8", "surrogateescape"), "", record.sequence, 1)
    hit = replace(hit, query_name=record.name, query_accession="", target_accession="")
    for kind in ("domtblout", "tblout"):
        text = written(lambda out, kind=kind: writer(kind, "default", out), [(record, [hit])])
        groups, names, rules, row = text.splitlines()[:4]
        assert name in row
        # The columns line up, counted in bytes.
        end = rules.index(b" ---------------------", len(name))
        assert names[end:] == b" description of target" and row[end:].startswith(b" [network]")
    assert name in written(TsvWriter, [(record, [hit])])


def test_tabs_of_a_description_do_not_make_columns():
    record, (hit,) = network_only()
    hit = replace(hit, target_description="a\tb")
    assert written(TsvWriter, [(record, [hit])]).splitlines()[1].count(b"\t") == 23


def test_unreported_hits_have_no_rows_but_widths():
    record, (hit,) = network_only()
    hidden = replace(hit, target_name="x" * 30, reported=False)
    for kind in KINDS:
        text = written(lambda out, kind=kind: writer(kind, "default", out), [(record, [hit, hidden])])
        assert b"x" * 30 not in text and hit.target_name.encode().ljust(31) in text
    assert len(written(TsvWriter, [(record, [hidden])]).splitlines()) == 1


class FullDisk(io.RawIOBase):
    """A file on a disk with room for so many bytes."""

    def __init__(self, room):
        self.room = room
        self.kept = b""

    def writable(self):
        return True

    def write(self, data):
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(data[: self.room])
        self.kept += taken
        self.room -= len(taken)
        return len(taken)


@pytest.mark.parametrize("kind", (*KINDS, "tsv"))
@pytest.mark.parametrize("room", (0, 100, 3000, 8000))
def test_a_full_disk_raises_and_never_looks_finished(kind, room):
    disk = FullDisk(room)
    out = io.BufferedWriter(disk, 512)
    table = TsvWriter(out) if kind == "tsv" else writer(kind, "default", out)
    with pytest.raises(OSError):
        for record, hits in zip(golden.records(), golden.hits("default")):
            table.write(record, hits)
        table.close()
    disk.room = 10**6  # room again, too late
    with pytest.raises(OSError):
        table.write(*network_only())
    with pytest.raises(OSError):
        table.close()
    table.abandon()
    out.flush()
    assert b"[ok]" not in disk.kept


def test_an_unfinished_run_leaves_no_trailer(tmp_path):
    path = tmp_path / "table"
    with pytest.raises(KeyError):
        with writer("domtblout", "default", str(path)) as table:
            table.write(*network_only())
            raise KeyError
    assert b"[network]" in path.read_bytes() and b"[ok]" not in path.read_bytes()


def test_files_are_opened_and_closed_here(tmp_path, capfdbinary):
    path = tmp_path / "table"
    with writer("tblout", "default", str(path)) as table:
        table.write(*network_only())
    assert path.read_bytes().endswith(b"# [ok]\n")
    with pytest.raises(PfamnetError, match=r"^.*/none/table: cannot write: no such file"):
        TsvWriter(str(tmp_path / "none" / "table"))
    with TsvWriter("-") as table:
        table.write(*network_only())
    assert capfdbinary.readouterr().out.count(b"\n") == 2
