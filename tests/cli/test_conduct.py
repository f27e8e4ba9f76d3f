"""Exit statuses, closed pipes, signals, full disks: how a run ends."""

import gzip
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from scanning import ENVIRONMENT, LIBRARY, PROGRAM, PROTEINS, records, rows, scan_here, start

from pfamnet.errors import PfamnetError
from pfamnet.output import outputs, writer
from pfamnet.output.tsv import TsvWriter

GOOD = records("P15056", "P06213")
BAD = GOOD + b">broken what it is\nACDEF1GH\n" + records("P07949")


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.fa"
    path.write_bytes(GOOD)
    return path


def ended(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def test_done_is_0_and_quiet(good):
    status, out, err = ended(start(LIBRARY, good, "--mode", "profiles"))
    assert (status, err) == (0, b"") and len(rows(out)) > 3
    for word in (b"error", b"exception", b"incomplete"):
        assert word not in out.lower()


def test_verbose_speaks_on_stderr_without_words_of_alarm(good, capfdbinary):
    assert scan_here("--verbose", LIBRARY, good) == 0
    said = capfdbinary.readouterr()
    assert b"22 families" in said.err and b"2 sequences" in said.err
    assert b"error" not in said.err.lower() and b"exception" not in said.err.lower()


def test_rows_before_the_bad_record_appear(tmp_path, capfdbinary):
    bad = tmp_path / "bad.fa"
    bad.write_bytes(BAD)
    names = ["out", "dom", "tbl", "pfam"]
    files = {name: tmp_path / name for name in names}
    assert scan_here(LIBRARY, bad) == 1
    said = capfdbinary.readouterr()
    reason = b"%s: record 3 'broken': illegal character '1' at position 6" % os.fsencode(bad)
    assert said.err == b"pfamnet-scan: " + reason + b"\n"
    assert said.out.splitlines()[-1] == b"# incomplete: " + reason
    assert {row.split(b"\t")[3] for row in rows(said.out)} == {b"P15056", b"P06213"}
    assert (
        scan_here(
            "-o",
            files["out"],
            "--domtblout",
            files["dom"],
            "--tblout",
            files["tbl"],
            "--pfamtblout",
            files["pfam"],
            LIBRARY,
            bad,
        )
        == 1
    )
    assert files["out"].read_bytes() == said.out
    for name in names[1:]:
        text = files[name].read_bytes()
        assert b"P06213" in text or name == "pfam"
        assert b"[ok]" not in text and len(rows(text)) > 2


def test_nothing_on_stdout_where_nothing_was_found_out(tmp_path, capfdbinary):
    for text in (b"no fasta", b">a\nAC-\n", b">\nAC\n"):
        path = tmp_path / "x.fa"
        path.write_bytes(text)
        assert scan_here(LIBRARY, path) == 1
        said = capfdbinary.readouterr()
        assert said.out == b"" and said.err.count(b"\n") == 1


def test_usage_is_2(capfd):
    assert scan_here() == 2
    assert scan_here("-x", "b", "c") == 2
    assert capfd.readouterr().out == ""


def test_closed_pipe_is_quiet(tmp_path):
    many = tmp_path / "many.fa"
    many.write_bytes(GOOD * 40)
    process = start(LIBRARY, many, "--mode", "profiles")
    assert process.stdout.readline().startswith(b"#target_name")
    process.stdout.close()
    assert process.wait(60) in (0, 141)
    assert process.stderr.read() == b""
    process = start("--help")
    process.stdout.close()
    assert process.wait(60) in (0, 141)
    assert process.stderr.read() == b""


def test_rows_come_query_by_query(tmp_path):
    process = start("--mode", "profiles", LIBRARY, "-", "--domtblout", tmp_path / "d", stdin=subprocess.PIPE)
    process.stdin.write(GOOD + b">next\n")
    process.stdin.flush()
    lines = [process.stdout.readline() for _ in range(4)]
    assert lines[1].split(b"\t")[3] == b"P15056" and process.poll() is None
    status, out, _ = ended(process)
    assert status == 0 and b"P06213" in b"".join(lines) + out


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1))
def test_signals_end_a_run_in_order(tmp_path, number):
    table = tmp_path / "table"
    process = start("--mode", "profiles", "--domtblout", table, LIBRARY, "-", stdin=subprocess.PIPE)
    process.stdin.write(GOOD + b">next\n")
    process.stdin.flush()
    while b"\tP06213\t" not in (line := process.stdout.readline()):
        assert line
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, err) == (128 + number, b"") and out.splitlines()[-1].startswith(b"# incomplete: ")
    assert b"[ok]" not in table.read_bytes() and b"P15056" in table.read_bytes()


def test_a_signal_in_the_start_is_quiet():
    code = (
        "from pfamnet.signals import stop_at_once; stop_at_once(); print(flush=True); "
        "import time; time.sleep(60)"
    )
    process = subprocess.Popen([PROGRAM[0], "-c", code], stdout=-1, stderr=-1, env=ENVIRONMENT)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, b"", b"")


@pytest.mark.parametrize("option", ("-o", "--tblout", "--domtblout", "--pfamtblout"))
def test_a_full_disk_is_1_and_nothing_looks_whole(tmp_path, option, good, capfdbinary):
    others = [name for name in ("-o", "--tblout", "--domtblout", "--pfamtblout") if name != option]
    arguments = [word for name in others for word in (name, tmp_path / name)]
    assert scan_here(LIBRARY, good, option, "/dev/full", *arguments) == 1
    said = capfdbinary.readouterr()
    assert said.err == b"pfamnet-scan: /dev/full: no space left on device\n"
    for name in others:
        text = (tmp_path / name).read_bytes()
        assert b"[ok]" not in text and rows(text)
        assert name != "-o" or text.splitlines()[-1].startswith(b"# incomplete: ")


