"""What the wrappers and recipes say of pfamnet is what the package says."""

import re
import subprocess

import pytest
from workflow_engines import ROOT, WRAPPERS, write_programs

from pfamnet import __version__

VERSIONS = {
    "bioconda/meta.yaml": r'set version = "(.+?)"',
    "cwl/pfamnet-build.cwl": r'version: \["(.+?)"\]',
    "cwl/pfamnet-scan.cwl": r'version: \["(.+?)"\]',
    "galaxy/macros.xml": r'name="@TOOL_VERSION@">(.+?)<',
    "nf-core/pfamnet/build/environment.yml": r"pfamnet=([\d.]+)",
    "nf-core/pfamnet/build/main.nf": r"pfamnet:(.+?)--",
    "nf-core/pfamnet/scan/environment.yml": r"pfamnet=([\d.]+)",
    "nf-core/pfamnet/scan/main.nf": r"pfamnet:(.+?)--",
    "snakemake/pfamnet/scan/environment.yaml": r"pfamnet =([\d.]+)",
}


@pytest.mark.parametrize("path", VERSIONS)
def test_a_wrapper_names_this_version(path):
    found = re.findall(VERSIONS[path], (WRAPPERS / path).read_text())
    assert found and set(found) == {__version__}


@pytest.fixture
def recipe():
    """The conda recipe, rendered."""
    jinja2, yaml = pytest.importorskip("jinja2"), pytest.importorskip("yaml")
    template = jinja2.Template(
        (WRAPPERS / "bioconda" / "meta.yaml").read_text(), undefined=jinja2.StrictUndefined
    )
    pin = lambda name, max_pin: f"{name} >={__version__}"
    return yaml.safe_load(template.render(PYTHON="python", pin_subpackage=pin))


def test_the_recipe_asks_for_what_the_package_asks_for(recipe):
    setup = (ROOT / "setup.py").read_text()
    listed = re.search(r"install_requires=\[(.+?)\]", setup)[1]
    packages = {re.sub(r"(?=[<>=])", " ", word, count=1) for word in re.findall(r'"(.+?)"', listed)}
    python = "python " + re.search(r'python_requires="(.+?)"', setup)[1]
    assert set(recipe["requirements"]["run"]) == packages | {python}
    assert recipe["package"] == {"name": "pfamnet", "version": __version__}
    assert f"pfamnet-{__version__}.tar.gz" in recipe["source"]["url"]


def test_the_commands_of_the_recipe_succeed(recipe, tmp_path):
    path = write_programs(tmp_path)
    done = [
        subprocess.run(["bash", "-euo", "pipefail", "-c", command], env={"PATH": path}, capture_output=True)
        for command in recipe["test"]["commands"]
    ]
    assert [one.returncode for one in done] == [0, 0, 0]
    assert done[2].stdout.startswith(b"#target_name\t")
