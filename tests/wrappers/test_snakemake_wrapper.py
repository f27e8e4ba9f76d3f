"""Which files the Snakemake wrapper gives to pfamnet-scan; Snakemake itself is not needed."""

import runpy
import sys
from types import ModuleType, SimpleNamespace

import pytest
from workflow_engines import WRAPPERS

WRAPPER = WRAPPERS / "snakemake" / "pfamnet" / "scan" / "wrapper.py"


class Named(dict):
    """What Snakemake has for the inputs, outputs and parameters of a rule."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize(
    ("inputs", "files"),
    (
        ({"proteins": "x.fa"}, "x.fa"),
        ({"proteins": "x.fa", "model": "a model"}, "'a model' x.fa"),
        ({"proteins": "x.fa", "model": []}, "x.fa"),
        ({"proteins": ["x.fa", "y z.fa"], "model": "m"}, "m x.fa 'y z.fa'"),
    ),
)
def test_files(inputs, files, monkeypatch):
    shell = ModuleType("snakemake.shell")
    shell.shell = lambda command: None
    monkeypatch.setitem(sys.modules, "snakemake", ModuleType("snakemake"))
    monkeypatch.setitem(sys.modules, "snakemake.shell", shell)
    rule = SimpleNamespace(
        input=Named(inputs), output=Named(tsv="x.tsv"), params=Named(), log_fmt_shell=lambda **more: ""
    )
    assert runpy.run_path(str(WRAPPER), {"snakemake": rule})["files"] == files
