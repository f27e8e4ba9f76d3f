"""The Galaxy tools' own tests, run without a Galaxy."""

from xml.etree import ElementTree

import pytest
from workflow_engines import WRAPPERS

pytest.importorskip("galaxy.tool_util.verify.asserts", reason="needs the extra `wrappers`")
pytest.importorskip("Cheetah", reason="needs the extra `wrappers`")

from galaxy_tool import ToolTest, load_tests  # noqa: E402

SCAN, BUILD = (WRAPPERS / "galaxy" / f"pfamnet_{name}.xml" for name in ("scan", "build"))
TESTS = [(tool, number) for tool in (SCAN, BUILD) for number in range(len(load_tests(tool)))]
BUILT = (BUILD, 0)  # run by the fixture below
ARCHIVE = """
<test>
    <param name="proteins" value="proteins.fa"/>
    <conditional name="model">
        <param name="source" value="archive"/>
        <param name="archive" value="{}"/>
    </conditional>
</test>
"""


@pytest.mark.parametrize(("tool", "number"), [test for test in TESTS if test != BUILT])
def test_a_tool_passes_its_own_tests(tool, number, tmp_path, programs):
    load_tests(tool)[number].run(tmp_path, programs)


def test_the_scan_takes_the_archive_that_the_build_makes(tmp_path, programs):
    made, scanned = tmp_path / "made", tmp_path / "scanned"
    made.mkdir()
    scanned.mkdir()
    tool, number = BUILT
    load_tests(tool)[number].run(made, programs)
    expected = {"expect_exit_code": 0, "expect_failure": False, "expect_num_outputs": 1, "outputs": []}
    element = ElementTree.fromstring(ARCHIVE.format(made / "archive"))
    ToolTest(SCAN, element, expected | {"command": [], "stderr": []}).run(scanned, programs)
    assert (scanned / "hits").read_text().startswith("#target_name\t")


def test_the_tools_have_enough_tests_and_one_of_a_failure_each():
    for tool in (SCAN, BUILD):
        assert any(test.expected["expect_failure"] for test in load_tests(tool))
    assert len(TESTS) >= 8
