"""The Galaxy tools' own tests, run without a Galaxy."""

import pytest
from workflow_engines import WRAPPERS

pytest.importorskip("galaxy.tool_util.verify.asserts", reason="needs the extra `wrappers`")
pytest.importorskip("Cheetah", reason="needs the extra `wrappers`")

from galaxy_tool import load_tests  # noqa: E402

TOOLS = [WRAPPERS / "galaxy" / f"pfamnet_{name}.xml" for name in ("scan", "build")]
TESTS = [(tool, number) for tool in TOOLS for number in range(len(load_tests(tool)))]


@pytest.mark.parametrize(("tool", "number"), TESTS, ids=[f"{tool.stem}-{n + 1}" for tool, n in TESTS])
def test_a_tool_passes_its_own_tests(tool, number, tmp_path, programs):
    load_tests(tool)[number].run(tmp_path, programs)


def test_the_tools_have_enough_tests_and_one_of_a_failure_each():
    for tool in TOOLS:
        assert any(test.expected["expect_failure"] for test in load_tests(tool))
    assert len(TESTS) >= 8
