"""The command line: hmmscan's options, conflicts and abbreviations."""

import itertools
import subprocess

import click
import pytest
from scanning import DATA, ENVIRONMENT, LIBRARY, PROGRAM, PROTEINS, records, rows, scan_here

from pfamnet.api import checks
from pfamnet.cli import scan_checks
from pfamnet.cli.common import Number, complete, default_cpus
from pfamnet.cli.scan import FORMATS, scan
from pfamnet.cli.scan_checks import CUTOFFS
from pfamnet.cli.scan_settings import as_thresholds
from pfamnet.errors import os_reason
from pfamnet.profiles.search import Thresholds

# What hmmscan 3.4 says are the options it has.
HMMSCANS = [
    "-h",
    "-o",
    "--tblout",
    "--domtblout",
    "--pfamtblout",
    "--acc",
    "--noali",
    "--notextw",
    "--textw",
    "-E",
    "-T",
    "--domE",
    "--domT",
    "--incE",
    "--incT",
    "--incdomE",
    "--incdomT",
    "--cut_ga",
    "--cut_nc",
    "--cut_tc",
    "--max",
    "--F1",
    "--F2",
    "--F3",
    "--nobias",
    "--nonull2",
    "-Z",
    "--domZ",
    "--seed",
    "--qformat",
    "--cpu",
]
# Pairs that hmmscan 3.4 refuses, found by trying all pairs with the program.
REFUSED_THERE = {
    *itertools.combinations(("cut_ga", "cut_nc", "cut_tc"), 2),
    *itertools.product(
        ("cut_ga", "cut_nc", "cut_tc"), ("E", "T", "domE", "domT", "incE", "incT", "incdomE", "incdomT")
    ),
    ("E", "T"),
    ("domE", "domT"),
    ("incE", "incT"),
    ("incdomE", "incdomT"),
    ("max", "F1"),
    ("max", "F2"),
    ("max", "F3"),
    ("max", "nobias"),
    ("notextw", "textw"),
}
VALUES = {"textw": "130"}
OURS = {"fast", "sensitive", "top", "quiet", "verbose"}
FLAGS = {"cut_ga", "cut_nc", "cut_tc", "max", "nobias", "notextw", *OURS}


@pytest.fixture
def one(tmp_path):
    """A file with one protein."""
    path = tmp_path / "one.fa"
    path.write_bytes(records("P15056"))
    return path


def typed(name):
    return [scan_checks.flag(name)] + ([] if name in FLAGS else [VALUES.get(name, "1")])


def test_every_option_of_hmmscan_is_there():
    ours = {name for param in scan.params for name in (*param.opts, *param.secondary_opts)} | {"-h"}
    assert set(HMMSCANS) <= ours


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys; from pfamnet.cli.scan import scan; from pfamnet.cli.common import run; "
        "run(scan, ['-h']); run(scan, ['--version']); "
        "print([m for m in ('numpy', 'torch', 'pyhmmer', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([PROGRAM[0], "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    for option in HMMSCANS:
        assert f"{option} " in done.stdout or f"{option}," in done.stdout


def test_conflicts_are_hmmscans():
    ours = {pair for pair in scan_checks.EXCLUSIVE if not OURS & set(pair)}
    assert ours == REFUSED_THERE


def test_conflicts_are_the_apis():
    """And those of options that the API does not have."""
    here = {"bit_cutoffs": CUTOFFS, "sensitivity='sensitive'": ["sensitive"], "bias_filter": ["nobias"]}
    names = lambda option: here.get(option, [option])
    expanded = (
        pair for one, other in checks.EXCLUSIVE for pair in itertools.product(names(one), names(other))
    )
    theirs = {frozenset(pair) for pair in expanded if not any("mode" in name for name in pair)}
    ours = set(map(frozenset, scan_checks.EXCLUSIVE))
    assert theirs <= ours and checks.LIMITS == scan_checks.LIMITS
    alone = {"max", "notextw", "fast", "quiet"}
    assert all(pair & alone or pair <= {*CUTOFFS} for pair in ours - theirs)


@pytest.mark.parametrize("pair", sorted(scan_checks.EXCLUSIVE))
def test_conflicts_are_refused(pair, capfd):
    for first, second in (pair, pair[::-1]):
        assert scan_here(LIBRARY, "none.fa", *typed(first), *typed(second)) == 2
        said = capfd.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert all(scan_checks.flag(name) in said.err for name in pair)


