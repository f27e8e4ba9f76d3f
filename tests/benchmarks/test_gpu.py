"""A build that gpu.sh begins, trains in another directory, and finishes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, environment

from pfamnet.model.directory import open_model

SMALL = {"ESM": "20000", "LIGHT": "70000", "BATCH": "2048", "FLAGS": "--crop 64 --device cpu"}


def gpu(step, work, name="random", **more):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
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
