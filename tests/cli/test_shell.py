"""`python -m pfamnet`, completion by the shell, and manual pages."""

import shutil
import subprocess
import sys

import pytest
from scanning import ENVIRONMENT, LIBRARY, PROGRAM, records, rows

MODULE = [sys.executable, "-m", "pfamnet"]


def done(*words, **more):
    finished = subprocess.run(list(map(str, words)), capture_output=True, env=ENVIRONMENT | more)
    assert finished.returncode == 0 and finished.stderr == b"", finished.stderr
    return finished.stdout


def test_the_module_is_the_programs(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(records("P15056"))
    out = done(*MODULE, "--mode", "profiles", LIBRARY, path)
    assert out == done(*MODULE, "scan", "--mode", "profiles", LIBRARY, path) and len(rows(out)) > 1
    assert b"pfamnet-build" in done(*MODULE, "build", "--help")
    assert b"pfamnet-web" in done(*MODULE, "web", "--help")


@pytest.mark.parametrize(
    "words, expected",
    (
        ("--domtb", [b"plain,--domtblout"]),
        ("--mode hy", [b"plain,hybrid"]),
        ("-o x", [b"file,x"]),
        ("mod", [b"file,mod"]),
        ("--acc --acc --tit", [b"plain,--title"]),
    ),
)
def test_completion(words, expected):
    words = f"pfamnet-scan {words}"
    settings = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert done(*PROGRAM, **settings, _PFAMNET_SCAN_COMPLETE="bash_complete").splitlines() == expected


def test_scripts_of_shells():
    for shell in ("bash", "zsh", "fish"):
        out = done(*PROGRAM, _PFAMNET_SCAN_COMPLETE=f"{shell}_source")
        assert b"pfamnet-scan" in out and b"complete" in out


@pytest.mark.parametrize("program", ("scan", "build"))
def test_manual_pages(program, tmp_path):
    page = done(*MODULE, "man", program)
    options = [
        line.split()[0] for line in done(*MODULE, program, "-h").decode().splitlines() if "  -" in line
    ]
    assert len(options) > 30
    for option in options:
        assert option.rstrip(",").replace("-", "\\-") in page.decode()
    if not shutil.which("man"):
        pytest.skip("no man here")
    (tmp_path / "x.1").write_bytes(page)
    shown = subprocess.run(["man", "--warnings", "-l", tmp_path / "x.1"], capture_output=True, check=True)
    assert shown.stderr == b"" and b"EXIT STATUS" in shown.stdout
