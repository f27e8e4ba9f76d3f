"""The Snakemake wrapper, and the workflow that scans chunks in parallel."""

import os
import shutil
import subprocess

import pytest
from workflow_engines import DATA, ROOT, WRAPPERS, engine

WORKFLOW = WRAPPERS / "snakemake" / "workflow" / "Snakefile"
TABLES = {
    "tsv": "-o",
    "domtblout": "--domtblout",
    "tblout": "--tblout",
    "gff3": "--gff3",
    "jsonl": "--json-lines",
}


@pytest.fixture
def work(tmp_path):
    """A directory with five proteins, and with 37 in many.fa."""
    shutil.copy(DATA / "profiles.hmm", tmp_path)
    shutil.copy(DATA / "proteins.fa", tmp_path)
    shutil.copy(ROOT / "tests" / "data" / "golden.fa", tmp_path / "many.fa")
    return tmp_path


def workflow(work, path, chunks, *settings, check=True):
    """Run the workflow in a directory."""
    return engine(
        "snakemake",
        *("--cores", 2, "--snakefile", WORKFLOW, "--set-scatter", f"chunks={chunks}"),
        *("--config", "model=profiles.hmm", *settings),
        path=path,
        check=check,
        cwd=work,
    )


def one_scan(work, path, proteins):
    """The tables of one scan, under the workflow's names."""
    files = [word for table, option in TABLES.items() for word in (option, f"hits.{table}")]
    command = ["pfamnet-scan", "--no-date", "--cpu", "1", "--cut_ga", *files, "profiles.hmm", proteins]
    subprocess.run(command, check=True, cwd=work, env=os.environ | {"PATH": path})
    return {table: (work / f"hits.{table}").read_bytes() for table in TABLES}


def test_the_wrapper_writes_the_tables_that_its_rule_names(tmp_path, programs):
    wrapper = tmp_path / "master" / "bio" / "pfamnet" / "scan"
    shutil.copytree(WRAPPERS / "snakemake" / "pfamnet" / "scan", wrapper)
    prefix = f"file://{tmp_path}/"
    engine(
        "snakemake",
        *("--cores", 1, "--wrapper-prefix", prefix, "proteins.tsv"),
        path=programs,
        cwd=wrapper / "test",
    )
    assert "bZIP_1\tPF00170.24\t64\tP03069\t" in (wrapper / "test" / "proteins.tsv").read_text()
    assert (wrapper / "test" / "proteins.domtblout").read_text().endswith("# [ok]\n")
    assert (wrapper / "test" / "proteins.gff3").read_text().startswith("##gff-version 3")


@pytest.mark.parametrize(
    ("chunks", "proteins"),
    [(1, "many.fa"), (2, "many.fa"), (8, "many.fa"), (32, "proteins.fa")],
    ids=("1", "2", "8", "32, 27 empty"),
)
def test_the_joined_tables_are_those_of_one_scan(chunks, proteins, work, programs):
    expected = one_scan(work, programs, proteins)
    for table in TABLES:
        (work / f"hits.{table}").unlink()
    workflow(work, programs, chunks, f"proteins={proteins}")
    assert {table: (work / f"hits.{table}").read_bytes() for table in TABLES} == expected


KILLED = """#!/bin/sh
echo "$@" >> {log}
case "$*" in */3-of-5.fa) mkdir {mark} 2> /dev/null && kill -9 $$ ;; esac
exec {program} "$@"
"""


@pytest.fixture
def killed_once(tmp_path, programs):
    """A PATH whose pfamnet-scan is killed in the third chunk, the first time; and the log of its runs."""
    folder = tmp_path / "killed"
    folder.mkdir()
    log, program = folder / "log", shutil.which("pfamnet-scan", path=programs)
    (folder / "pfamnet-scan").write_text(KILLED.format(log=log, mark=folder / "mark", program=program))
    (folder / "pfamnet-scan").chmod(0o755)
    return f"{folder}{os.pathsep}{programs}", lambda: log.read_text().splitlines()


def test_a_killed_scan_is_retried(work, programs, killed_once):
    path, runs = killed_once
    workflow(work, path, 5, "retries=1")
    assert len(runs()) == 6
    assert sum(line.endswith("/3-of-5.fa") for line in runs()) == 2
    done = {table: (work / f"hits.{table}").read_bytes() for table in TABLES}
    assert done == one_scan(work, programs, "proteins.fa")


def test_the_next_run_scans_only_what_is_missing(work, programs, killed_once):
    path, runs = killed_once
    assert workflow(work, path, 5, "retries=0", check=False).returncode != 0
    before = runs()
    workflow(work, path, 5, "retries=0")
    assert len(runs()) == 6
    assert not {line for line in runs()[len(before) :] if not line.endswith("/3-of-5.fa")} & set(before)
    done = {table: (work / f"hits.{table}").read_bytes() for table in TABLES}
    assert done == one_scan(work, programs, "proteins.fa")
