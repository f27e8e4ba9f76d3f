"""The layers of pfamnet: every package imports only what stands below it."""

import ast
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import pfamnet

ROOT = Path(pfamnet.__file__).parent
# from the top; packages on one level know nothing of each other
LEVELS = (
    "cli",
    "web",
    "build",
    "explore",
    "api",
    "scan",
    "output",
    "trainset",
    "model",
    "training",
    ("network", "profiles", "io"),
    ("errors", "signals", "records", "families", "hits", "__init__", "__main__"),
)
LEVEL = {part: n for n, parts in enumerate(LEVELS) for part in ([parts] if isinstance(parts, str) else parts)}
NOUNS = {
    "hits": {"records", "families"},
    "families": {"errors", "io"},
}  # what these may import of their own level
SCAN = {"click", "numpy", "pyhmmer", "onnxruntime"}  # libraries of the default scan
OPTIONAL = {"network.esm", "network.esm_files", "network.devices", "model.hub"}  # imported on demand alone
DOORS = {"__init__", "__main__", "web.__main__"}  # lead to what stands above them
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(name, everywhere=True):
    """The full names that a module imports; with `everywhere`, those inside functions too."""
    path = MODULES[name]
    package = ["pfamnet", *path.relative_to(ROOT).parent.parts]
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif everywhere or not (isinstance(node, FUNCTIONS) or is_for_types(node)):
            nodes += ast.iter_child_nodes(node)


def is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def ours(name, everywhere=True):
    """The modules of pfamnet that a module imports."""
    found = set()
    for full in imports(name, everywhere):
        first, *parts = full.split(".")
        if first == "pfamnet":
            there = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in MODULES]
            found.add(there[0] if there else "__init__")
    return found - {name}


def libraries(name, everywhere=True):
    """What a module imports that is neither of pfamnet nor of Python."""
    return {full.split(".")[0] for full in imports(name, everywhere)} - {"pfamnet"} - sys.stdlib_module_names


def part(name):
    return name.split(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_stands_below_it(name):
    for other in ours(name):
        one, two = part(name), part(other)
        if one == two or name in DOORS:
            continue
        if LEVEL[one] == LEVEL["__init__"]:
            assert two in NOUNS.get(one, ()), f"{name} imports {other}"
        else:
            assert LEVEL[one] < LEVEL[two], f"{name} imports {other}"


def test_the_parts_are_those_of_the_list():
    assert {part(name) for name in MODULES} == set(LEVEL)


def test_few_files_stand_directly_in_pfamnet():
    assert len(set(ROOT.glob("*.py")) - {ROOT / "__main__.py"}) <= 6


def test_only_the_command_line_imports_click():
    users = {name for name in MODULES if "click" in libraries(name)}
    assert {part(name) for name in users - DOORS} == {"cli"}


def test_imports_within_pfamnet_are_relative():
    absolute = [
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and part(node.module) == "pfamnet")
        or (isinstance(node, ast.Import) and any(part(alias.name) == "pfamnet" for alias in node.names))
    ]
    assert not absolute


def test_modules_do_not_import_each_other_in_a_circle():
    """Imports inside functions aside."""
    graph = {name: ours(name, everywhere=False) for name in MODULES}
    while leaves := [name for name, others in graph.items() if not others & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph


def reached(*start, everywhere=True, but=()):
    """The modules that some modules import, directly or not, with the packages they are in.

    Of a package's own file only what it imports at once counts: `cli` is the door to all commands.
    """
    found, left = set(), [*start]
    while left:
        name = left.pop()
        if name not in found and name not in but:
            found.add(name)
            left += ours(name, everywhere and MODULES[name].name != "__init__.py")
            left += {part(name)} & set(MODULES)
    return found


def test_a_default_scan_imports_only_its_libraries():
    assert set(MODULES) >= OPTIONAL
    scan = reached("cli.scan", but=OPTIONAL)
    assert {"scan.scanner", "profiles.files", "output.writer", "families"} <= scan
    others = {name: found for name in scan if (found := libraries(name, False) - SCAN)}
    assert not others


def test_help_imports_click_alone():
    modules = reached("cli.scan", "cli.build", everywhere=False)
    assert set().union(*map(libraries, modules)) >= {"click"}
    assert not {name: found for name in modules if (found := libraries(name, False) - {"click"})}


def test_explore_imports_no_torch():
    found = {library for name in reached("explore.page") for library in libraries(name)}
    assert not found & {"torch", "transformers"}


def test_tests_of_every_package_are_collected(pytestconfig):
    """By default pytest enters no directory named build, dist or venv."""
    folders = {path.parent.name for path in Path(__file__).parent.rglob("test_*.py")}
    skipped = pytestconfig.getini("norecursedirs")
    assert "build" in folders and not [
        name for name in folders if any(fnmatch(name, rule) for rule in skipped)
    ]
