"""Runs of pfamnet-scan, in this process (quick) or as a program."""

import os
import subprocess
import sys
from pathlib import Path

from pfamnet.cli import scan
from pfamnet.options import run

DATA = Path(__file__).parent / "data"
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


def records(*names):
    """FASTA of some golden proteins."""
    texts = PROTEINS.read_bytes().split(b">")[1:]
    chosen = {text.split()[0].decode(): text for text in texts}
    return b"".join(b">" + chosen[name] for name in names)
