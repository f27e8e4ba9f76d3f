"""The text report against hmmscan's own, and through Biopython's parser."""

import gzip
import io

import golden
import pytest
import untrained
from Bio import SearchIO
from scanning import DATA, LIBRARY, PROTEINS, hmmscan, records, scan_here

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.hits import Alignment, network_domain, network_hit
from pfamnet.output.hmmscan_report import ReportWriter, alignment_blocks
from pfamnet.profiles.search import Thresholds


def body(text):
    """The lines from the first query on, without hmmscan's times."""
    lines = text[text.index(b"Query:") :].splitlines()
    return [line for line in lines if not line.startswith((b"# CPU time", b"# Mc/sec"))]


def report(capfdbinary, *options):
    assert scan_here("--report", "text", *options, LIBRARY, PROTEINS) == 0
    said = capfdbinary.readouterr()
    assert said.err == b""
    return said.out


def test_lines_are_hmmscans(capfdbinary):
    theirs = gzip.decompress((DATA / "golden.report.txt.gz").read_bytes())
    ours = report(capfdbinary)
    assert body(ours) == body(theirs) and len(body(ours)) > 2000
    assert ours.endswith(b"[ok]\n")


def test_a_filter_lets_no_more_than_all_pass(capfdbinary):
    assert b"expected 22.0 (1)\n" in report(capfdbinary, "--F3", "10")


@pytest.mark.parametrize(
    "options",
    (
        "--acc",
        "--noali",
        "--notextw",
        "--textw 200",
        "--cut_ga",
        "--max",
        "--domZ 5 -Z 10.5",
        "-E 1e-10 --domE 1e-20",
        "--nobias --F1 .3",
        "--domT 100 --incT 50",
        "--nonull2 --seed 7",
    ),
)
def test_options_act_as_in_hmmscan(options, tmp_path, capfdbinary):
    options = options.split()
    few = tmp_path / "few.fa"
    few.write_bytes(records("P15056", "P06213", "P46531", "P19838", "empty"))
    theirs = hmmscan(tmp_path, *options, few)
    assert scan_here("--report", "text", *options, LIBRARY, few) == 0
    said = capfdbinary.readouterr()
    assert said.err == b"" and body(said.out) == body(theirs)


def test_accessions_of_queries_stand_in_alignments(tmp_path, capfdbinary):
    """As hmmscan --acc writes them, of a format that has accessions."""
    query = tmp_path / "x.sto"
    sequence = golden.records()[0].sequence
    query.write_text(f"# STOCKHOLM 1.0\n#=GS one AC Q12345\none {sequence}\n//\n")
    theirs = hmmscan(tmp_path, "--acc", query)
    assert scan_here("--report", "text", "--acc", LIBRARY, query) == 0
    said = capfdbinary.readouterr()
    assert body(said.out) == body(theirs) and b"  Q12345 " in said.out


def test_biopython_reads_it(capfdbinary):
    results = list(SearchIO.parse(io.StringIO(report(capfdbinary).decode()), "hmmer3-text"))
    assert len(results) == len(golden.records())
    expected = {
        (record.name, hit.target_name): hit.n_reported
        for record, hits in zip(golden.records(), golden.hits("default"))
        for hit in hits
    }
    found = {(result.id, hit.id): len(hit) for result in results for hit in result}
    assert found == {key: n for key, n in expected.items() if n}
    assert results[0].program == "hmmscan" and results[0].version == "3.4"
    first = results[0][0][0]
    assert first.aln_annotation["PP"] and len(first.query.seq) == len(first.hit.seq)


def test_hybrid_report(tmp_path, capfdbinary):
    model = untrained.write_model(tmp_path / "model")
    assert run(scan, ["--report", "text", "--mode", "hybrid", str(model), str(PROTEINS)]) == 0
    text = capfdbinary.readouterr().out
    assert b"[network] " in text and b"[families in the model]" in text
    results = list(SearchIO.parse(io.StringIO(text.decode()), "hmmer3-text"))
    assert len(results) == len(golden.records())
    assert run(scan, ["--report", "text", "--mode", "network", str(model), str(PROTEINS)]) == 0
    text = capfdbinary.readouterr().out
    assert b"no alignment]" in text and text.endswith(b"[ok]\n")


def test_a_hit_of_the_network_without_alignment():
    record = golden.record("P06213")
    domain = network_domain(9, 120, 1.5e-7, 33.2, (1, 30), accuracy=0.9)
    out = io.BytesIO()
    writer = ReportWriter(out, [("query sequence file", "x.fa")], Thresholds())
    writer.write(record, [network_hit(3, golden.families()[3], record, [domain])])
    writer.close()
    text = out.getvalue().decode()
    assert "1.5e-07   33.2   0.0" in text and "called by the network alone" in text
    assert "Target model(s)" not in text


def test_a_report_that_is_not_whole_says_so(tmp_path):
    path = tmp_path / "report"
    writer = ReportWriter(str(path), [], Thresholds())
    writer.write(golden.record("P06213"), [])
    writer.abandon("no reason")
    text = path.read_bytes()
    assert b"[ok]" not in text and text.endswith(b"# incomplete: no reason\n")


def test_blocks_of_an_alignment():
    domain = network_domain(4, 8, 1.0, 1.0, (3, 9))
    import dataclasses

    alignment = Alignment("abc.def" * 10, "a c d f" * 10, "A-CXDEF" * 10, "9.99999" * 10)
    domain = dataclasses.replace(domain, alignment=alignment)
    one = alignment_blocks(b"target", b"q", domain, 0).splitlines()
    assert len(one) == 4 and one[0].startswith(b"  target 3 abc.def")
    blocks = alignment_blocks(b"target", b"q", domain, 30)
    assert len(blocks.split(b"\n\n")) == 2
    gaps = dataclasses.replace(domain, alignment=Alignment("abc", "   ", "---", "..."))
    assert alignment_blocks(b"t", b"q", gaps, 120).splitlines()[2] == b"  q - --- -"
