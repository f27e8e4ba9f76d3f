"""The CWL tools and the scatter workflow, run by cwltool."""

import pytest
from workflow_engines import WRAPPERS, engine

CWL = WRAPPERS / "cwl"


@pytest.mark.parametrize("document", sorted(CWL.glob("*.cwl")), ids=lambda path: path.stem)
def test_a_document_is_valid(document, programs):
    done = engine("cwltool", "--quiet", "--validate", document, path=programs)
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