@pytest.mark.parametrize(
    "arguments",
    (
        ["-E", "0"],
        ["-E", "-1"],
        ["-E", "abc"],
        ["-E", "nan"],
        ["--domE", "0"],
        ["--incE", "0"],
        ["--incdomE", "-2"],
        ["-T", "x"],
        ["-Z", "0"],
        ["-Z", "-3"],
        ["--domZ", "0"],
        ["--seed", "-1"],
        ["--seed", "1.5"],
        ["--cpu", "-1"],
        ["--cpu", "1.5"],
        ["--textw", "119"],
        ["--qformat", "xx"],
        ["--dom", "1"],
        ["--E", "1"],
        ["-E", "1", "-E", "2"],
        ["--acc", "--acc"],
        ["-T"],
        ["--mode", "x"],
        ["--F1", "x"],
        ["--nobias", "--nob"],
        ["-x"],
    ),
)
def test_what_hmmscan_refuses_is_refused(arguments, capfd):
    assert scan_here(LIBRARY, "none.fa", *arguments) == 2
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    (
        ["-T", "-5"],
        ["-E", "1e400"],
        ["-E3"],
        ["--F1", "2"],
        ["--F1", "-1"],
        ["-Z", ".5"],
        ["--seed", "0"],
        ["--cpu", "0"],
        ["--nonu"],
        ["--nonull2", "--nobias"],
        ["--domE=1e-3"],
        ["--qformat", "fasta"],
        ["--"],
    ),
)
def test_what_hmmscan_takes_is_taken(arguments, one, capfd):
    assert scan_here(*arguments, LIBRARY, one) == 0
    assert capfd.readouterr().err == ""


def test_complete():
    args = ["--domtbl", "--cut_ga", "x", "--nob", "--domE=3", "-E", "--acc", "-E3"]
    with pytest.raises(Exception, match="-E is given twice"):
        complete(args, scan.params)
    assert complete(args[:-1], scan.params) == [
        "--domtblout",
        "--cut_ga",
        "x",
        "--nobias",
        "--domE=3",
        "-E",
        "--acc",
    ]
    assert complete(["--vers", "--", "--nob"], scan.params) == ["--version", "--", "--nob"]
    assert complete(["-", "--none"], scan.params) == ["-", "--none"]


@pytest.mark.parametrize(
    "short, option", (("--pfam", "--pfamtblout"), ("--q", "--qformat"), ("--m", "--max"))
)
def test_hmmscans_abbreviations_are_its_options(short, option, tmp_path):
    """Although options of ours begin alike."""
    assert complete([short], scan.params, scan_checks.HMMSCANS) == [option]
    with pytest.raises(click.UsageError, match="may be any of"):
        complete([short], scan.params)


def test_the_options_whose_abbreviations_come_first_are_hmmscans():
    assert {option for option in HMMSCANS if option.startswith("--")} == scan_checks.HMMSCANS


