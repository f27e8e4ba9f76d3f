"""The programs as a user runs them: whole commands, wall and CPU seconds."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import Clock
from pyhmmer.hmmer import hmmpress

MODE_FLAGS = {"fast": ["--fast"], "default": [], "sensitive": ["--sensitive"]}
C_EVALUE = 11  # its column in domtblout, from 0


@contextlib.contextmanager
def hmmscan_program():
    """The path of the hmmscan binary, or None.

    The PyPI package `hmmer` starts it through Python, which would count
    against it; so its binary is taken out.
    """
    try:
        import hmmer
    except ImportError:
        yield shutil.which("hmmscan")
        return
    path = Path(hmmer.path(hmmer.Program.hmmscan))
    try:
        yield str(path)
    finally:
        path.unlink()


def press(model, folder) -> Path:
    """Press the profiles of a model for hmmscan; returns the name to give it."""
    path = Path(folder) / "pressed"
    hmmpress((model.store.hmm(i) for i in range(len(model.families))), path)
    return path


def write_fasta(records, path) -> Path:
    path = Path(path)
    path.write_text(
        "".join(f">{record.name} {record.description}\n{record.sequence}\n" for record in records)
    )
    return path


def environment(cache) -> dict:
    """The environment of an installed program: Python's byte code is kept, output buffered.

    The byte code goes to a folder of its own; run a command once before it counts.
    """
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def run(command, variables) -> None:
    """Run a command, which must end well."""
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=variables)


def timed(command, variables) -> Clock:
    """Run a command and time it."""
    with Clock() as clock:
        run(command, variables)
    return clock


def run_programs(model, model_path, records, mode, cpu) -> dict:
    """`pfamnet-scan` and `hmmscan` with GA cutoffs on the same proteins, and their rows."""
    with tempfile.TemporaryDirectory() as folder, hmmscan_program() as program:
        folder = Path(folder)
        query = write_fasta(records, folder / "query.fa")
        ours, theirs = folder / "ours", folder / "theirs"
        options = ["--cut_ga", "--cpu", cpu, "-o", "/dev/null", "--domtblout"]
        variables = environment(folder / "cache")
        run(
            ["pfamnet-scan", *options, ours, model_path, write_fasta(records[:1], folder / "one.fa")],
            variables,
        )
        mine = timed(["pfamnet-scan", *MODE_FLAGS[mode], *options, ours, model_path, query], variables)
        result = {
            "proteins": len(records),
            "residues": sum(len(r.sequence) for r in records),
            "pfamnet-scan": mine.seconds,
        }
        if program:
            pressed = press(model, folder)
            other = timed([program, *options, theirs, pressed, query], variables)
            result |= {"hmmscan": other.seconds, "rows": compare_rows(theirs, ours)}
        return result


def compare_rows(reference, reported) -> dict:
    """How many rows of one domtblout table stand in another, byte for byte but for padding.

    The conditional E-value counts the families reported for the query, and so
    differs for all of them where one is missing; rows are compared without it too.
    """
    wanted, there = table_rows(reference), table_rows(reported)
    return {
        "hmmscan": len(wanted),
        "pfamnet-scan": len(there),
        "same": len(set(wanted) & set(there)),
        "same_but_for_c_evalue": len(without_c_evalue(wanted) & without_c_evalue(there)),
    }


def table_rows(path) -> list[tuple[str, ...]]:
    lines = Path(path).read_text().splitlines()
    return [tuple(line.split()) for line in lines if not line.startswith("#")]


def without_c_evalue(rows) -> set:
    return {row[:C_EVALUE] + row[C_EVALUE + 1 :] for row in rows}
