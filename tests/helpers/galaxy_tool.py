"""Runs a Galaxy tool's own tests without a Galaxy.

galaxy-tool-util reads the XML and checks the assertions; Cheetah fills in the command. Supported parameters:
text, numbers, booleans, selections (also from data tables), data sets, conditionals and sections.
"""

import csv
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from Cheetah.Template import Template
from galaxy.tool_util.loader import load_tool
from galaxy.tool_util.parser.xml import XmlToolSource
from galaxy.tool_util.verify.asserts import verify_assertions


class Value(str):
    """A parameter as a template sees it: a text, and the attributes that were set."""


@dataclass
class ToolTest:
    """One <test> of a tool: its element, and what galaxy-tool-util makes of it."""

    tool: Path
    element: object
    expected: dict

    def run(self, folder: Path, path: str) -> None:
        """Run the tool's command in an empty folder, with a PATH, and assert what the test asserts."""
        root = load_tool(str(self.tool)).getroot()
        values = filled(root.find("inputs"), given(self.element), self.tool.parent / "test-data")
        declared = root.find("outputs").findall("data")
        values |= {output.get("name"): Value(folder / output.get("name")) for output in declared}
        command = str(Template(root.find("command").text, searchList=[values])).replace("\n", " ").strip()
        work = folder / "work"
        work.mkdir()
        done = subprocess.run(
            ["bash", "-c", command], cwd=work, env=os.environ | {"PATH": path}, capture_output=True
        )
        assert done.returncode == int(self.expected["expect_exit_code"] or 0), (command, done.stderr)
        verify_assertions(command.encode(), self.expected["command"] or [])
        verify_assertions(done.stderr, self.expected["stderr"] or [])
        if self.expected["expect_failure"]:
            return
        wanted = [output.get("name") for output in declared if passes(output, values)]
        assert len(wanted) == int(self.expected["expect_num_outputs"])
        for output in self.expected["outputs"]:
            assert output["name"] in wanted
            verify_assertions(
                (folder / output["name"]).read_bytes(), output["attributes"]["assert_list"] or []
            )


def load_tests(tool: Path) -> list[ToolTest]:
    """The tests of a tool's XML file, in their order."""
    elements = load_tool(str(tool)).getroot().find("tests").findall("test")
    expected = XmlToolSource(load_tool(str(tool))).parse_tests_to_dict()["tests"]  # changes its tree
    return [ToolTest(tool, *both) for both in zip(elements, expected)]


def given(element) -> dict:
    """What a test sets: texts by name, and dictionaries for conditionals and sections."""
    groups = {child.get("name"): given(child) for child in element if child.tag in ("conditional", "section")}
    return {child.get("name"): child.get("value") for child in element.findall("param")} | groups


def filled(inputs, chosen: dict, data: Path) -> dict:
    """Every parameter's value: what the test chose, else the default."""
    values = {}
    for child in inputs:
        name = name_of(child)
        if child.tag == "param":
            values[name] = parameter(child, chosen.get(name), data)
        elif child.tag == "section":
            values[name] = filled(child, chosen.get(name, {}), data)
        elif child.tag == "conditional":
            inner, switch = chosen.get(name, {}), child.find("param")
            value = parameter(switch, inner.get(switch.get("name")), data)
            branch = next(when for when in child.findall("when") if when.get("value") == value)
            values[name] = filled(branch, inner, data) | {switch.get("name"): value}
    return values


def name_of(element) -> str:
    return element.get("name") or (element.get("argument") or "").lstrip("-").replace("-", "_")


def parameter(element, value: str | None, data: Path) -> Value:
    """A <param>'s value as Galaxy hands it to the template."""
    kind, table = element.get("type"), element.find("options")
    if kind == "boolean":
        true = (value or element.get("checked", "false")).lower() == "true"
        return Value(element.get("truevalue" if true else "falsevalue"))
    if kind == "select" and table is None and value is None:
        options = element.findall("option")
        needed = not (element.get("optional") or element.get("multiple"))
        chosen = [option for option in options if option.get("selected") == "true"]
        return Value(",".join(option.get("value") for option in chosen or options[:needed]))
    result = Value(value if value is not None else element.get("value", ""))
    if kind == "data" and value:
        result = Value(data / value)
        result.element_identifier = value
    elif table is not None:
        result.fields = table_row(data, table.get("from_data_table"), result)
    return result


def table_row(data: Path, table: str, value: str) -> dict:
    """The row of a data table that the tools' test configuration names, by its columns."""
    tables = ElementTree.parse(data.parent / "tool_data_table_conf.xml.test")
    columns = tables.find(f"table[@name='{table}']/columns").text.split(", ")
    text = (data / f"{table}.loc").read_text().replace("${__HERE__}", str(data))
    rows = csv.DictReader(text.splitlines(), columns, delimiter="\t")
    return next(row for row in rows if row["value"] == value)


def passes(output, values: dict) -> bool:
    """Whether an output's filters let it through; like Galaxy, they get a single choice as a text."""
    return all(eval(rule.text, {}, values) for rule in output.findall("filter"))
