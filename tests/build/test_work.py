"""The work directory: steps that are kept, and threads."""

import errno
import os
import subprocess
import sys

import pytest
from safetensors import SafetensorError

from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Threads, Work, check_files, load_json, writing
from pfamnet.errors import PfamnetError
from pfamnet.io.replacing import replacing


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path, BuildOptions(()), resume=True)


def load(path):
    return path.read_text()


def save(text, path):
    path.write_text(text.upper())


def test_a_step_is_done_once_and_gives_what_was_saved(work):
    assert work.step("a/b.txt", lambda: "made", load, save) == "MADE"  # also the first time
    assert work.step("a/b.txt", pytest.fail, load, save) == "MADE"
    assert [path.name for path in (work / "a").iterdir()] == ["b.txt"]


def test_a_step_that_fails_leaves_no_result(work):
    def half(text, path):
        save(text, path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.step("b.txt", lambda: "made", load, half)
    assert not (work / "b.txt").exists()
    assert work.step("b.txt", lambda: "again", load, save) == "AGAIN"


@pytest.mark.parametrize("content", ("", "[1,", "\xff"))
def test_a_step_whose_file_is_corrupt_is_named(work, content):
    (work / "b.json").write_text(content, "latin-1")
    with pytest.raises(PfamnetError, match=f"^{work / 'b.json'} is corrupt; delete it$"):
        work.step("b.json", lambda: None, load_json, save)


def test_a_directory_that_a_link_leads_to_is_removed_with_the_link(tmp_path):
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "x").touch()
    (tmp_path / "m.work").symlink_to("moved")
    Work(tmp_path / "m.work", BuildOptions(()), resume=True).remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", ("trainsets", "domains", "hmm", "proteins", "families"))
def test_inputs_that_are_pipes_are_refused_at_once(tmp_path, field):
    os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / "pipe")
    with pytest.raises(PfamnetError, match=f"^{path}: a pipe, which cannot be read twice"):
        check_files(BuildOptions(**{field: (path,) if field == "trainsets" else path}))
    check_files(BuildOptions(**{field: (str(tmp_path),) if field == "trainsets" else str(tmp_path / "none")}))


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(ValueError), replacing(tmp_path / "x") as partial:
        partial.write_text("half")
        raise ValueError
    assert (tmp_path / "x").read_text() == "old"
    with replacing(tmp_path / "x") as partial:
        partial.write_text("new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "new")]
    with pytest.raises(OSError, match="none/x"), replacing(tmp_path / "none" / "x") as partial:
        partial.write_text("new")


@pytest.mark.parametrize("cpus", [1, 3])
def test_threads_keep_the_order_of_the_items(cpus, capfd):
    assert Threads(cpus).map("squares", lambda n: n * n, range(20)) == [n * n for n in range(20)]
    assert capfd.readouterr().err == ""


def test_one_build_at_a_time(tmp_path):
    folder = tmp_path / "m.work"
    code = f"""
from pathlib import Path
from pfamnet.build.options import BuildOptions
from pfamnet.build.work import Work
work = Work(Path({str(folder)!r}), BuildOptions(()), resume=False)
work.begin({{}})
print("begun", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as running:
        assert running.stdout.readline() == b"begun\n"
        with pytest.raises(PfamnetError, match="m.work: a build is running there"):
            Work(folder, BuildOptions(()), resume=True).check()
        running.kill()
    Work(folder, BuildOptions(()), resume=True).check()


@pytest.mark.parametrize(
    "error, said",
    (
        (OSError(errno.ENOSPC, "No space left on device"), "work: no space left on device"),
        (OSError(errno.EACCES, "Permission denied", "file"), "file: permission denied"),
        (
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "work: no space left on device",
        ),
        (SafetensorError("another\nreason"), "work: another reason"),
        (RuntimeError("writing failed: Disk quota exceeded"), "work: disk quota exceeded"),
    ),
)
def test_what_the_disk_refuses_is_one_line(error, said):
    with pytest.raises(PfamnetError) as refusal, writing("work"):
        raise error
    assert str(refusal.value).startswith(said)


@pytest.mark.parametrize("error", (RuntimeError("a fault"), BrokenPipeError(errno.EPIPE, "Broken pipe")))
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as same, writing("work"):
        raise error
    assert same.value is error


def test_a_link_that_leads_nowhere_is_not_written_over(tmp_path):
    (tmp_path / "m.work").symlink_to(tmp_path / "none")
    with pytest.raises(PfamnetError, match="an earlier build is unfinished"):
        Work(tmp_path / "m.work", BuildOptions(()), False).check()
