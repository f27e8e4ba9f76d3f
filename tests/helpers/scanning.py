"""Runs of pfamnet-scan, in this process (quick) or as a program."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan

DATA = Path(__file__).parent.parent / "data"
PROGRAM = [sys.executable, str(DATA.parent.parent / "bin" / "pfamnet-scan")]
LIBRARY = DATA / "golden.hmm.gz"
PROTEINS = DATA / "golden.fa"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def scan_here(*arguments):
    """Exit status of a scan in this process; the library is scanned by every profile."""
    return run(scan, ["--mode", "profiles", *map(str, arguments)])


def start(*arguments, **settings):
    """The program, under way."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT}
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], **pipes | settings)


def rows(text):
    """Lines of a table without comments."""
    return [line for line in text.splitlines() if not line.startswith(b"#")]


def table(capfdbinary, *arguments):
    """The fields of the rows that a scan without a warning prints."""
    assert run(scan, [str(word) for word in arguments]) == 0
    said = capfdbinary.readouterr()
    assert said.err == b""
    return [row.split(b"\t") for row in rows(said.out)]


def records(*names):
    """FASTA of some golden proteins."""
    texts = PROTEINS.read_bytes().split(b">")[1:]
    chosen = {text.split()[0].decode(): text for text in texts}
    return b"".join(b">" + chosen[name] for name in names)


def hmmscan(folder, *arguments):
    """What the real hmmscan prints, with the golden profiles; skips where there is none."""
    program = shutil.which("hmmscan", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no hmmscan here (PyPI package hmmer)")
    library = folder / "golden.hmm"
    if not library.exists():
        library.write_bytes(gzip.decompress(LIBRARY.read_bytes()))
        subprocess.run([str(Path(program).with_name("hmmpress")), library], check=True, capture_output=True)
    *options, query = map(str, arguments)
    done = subprocess.run([program, "--cpu", "0", *options, library, query], capture_output=True, check=True)
    return done.stdout