@pytest.mark.parametrize(
    "words, said",
    (
        (["-E", "1_0"], "'1_0' is not a number"),
        (["--cpu", "1_0"], "'1_0' is not a whole number"),
        (["-Z", "inf"], "inf is not finite"),
        (["--domZ", "1e999"], "1e999 is not finite"),
        (["--tblout", ""], "the file name is empty"),
        (["-A", ""], "the file name is empty"),
        (["--save-hmm", ""], "the file name is empty"),
        ([""], "the file name is empty"),
        (["--save-hmm", "x", "--families", "a"], "--save-hmm scans nothing: not together with --families"),
    ),
)
def test_values_that_are_none(words, said, one, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert scan_here(*words, one) == 2
    assert said in capfd.readouterr().err and sorted(tmp_path.iterdir()) == before


def test_number():
    assert Number().convert("1e3", None, None) == 1000
    assert Number(above=0).convert("1e400", None, None) == float("inf")


def test_thresholds():
    nothing = dict.fromkeys(
        (
            *scan_checks.LIMITS,
            *scan_checks.CUTOFFS,
            "Z",
            "domZ",
            "seed",
            "F1",
            "F2",
            "F3",
            "nobias",
            "nonull2",
            "max",
        )
    )
    assert as_thresholds(nothing) == Thresholds()
    assert as_thresholds(nothing | {"max": True}) == Thresholds().unfiltered()
    given = {"E": 1.0, "domT": -3.0, "Z": 5.0, "seed": 0, "F1": 0.5, "nobias": True, "nonull2": True}
    assert as_thresholds(nothing | given) == Thresholds(
        E=1.0, domT=-3.0, Z=5.0, seed=0, F1=0.5, bias_filter=False, null2=False
    )
    assert as_thresholds(nothing | {"cut_nc": True}).bit_cutoffs == "noise"


def test_threads_of_the_environment(monkeypatch, one, capfd):
    monkeypatch.delenv("HMMER_NCPU", raising=False)
    assert default_cpus() >= 1
    for asked, threads in (("3", 3), ("0", 1)):
        monkeypatch.setenv("HMMER_NCPU", asked)
        assert default_cpus() == threads
        assert scan_here("--verbose", LIBRARY, one) == 0
        assert f" {threads} threads" in capfd.readouterr().err
    for wrong in ("abc", "-1", "", "1.5"):
        monkeypatch.setenv("HMMER_NCPU", wrong)
        assert scan_here(LIBRARY, one) == 2
        assert "HMMER_NCPU" in capfd.readouterr().err


@pytest.mark.parametrize("option", ("--acc", "--noali", "--notextw", "--textw=200"))
def test_what_changes_nothing_is_said_in_one_line(option, one, capfd):
    assert scan_here(LIBRARY, one) == 0
    plain = capfd.readouterr()
    assert scan_here(option, LIBRARY, one) == 0
    other = capfd.readouterr()
    assert other.out == plain.out and plain.err == ""
    assert other.err.count("\n") == 1 and option.partition("=")[0] in other.err


def test_without_effect_by_mode():
    idle = scan_checks.without_effect
    assert idle({"E", "max", "seed"}, "profiles") == []
    assert idle({"max", "seed"}, "network") == ["warning: --max --seed have no effect with --mode network"]
    assert idle({"network", "fast"}, "profiles") == [
        "warning: --fast --network have no effect with --mode profiles"
    ]


def test_no_date_and_header(tmp_path, one, capfdbinary):
    for tables in ("a", "b"):
        assert (
            scan_here(
                "--no-date",
                "--no-header",
                "--domtblout",
                tmp_path / "table",
                "--tblout",
                tmp_path / f"{tables}.tbl",
                LIBRARY,
                one,
            )
            == 0
        )
        text = (tmp_path / "table").read_bytes()
        assert b"# Date:" not in text and b"# Current dir:" not in text and text.endswith(b"# [ok]\n")
    out = capfdbinary.readouterr().out
    assert b"#" not in out and rows(out)
    assert scan_here(LIBRARY, one, "--domt", tmp_path / "table") == 0
    text = (tmp_path / "table").read_bytes()
    assert b"# Date:" in text and b"# Current dir:" in text
    assert capfdbinary.readouterr().out.startswith(b"#target_name\t")


def test_missing_cutoffs_are_refused_at_the_start(tmp_path, capfd):
    out = tmp_path / "out"
    assert scan_here("--cut_ga", "-o", out, DATA / "none.hmm", PROTEINS) == 1
    capfd.readouterr()
    plain = tmp_path / "plain.hmm"
    from pfamnet.profiles.files import read_hmms

    with open(plain, "wb") as file:
        for hmm in itertools.islice(read_hmms(LIBRARY), 3):
            hmm.cutoffs.gathering = None
            hmm.write(file)
    assert scan_here("--cut_ga", "-o", out, plain, PROTEINS) == 1
    said = capfd.readouterr().err
    assert "no GA bit thresholds" in said and said.count("\n") == 1 and not out.exists()


def test_os_reason():
    assert os_reason(OSError(28, "No space left on device", "x")) == "x: no space left on device"
    assert os_reason(OSError(28, "No space left on device")) == "no space left on device"


def test_formats_are_known_to_the_help():
    assert {"fasta", "embl", "genbank", "uniprot", "stockholm"} <= set(FORMATS)


def test_seeds_have_32_bits(capfd):
    from scanning import PROTEINS

    assert scan_here("--seed", 2**32 - 1, "-o", "/dev/null", LIBRARY, PROTEINS) == 0
    assert scan_here("--seed", 2**32, "-o", "/dev/null", LIBRARY, PROTEINS) == 2
    assert "--seed" in capfd.readouterr().err