def test_a_full_disk_under_stdout():
    with open("/dev/full", "wb") as full:
        process = start(LIBRARY, PROTEINS, "--mode", "profiles", stdout=full)
        assert ended(process)[0::2] == (1, b"pfamnet-scan: stdout: no space left on device\n")


def test_closed_streams(good):
    shell = 'exec "$@" {}'
    command = ["sh", "-c", None, "sh", *PROGRAM, "--mode", "profiles", str(LIBRARY)]
    for redirection, query, said in (
        (">&-", str(good), b"stdout is closed"),
        ("<&-", "-", b"stdin is closed"),
    ):
        command[2] = shell.format(redirection)
        done = subprocess.run([*command, query], capture_output=True)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count(b"\n") == 1
    command[2] = shell.format("2>&-")
    done = subprocess.run([*command, "none.fa"], capture_output=True)
    assert done.returncode == 1 and done.stdout == b""


def test_outputs_that_cannot_be_opened(tmp_path, good, capfd):
    assert scan_here(LIBRARY, good, "-o", tmp_path / "out", "--tblout", tmp_path / "no" / "t") == 1
    said = capfd.readouterr()
    assert "cannot write: no such file" in said.err and said.out == ""
    assert scan_here(LIBRARY, good, "-o", tmp_path) == 1
    assert "is a directory" in capfd.readouterr().err


@pytest.mark.parametrize("name", ("out.tsv", "out.tsv.gz"))
def test_an_old_output_stays_where_another_cannot_be_opened(name, tmp_path, good):
    before = gzip.compress(b"precious") if name.endswith(".gz") else b"precious"
    (tmp_path / name).write_bytes(before)
    assert scan_here(LIBRARY, good, "-o", tmp_path / name, "--tblout", tmp_path / "no" / "t") == 1
    assert (tmp_path / name).read_bytes() == before


def test_a_working_directory_that_was_removed(tmp_path, good):
    (tmp_path / "gone").mkdir()
    code = f"import os; os.chdir({str(tmp_path / 'gone')!r}); os.rmdir('../gone'); "
    code += "from pfamnet.cli import main_scan; main_scan()"
    command = [sys.executable, "-c", code, "--mode", "profiles", "--tblout", tmp_path / "t", LIBRARY, good]
    environment = ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0 and not done.stderr and rows(done.stdout)
    assert (tmp_path / "t").read_text().endswith("# [ok]\n")


def test_outputs_over_each_other_are_refused(tmp_path, good, capfd):
    before = good.read_bytes()
    assert scan_here(LIBRARY, good, "-o", good) == 2
    assert (
        scan_here(LIBRARY, good, "-o", tmp_path / "x", "--tblout", tmp_path / ".." / tmp_path.name / "x") == 2
    )
    assert good.read_bytes() == before and not (tmp_path / "x").exists()
    assert capfd.readouterr().err.count("\n") == 2
    assert scan_here(LIBRARY, good, "-o", "/dev/null", "--tblout", "/dev/null") == 0


def test_a_trailer_is_taken_back(tmp_path):
    path = tmp_path / "table"

    class Trailed(TsvWriter):
        def _end(self):
            return super()._end() + b"# [ok]\n"

    table = Trailed(str(path))
    table.end()
    table.abandon("no more\nroom")
    assert path.read_bytes().splitlines() == [b"# incomplete: no more room"]
    table = Trailed(str(path))
    table.end()
    table.finish()
    assert path.read_bytes().endswith(b"[ok]\n")
    table.abandon("another table failed")
    assert path.read_bytes().endswith(b"# incomplete: another table failed\n")


def test_a_mark_goes_over_the_last_rows_of_a_full_disk(tmp_path, monkeypatch):
    path, mark = tmp_path / "table", b"# incomplete: no space left\n"
    path.write_bytes(b"#header\n" + b"row\n" * 20 + b"half a r")

    class Full(io.FileIO):  # a file that cannot grow
        def write(self, data):
            if self.tell() + len(data) > 96:
                raise OSError(28, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(writer, "open", lambda path, mode, buffering: Full(path, mode), raising=False)
    writer._mark_file(str(path), None, mark, 0)
    assert path.read_bytes() == b"#header\n" + b"row\n" * 13 + mark


@pytest.mark.parametrize("action, text", (("flush", b"head\n"), ("write", b"he\n")))
def test_stdout_interrupted_within_a_write_or_flush_is_marked(action, text):
    class Interrupted(io.BytesIO):
        interrupts = [action]

        def write(self, data):
            return super().write(data[:2] if self.interrupt("write") else data)

        def flush(self):
            self.interrupt("flush")

        def interrupt(self, here):
            if self.interrupts and self.interrupts.pop(0) == here:
                if here == "write":
                    super().write(b"he")
                raise KeyboardInterrupt

    out = Interrupted()
    table = writer.Writer(out, b"head\n")
    with pytest.raises(KeyboardInterrupt):
        if action == "flush":
            out.interrupts.insert(0, "")
        table._put(b"")
        table.flush()
    table.abandon("interrupted")
    assert out.getvalue() == text + b"# incomplete: interrupted\n"


@pytest.mark.parametrize(
    "error, reason",
    (
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "memoryerror"),
        (PfamnetError("x.fa: record 1: no name"), "x.fa: record 1: no name"),
        (OSError(28, "No space left on device"), "no space left on device"),
    ),
)
def test_an_incomplete_output_gives_the_reason(error, reason):
    given = []
    output = SimpleNamespace(writers=[SimpleNamespace(abandon=given.append)])
    outputs.Outputs.abandon(output, error)
    assert given == [reason]
