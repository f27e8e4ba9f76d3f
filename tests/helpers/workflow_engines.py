"""Where the wrappers lie, and how workflow engines find this very pfamnet."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pfamnet

ROOT = Path(__file__).resolve().parents[2]
WRAPPERS = ROOT / "wrappers"
DATA = WRAPPERS / "galaxy" / "test-data"


def write_programs(folder: Path) -> str:
    """Write pfamnet-scan, and pfamnet-build of a very small network, to a folder; a PATH that begins with it.

    Engines clear the environment of what they run. So the programs themselves say where pfamnet is.
    """
    helpers = ROOT / "tests" / "helpers"
    found = os.pathsep.join([str(Path(pfamnet.__file__).parents[1]), str(helpers)])
    for name, script in (
        ("pfamnet-scan", ROOT / "bin" / "pfamnet-scan"),
        ("pfamnet-build", helpers / "small_build.py"),
    ):
        words = "PYTHONPATH=" + shlex.quote(found), "OMP_NUM_THREADS=1", "exec", sys.executable, str(script)
        (folder / name).write_text(f'#!/bin/sh\n{" ".join(words)} "$@"\n')
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def engine(name: str, *arguments, path: str, check: bool = True, **settings) -> subprocess.CompletedProcess:
    """Run an engine to its end; skips the test if it is not installed."""
    program = shutil.which(name, path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip(f"no {name} here (extra `wrappers`)")
    done = subprocess.run(
        [program, *map(str, arguments)],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        **settings,
    )
    assert not check or done.returncode == 0, done.stderr
    return done
