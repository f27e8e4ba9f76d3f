"""How fast is pfamnet-scan, beside HMMER, on the same cores in one run?

Complete commands, start-up included, with default thresholds:

- pfamnet-scan, default and --fast;
- pyhmmer's hmmsearch and hmmscan, which hold pressed profiles and all sequences in memory;
- the hmmscan program on the same pressed profiles.

The parts: `families` varies the number of families (beyond the model's own they are padding, see
models.py), `modes` compares exact, hybrid and auto with hmmsearch, in turns, `lengths` varies the
length of the proteins, `files` the size of the file, `startup` scans one protein, `cores` compares
one core with all of `--cpu`, and `memory` has the largest peaks: many proteins, a long one, and many
families with workers.

    python benchmarks/speed.py --model DIR --proteins FASTA --cpu 2 --out FILE

Slow programs get fewer proteins, the first ones of the same file.
"""

import itertools
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import click
from common import (
    SENSITIVITIES,
    environment,
    hmmscan_program,
    machine,
    markdown,
    program,
    pyhmmer_command,
    rates,
    read_model,
    run,
    save,
    write_fasta,
)
from models import with_families

from pfamnet.io.fasta import read_fasta

PARTS = ("modes", "families", "lengths", "files", "startup", "cores", "memory")
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
PYHMMER = ("pyhmmer hmmsearch", "pyhmmer hmmscan")
MODES = ("profiles", "hybrid", "auto")
# comparisons (proteins x families) that a program gets at most
BUDGET = {"pyhmmer hmmsearch": 12_800_000, "pyhmmer hmmscan": 1_600_000, "hmmscan": 640_000}
FEWEST = 25  # proteins


