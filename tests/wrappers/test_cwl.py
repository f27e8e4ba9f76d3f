"""The CWL tools and the scatter workflow, run by cwltool."""

import pytest
from workflow_engines import DATA, ROOT, WRAPPERS, engine

CWL = WRAPPERS / "cwl"
TABLES = {
    "output": "hits.tsv",
    "domtblout": "hits.domtblout",
    "tblout": "hits.tblout",
    "gff3": "hits.gff3",
    "json_lines": "hits.jsonl",
}


@pytest.mark.parametrize("name", ["pfamnet-build", "scatter"])  # the workflow's steps are checked with it
def test_a_document_is_valid(name, programs):
    done = engine("cwltool", "--quiet", "--validate", CWL / f"{name}.cwl", path=programs)
    assert "warning" not in done.stderr.lower()


def test_cwltest_passes(tmp_path, programs):
    tests = CWL / "tests" / "cwltest.yml"
    done = engine(
        "cwltest",
        *("--test", tests, "--tool", "cwltool", "--", "--no-container"),
        path=programs,
        cwd=tmp_path,
    )
    assert "All tests passed" in done.stderr + done.stdout


def tables(folder, path, document, proteins, *more):
    """Run the scan or the workflow; what it writes, by name."""
    done = engine(
        "cwltool",
        *("--quiet", "--no-container", "--parallel", "--outdir", folder, CWL / document),
        *("--proteins", proteins, "--profiles", DATA / "profiles.hmm", "--cut_ga", *more),
        path=path,
    )
    assert "incomplete" not in done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("chunks", "proteins"),
    [(2, ROOT / "tests" / "data" / "golden.fa"), (32, DATA / "proteins.fa.gz")],
    ids=("2", "32, 27 empty"),
)
def test_the_joined_tables_are_those_of_one_scan(chunks, proteins, tmp_path, programs):
    names = [word for option, name in TABLES.items() for word in (f"--{option}", name)]
    expected = tables(tmp_path / "one", programs, "pfamnet-scan.cwl", proteins, *names)
    assert set(expected) == {*TABLES.values()}
    assert tables(tmp_path / "all", programs, "scatter.cwl", proteins, "--chunks", chunks) == expected
