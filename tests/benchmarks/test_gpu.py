"""A build that gpu.sh begins, trains in another directory, and finishes."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, environment

from pfamnet.families import Family, write_families
from pfamnet.model.directory import open_model

SMALL = {"ESM": "20000", "LIGHT": "70000", "BATCH": "2048", "FLAGS": "--crop 64 --device cpu"}


SMALL_BUILD = f"""#!/bin/sh
[ "$2" != pfamnet.cli.build ] || {{ shift 2; set -- {ROOT}/tests/helpers/small_build.py "$@"; }}
exec {sys.executable} "$@"
"""


def gpu(step, work, name="random", **more):
    """Run gpu.sh; its builds are of a very small network."""
    python = work.parent / "programs" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(SMALL_BUILD)
    python.chmod(0o755)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    script, data = ROOT / "benchmarks" / "gpu.sh", work.parent / "data"
    return subprocess.run(
        ["bash", str(script), step, str(data), str(work), name],
        env=environment() | SMALL | {"PATH": path} | more,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_an_unknown_name_is_refused(tmp_path):
    done = gpu("begin", tmp_path, "nothing")
    assert done.returncode and "no build of this name" in done.stderr


@pytest.mark.slow
def test_a_build_is_begun_trained_and_finished(base, tmp_path):
    home, away, data = (tmp_path / name for name in ("home", "away", "data"))
    shutil.copytree(ROOT / "tests" / "data" / "seed_split", data / "seed" / "random")
    write_families(data / "seed" / "families.tsv", [Family("PF99999", "Another", clan="CL9999")])
    for folder in (home, away):
        folder.mkdir()
        (folder / "esm2").symlink_to(base)
    done = gpu("begin", home)
    assert done.returncode == 0, done.stderr
    shutil.move(home / "random.tar.xz", away)
    data.rename(tmp_path / "hidden")
    assert gpu("train", away, LIMIT="1").returncode  # it continues
    done = gpu("train", away)
    assert done.returncode == 0 and "esm: validation accuracy" in (away / "random.log").read_text(), done
    for path in away.glob("trained.*"):
        shutil.move(path, home)
    (tmp_path / "hidden").rename(data)
    done = gpu("finish", home)
    assert done.returncode == 0, done.stderr
    assert open_model(home / "random").description["networks"].keys() == {"esm", "light"}


def test_a_training_in_half_precision_is_begun_without_a_gpu(base, tmp_path):
    shutil.copytree(ROOT / "tests" / "data" / "seed_split", tmp_path / "data" / "seed" / "random")
    write_families(tmp_path / "data" / "seed" / "families.tsv", [Family("PF99999", "Another")])
    work = tmp_path / "home"
    work.mkdir()
    (work / "esm2").symlink_to(base)
    for name, field, value in (
        ("random-fp16", "precision", "fp16"),
        ("random-8bit", "optimizer", "adamw8bit"),
    ):
        done = gpu("begin", work, name)
        assert done.returncode == 0, done.stderr
        options = json.loads((work / f"{name}.work" / "options.json").read_text())
        assert options[field] == value and options["trainsets"] == [
            str(tmp_path / "data" / "seed" / "random")
        ]
