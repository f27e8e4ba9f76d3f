"""One protein, cold start: wall time of the whole command.

Every command is a new process; files lie in the system's cache and Python's byte
code is compiled, as they are for anyone who runs it twice. The commands take turns, so that a busy machine is
unfair to none; the median of the runs counts.

    python benchmarks/startup.py --model DIR --protein FASTA --out FILE
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import click
from common import describe_model, machine, save
from programs import environment, hmmscan_program, press, run, timed, write_fasta

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "examples.fa"
IMPORT = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|(\s*)(\S+)")


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option(
    "--protein",
    default=EXAMPLE,
    type=click.Path(exists=True, dir_okay=False),
    help="FASTA whose first protein is scanned  [the shipped examples]",
)
@click.option("--runs", default=11, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, protein, runs, out):
    """Wall time of pfamnet-scan and hmmscan on one protein."""
    model, records = open_model(model_path), list(islice(read_fasta(protein), 1))
    with tempfile.TemporaryDirectory() as folder, hmmscan_program() as hmmscan:
        query = write_fasta(records, Path(folder) / "query.fa")
        scan = [shutil.which("pfamnet-scan"), "--cpu", "1", model_path, query]
        commands = {
            "pfamnet-scan --cpu 1": scan,
            "pfamnet-scan --cpu 2": [scan[0], "--cpu", "2", *scan[3:]],
            "pfamnet-scan --version": [scan[0], "--version"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        if hmmscan:
            commands["hmmscan"] = [hmmscan, "--cpu", "1", press(model, folder), query]
        variables = environment(Path(folder) / "cache")
        times = measure(commands, runs, variables)
        imports = import_times(scan, variables)
    save(
        {
            "benchmark": "startup",
            "machine": machine(1),
            "model": describe_model(model),
            "protein": {"name": records[0].name, "residues": len(records[0].sequence)},
            "runs": runs,
            "commands": times,
            "imports_of_scan": imports,
        },
        out,
    )


def measure(commands, runs, variables):
    """Wall and CPU seconds of each command: median, and the extremes of wall."""
    for command in commands.values():  # once for nothing: byte code, file cache
        run(command, variables)
    clocks = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            clocks[name].append(timed(command, variables))
    return {
        name: {
            "wall_s": round(statistics.median(c.wall for c in several), 3),
            "wall_least_s": round(min(c.wall for c in several), 3),
            "wall_most_s": round(max(c.wall for c in several), 3),
            "cpu_s": round(statistics.median(c.cpu for c in several), 3),
        }
        for name, several in clocks.items()
    }


def import_times(command, variables, largest=12):
    """Milliseconds that packages take when the command imports them (-X importtime)."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *map(str, command)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    )
    own = package_times(done.stderr)
    first = sorted(own, key=own.get, reverse=True)[:largest]
    return {
        "all_ms": round(sum(own.values()) / 1000, 1),
        "packages_ms": {name: round(own[name] / 1000, 1) for name in first},
    }


def package_times(report):
    """Microseconds by top-level package in a report of -X importtime, each module's own.

    >>> package_times("import time: 5 | 5 | a.b" + chr(10) + "import time: 2 | 7 | a")
    {'a': 7}
    """
    own = {}
    for mine, _, _, module in IMPORT.findall(report):
        package = module.partition(".")[0]
        own[package] = own.get(package, 0) + int(mine)
    return own


if __name__ == "__main__":
    main()