def numbers(_, __, text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--cpu", default=1, show_default=True, help="threads of each program")
@click.option("--part", "parts", multiple=True, default=PARTS, type=click.Choice(PARTS), show_default=True)
@click.option(
    "--families",
    default="250,500,1000,2000,0,12500,25000",
    show_default=True,
    callback=numbers,
    help="numbers of families; 0: the model as it is",
)
@click.option("--count", default=2000, show_default=True, help="proteins for each number of families")
@click.option("--some", default=500, show_default=True, help="proteins for each mode")
@click.option(
    "--turns", default=3, show_default=True, help="runs of each mode, in turns; the cheapest counts"
)
@click.option("--lengths", default="100,300,1000,3000,10000,35000", show_default=True, callback=numbers)
@click.option("--residues", default=400_000, show_default=True, help="residues of the proteins of one length")
@click.option("--files", default="1,10,100,1000,10000", show_default=True, callback=numbers, help="proteins")
@click.option("--runs", default=11, show_default=True, help="runs of each command that starts up")
@click.option("--many", default=100_000, show_default=True, help="proteins of the largest file, for memory")
@click.option("--longest", default=2_000_000, show_default=True, help="residues of the longest protein")
@click.option("--most", default=25_000, show_default=True, help="families of the largest model, for memory")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(
    model_path,
    proteins,
    cpu,
    parts,
    families,
    count,
    some,
    turns,
    lengths,
    residues,
    files,
    runs,
    many,
    longest,
    most,
    out,
):
    """Time pfamnet-scan and its opponents."""
    model, records = read_model(model_path), list(read_fasta(proteins))
    result = {
        "benchmark": "speed",
        "machine": machine(cpu),
        "model": model.about,
        "proteins": {"file": Path(proteins).name, "count": len(records)},
    }
    with tempfile.TemporaryDirectory() as folder, hmmscan_program() as hmmscan:
        race = Race(Path(folder), cpu, hmmscan)
        if "modes" in parts:
            result["modes"] = [race.modes(model, number, records[:some], turns) for number in families]
        if "families" in parts:
            result["families"] = [race.families(model, number, records[:count]) for number in families]
        if "lengths" in parts:
            result["lengths"] = [race.length(model, records, length, residues) for length in lengths]
        if "files" in parts:
            result["files"] = [race.file(model, records, size) for size in files]
        if "startup" in parts:
            result["commands"] = race.startup(model, records[:1], runs)
        if "cores" in parts:
            result["cores"] = race.cores(model, records[:count], turns)
        if "memory" in parts:
            result["memory"] = race.memory(model, records, some, many, longest, most)
    save(result | {"tables": tables(result)}, out)


class Race:
    """Runs commands in a folder and keeps what each of them took."""

    def __init__(self, folder: Path, cpu: int, hmmscan: str | None):
        self.folder, self.cpu, self.hmmscan = folder, cpu, hmmscan
        self.variables = environment(folder / "cache")

    def fasta(self, records, name="query.fa") -> Path:
        return write_fasta(records, self.folder / name)

    def timed(self, command, records, **options) -> dict:
        return rates(run(command, self.variables, **options), records)

    def families(self, model, number, records) -> dict:
        """All programs on a model of so many families."""
        there = len(model.families)
        number, made = number or there, self.folder / f"model.{number}"
        if number != there:
            model = with_families(model, number, made)
        rows = self.ours(model, records) | self.opponents(model, number, records)
        shutil.rmtree(made, ignore_errors=True)
        return {"families": number, "padded": max(0, number - there), "programs": rows}

    def modes(self, model, number, records, turns) -> dict:
        """Every profile, the network's candidates, and what auto makes of it, beside hmmsearch."""
        there = len(model.families)
        number, made = number or there, self.folder / f"model.{number}"
        if number != there:
            model = with_families(model, number, made)
        query, pressed, out = self.fasta(records), model.press(self.folder), self.folder / "theirs"
        commands = {name: self.scan(model, query, "--mode", name) for name in MODES}
        commands[PYHMMER[0]] = pyhmmer_command("hmmsearch", pressed, query, self.cpu, out)
        taken, rows = {name: [] for name in commands}, {}
        run(self.scan(model, self.fasta(records[:1], "one.fa"), "--mode", "hybrid"), self.variables)
        for _ in range(turns):
            for name, command in commands.items():
                taken[name].append(self.timed(command, records))
                rows[name] = count_rows(self.folder / "ours" if name in MODES else out)
        shutil.rmtree(made, ignore_errors=True)
        least = {name: min(costs, key=lambda cost: cost["cpu_s"]) for name, costs in taken.items()}
        programs = {name: cost | {"rows": rows[name]} for name, cost in least.items()}
        return {"families": number, "padded": max(0, number - there), "programs": programs}

    def ours(self, model, records) -> dict:
        run([*program("pfamnet-scan"), model.path, self.fasta(records[:1])], self.variables)
        query = self.fasta(records)
        return {
            f"pfamnet-scan {name}": self.timed(self.scan(model, query, *SENSITIVITIES[name]), records)
            for name in ("default", "fast")
        }

    def scan(self, model, query, *options, cpu=None) -> list:
        table = ["-o", "/dev/null", "--domtblout", self.folder / "ours"]
        return [*program("pfamnet-scan"), *options, "--cpu", cpu or self.cpu, *table, model.path, query]

    def opponents(self, model, number, records, names=tuple(BUDGET)) -> dict:
        pressed, out, rows = model.press(self.folder), self.folder / "theirs", {}
        for name in names:
            some = records[: max(FEWEST, BUDGET[name] // number)]
            query = self.fasta(some)
            command = [self.hmmscan, "--cpu", self.cpu, "-o", "/dev/null", "--domtblout", out, pressed, query]
            if name in PYHMMER:
                command = pyhmmer_command(name.removeprefix("pyhmmer "), pressed, query, self.cpu, out)
            if command[0]:
                rows[name] = self.timed(command, some)
        for file in self.folder.glob("pressed*"):
            file.unlink()
        return rows

    def length(self, model, records, length, residues) -> dict:
        """Proteins of one length: real ones joined and cut."""
        letters = itertools.chain.from_iterable(record.sequence for record in itertools.cycle(records))
        some = [
            records[0]._replace(name=f"joined_{i}", sequence="".join(itertools.islice(letters, length)))
            for i in range(max(2, residues // length))
        ]
        rows = self.ours(model, some)
        return {"length": length, "programs": rows | self.opponents(model, 1, some, PYHMMER[:1])}

    def file(self, model, records, size) -> dict:
        """A file of so many proteins."""
        run([*program("pfamnet-scan"), model.path, self.fasta(records[:1])], self.variables)  # byte code
        some = self.numbered(records, size)
        command = [*program("pfamnet-scan"), "--cpu", self.cpu, model.path, self.fasta(some)]
        return {
            "proteins": size,
            "programs": {"pfamnet-scan default": self.timed(command, some, first_row=True)},
        }

    def cores(self, model, records, turns) -> list[dict]:
        """One core and several, in turns; of each the fastest run counts."""
        query, rows = self.fasta(records), []
        for mode in MODES[:2]:
            taken = {1: [], self.cpu: []}
            for cpu in [*taken] * turns:
                command = self.scan(model, query, "--mode", mode, cpu=cpu)
                taken[cpu].append(self.timed(command, records))
            least = {cpu: min(costs, key=lambda cost: cost["wall_s"]) for cpu, costs in taken.items()}
            gain = round(least[1]["wall_s"] / least[self.cpu]["wall_s"], 2)
            rows += [{"mode": mode, "cores": cpu, "gain": gain, **cost} for cpu, cost in least.items()]
        return rows

    def memory(self, model, records, some, many, longest, most) -> list[dict]:
        """The largest peaks."""
        long = [
            records[0]._replace(name="long", sequence="".join(random.Random(9).choices(LETTERS, k=longest)))
        ]
        cases = {
            f"{many:,} proteins": (model, self.numbered(records, many), ()),
            f"a protein of {longest:,} residues": (model, long, ()),
            f"{most:,} families, every profile": (None, records[:some], ("--mode", "profiles")),
        }
        rows = []
        for what, (used, proteins, options) in cases.items():
            used = used or with_families(model, most, self.folder / "most")
            cost = self.timed(self.scan(used, self.fasta(proteins), *options), proteins)
            rows.append({"what": what, **cost})
        shutil.rmtree(self.folder / "most")
        return rows

    def numbered(self, records, size) -> list:
        """So many proteins, under new names when they come again."""
        cycle = zip(range(size), itertools.cycle(records))
        return [record._replace(name=f"{record.name}_{i}") for i, record in cycle]

    def startup(self, model, records, runs) -> dict:
        """One protein; the commands take turns, so that a busy machine is fair to all."""
        query, scan = self.fasta(records), program("pfamnet-scan")
        commands = {
            "pfamnet-scan --cpu 1": [*scan, "--cpu", 1, model.path, query],
            "pfamnet-scan --cpu 2": [*scan, "--cpu", 2, model.path, query],
            "pfamnet-scan --version": [*scan, "--version"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        if self.hmmscan:
            commands["hmmscan"] = [self.hmmscan, "--cpu", 1, model.press(self.folder), query]
        for command in commands.values():  # byte code, file cache
            run(command, self.variables)
        taken = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                taken[name].append(run(command, self.variables))
        return {name: spread(costs) for name, costs in taken.items()}


def count_rows(table: Path) -> int:
    """The domains of a table."""
    with open(table, "rb") as lines:
        return sum(not line.startswith(b"#") for line in lines)


def spread(costs: list[dict]) -> dict:
    """Median wall and CPU seconds of several runs, and the extremes of wall seconds."""
    wall, cpu = ([cost[name] for cost in costs] for name in ("wall_s", "cpu_s"))
    return {
        "wall_s": round(statistics.median(wall), 3),
        "wall_least_s": min(wall),
        "wall_most_s": max(wall),
        "cpu_s": round(statistics.median(cpu), 3),
    }


# -- tables

COSTS = ["wall s", "CPU s", "peak MiB", "residues/s"]


def costs(row: dict) -> list:
    return [row["wall_s"], row["cpu_s"], row.get("peak_mib", "–"), f"{row['residues_per_s']:,}"]


def tables(result: dict) -> dict[str, str]:
    """The tables of the parts that a result has."""
    made = {}
    if "modes" in result:
        rows = [
            [f"{level['families']:,}", name, *costs(row), row["rows"], f"{ratio:.2f}"]
            for level in result["modes"]
            for name, row in level["programs"].items()
            for ratio in [row["cpu_s"] / level["programs"][PYHMMER[0]]["cpu_s"]]
        ]
        header = ["families", "program", *COSTS, "domains", "CPU, hmmsearch is 1"]
        made["speed-modes"] = markdown(header, rows, result)
    if "families" in result:
        rows = [row for level in result["families"] for row in family_rows(level)]
        header = ["families", "program", "proteins", *COSTS, "times the faster pyhmmer program"]
        made["speed-families"] = markdown(header, rows, result)
        shown = list(result["families"][0]["programs"])
        made["speed-short"] = markdown(
            ["families, residues/s", *shown],
            [
                [f"{level['families']:,}", *(f"{level['programs'][n]['residues_per_s']:,}" for n in shown)]
                for level in result["families"]
            ],
        )
    if "lengths" in result:
        rows = [
            [f"{level['length']:,}", name, row["proteins"], *costs(row)]
            for level in result["lengths"]
            for name, row in level["programs"].items()
        ]
        header = ["residues of each protein", "program", "proteins", *COSTS]
        made["speed-lengths"] = markdown(header, rows, result)
    if "files" in result:
        rows = [
            [f"{level['proteins']:,}", *costs(row), row.get("first_row_s", "–"), f"{row['proteins_per_s']:,}"]
            for level in result["files"]
            for row in level["programs"].values()
        ]
        header = ["proteins in the file", *COSTS, "first row after s", "proteins/s"]
        made["speed-files"] = markdown(header, rows, result)
    if "cores" in result:
        rows = [
            [row["mode"], row["cores"], *costs(row), f"{row['gain']:.2f}" if row["cores"] > 1 else ""]
            for row in result["cores"]
        ]
        made["speed-cores"] = markdown(["mode", "cores", *COSTS, "times one core"], rows, result)
    if "memory" in result:
        rows = [[row["what"], row["proteins"], *costs(row)] for row in result["memory"]]
        made["speed-memory"] = markdown(["what", "proteins", *COSTS], rows, result)
    if "commands" in result:
        names = ("wall_s", "wall_least_s", "wall_most_s", "cpu_s")
        rows = [
            [f"`{name}`", result["model"]["families"], *(row[n] for n in names)]
            for name, row in result["commands"].items()
        ]
        header = ["command", "families", "wall s (median)", "least", "most", "CPU s"]
        made["speed-startup"] = markdown(header, rows, result)
    return made


def family_rows(level: dict) -> list[list]:
    padded = f" ({level['padded']:,} padded)" if level["padded"] else ""
    base = max(level["programs"][name]["residues_per_s"] for name in PYHMMER)
    return [
        [
            f"{level['families']:,}{padded}",
            name,
            f"{row['proteins']:,}",
            *costs(row),
            f"{row['residues_per_s'] / base:.2f}",
        ]
        for name, row in level["programs"].items()
    ]


if __name__ == "__main__":
    main()
