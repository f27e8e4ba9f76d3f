"""The line on a terminal that says how far a scan is."""

import io
import os
import pty
import re
import subprocess

from scanning import ENVIRONMENT, LIBRARY, PROGRAM, records

from pfamnet.cli import progress
from pfamnet.cli.progress import Progress, clock, plain_size


def test_the_line():
    stream = io.StringIO()
    bar = Progress(6100, stream)
    bar.drawn = -1e9
    bar.add("abc", "", 3000)
    assert re.fullmatch(r"\r1 sequences, [\d,]+ residues/s, 0:00, 50%, 0:00 left", stream.getvalue())
    bar.add("abc", "", 3000)  # too soon
    assert stream.getvalue().count("\r") == 1
    bar.clear()
    assert stream.getvalue().endswith(" \r") and "left" not in bar.line(1.0)
    assert "left" not in Progress(None).line(1.0) and clock(65.2) == "1:05"


def test_sizes(tmp_path):
    (tmp_path / "a").write_bytes(b">a\nM\n")
    (tmp_path / "b").write_bytes(b"\x1f\x8bxxxx")
    assert plain_size([str(tmp_path / "a")] * 2) == 10
    for other in ("-", str(tmp_path / "b"), str(tmp_path / "none"), "/dev/null"):
        assert plain_size([str(tmp_path / "a"), other]) is None


def test_on_a_terminal_alone(tmp_path, monkeypatch):
    path, out = tmp_path / "x.fa", tmp_path / "out"
    path.write_bytes(records("P15056", "P06213", "P07949") * 80)
    command = [*PROGRAM, "--mode", "profiles", "--cpu", "1", "-o", str(out), str(LIBRARY), str(path)]
    for options, shown in (([], True), (["--quiet"], False)):
        ours, theirs = pty.openpty()
        done = subprocess.run([*command, *options], stderr=theirs, timeout=120, env=ENVIRONMENT)
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 1 << 16):
                text += piece
        except OSError:
            pass
        os.close(ours)
        assert done.returncode == 0 and (b"residues/s" in text) == shown
        assert not shown or text.endswith(b" \r")
    monkeypatch.setattr(progress.sys, "stderr", None)
    assert not progress.wanted(False, False)
