"""The examples of docs/api.md, run as they stand there."""

import doctest
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_the_examples_run(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / "api.md"), module_relative=False, optionflags=options
    )
    assert failed == 0 and tried > 10
    assert sorted(os.listdir(tmp_path)) == ["data", "hits.domtblout", "hits.gff3.gz"]
