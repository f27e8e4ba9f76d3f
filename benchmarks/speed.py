"""How fast is pfamnet-scan, beside HMMER and MMseqs2, on the same cores in one run?

Whole processes, start-up included, all with default thresholds:

- pfamnet-scan, default and --fast;
- pyhmmer's hmmsearch and hmmscan on pressed profiles (`opponent.py`);
- the hmmscan program on the same pressed profiles;
- MMseqs2, if it is installed and --mmseqs asks for it: profiles from alignments that
  the same HMMs emit, so not at its best; sensitivity 7.5.

against the number of families (padded beyond the model's own: see `padded.py`), the
length of the proteins, and the size of the file.

    python benchmarks/speed.py --model DIR --proteins FASTA --cpu 2 --out FILE

Slow programs are given fewer proteins, the first of the same file, never fewer than 25.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
from common import describe_model, machine, save
from mmseqs import mmseqs_profiles, mmseqs_search
from padded import make_model
from programs import environment, hmmscan_program, press, run, write_fasta

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model

OPPONENT = Path(__file__).with_name("opponent.py")
# comparisons (proteins x families) that a program is given at most
BUDGET = {"pyhmmer hmmsearch": 3_200_000, "pyhmmer hmmscan": 1_600_000, "hmmscan": 640_000}
FEWEST = 25
LENGTHS = (100, 300, 1000, 3000, 10_000, 35_000)
RESIDUES = 400_000  # of the proteins of one length


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--cpu", default=1, show_default=True, help="threads of each program")
@click.option("--families", default="250,500,1000,2000,all,12500,25000", show_default=True)
@click.option("--count", default=2000, show_default=True, help="proteins for each number of families")
@click.option("--most", default=10_000, show_default=True, help="proteins for the model as it is")
@click.option(
    "--files",
    default="1,10,100,1000,10000,100000",
    show_default=True,
    help="proteins of the files of growing size; empty: none",
)
@click.option("--lengths/--no-lengths", default=True, show_default=True)
@click.option("--mmseqs/--no-mmseqs", default=False, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, cpu, families, count, most, files, lengths, mmseqs, out):
    """Time pfamnet-scan and its opponents."""
    model, records = open_model(model_path), list(read_fasta(proteins))
    there = len(model.families)
    result = {
        "benchmark": "speed",
        "machine": machine(cpu),
        "model": describe_model(model),
        "proteins": {"file": Path(proteins).name, "count": len(records)},
    }
    with tempfile.TemporaryDirectory() as folder, hmmscan_program() as hmmscan:
        race = Race(Path(folder), cpu, hmmscan)
        numbers = [there if word == "all" else int(word) for word in families.split(",") if word]
        result["families"] = [
            race.families(model_path, number, there, records, count, most) for number in numbers
        ]
        if lengths:
            result["lengths"] = [race.length(model_path, model, records, length) for length in LENGTHS]
        result["files"] = [race.file(model_path, records, int(size)) for size in files.split(",") if size]
        if mmseqs:
            result["mmseqs"] = race.mmseqs(model, records)
    save(result, out)


class Race:
    """Runs commands in a folder and keeps what each took."""

    def __init__(self, folder, cpu, hmmscan):
        self.folder, self.cpu, self.hmmscan = folder, cpu, hmmscan
        self.variables = environment(folder / "cache")

    def families(self, model_path, number, there, records, count, most):
        """All programs on a model of so many families."""
        path, made = model_path, self.folder / f"model.{number}"
        if number != there:
            path = make_model(model_path, number, made)
        pressed = press(open_model(path), self.folder)
        rows = self.ours(path, records[: most if number == there else count])
        rows |= self.opponents(pressed, number, records[:count])
        remove(made)
        for file in self.folder.glob("pressed*"):
            file.unlink()
        return {"families": number, "padded": max(0, number - there), "programs": rows}

    def ours(self, model_path, records, modes=("default", "fast")):
        query, rows = write_fasta(records, self.folder / "query.fa"), {}
        run(["pfamnet-scan", model_path, write_fasta(records[:1], self.folder / "one.fa")], self.variables)
        for mode in modes:
            command = [
                "pfamnet-scan",
                *(["--fast"] if mode == "fast" else []),
                "--cpu",
                self.cpu,
                "-o",
                "/dev/null",
                "--domtblout",
                self.folder / "ours",
                model_path,
                query,
            ]
            rows[f"pfamnet-scan {mode}"] = self.timed(command, records)
        return rows

    def opponents(self, pressed, number, records):
        rows = {}
        for name, budget in BUDGET.items():
            some = records[: max(FEWEST, budget // number)]
            query = write_fasta(some, self.folder / "some.fa")
            command = [sys.executable, OPPONENT, name.removeprefix("pyhmmer "), pressed, query, self.cpu]
            if name == "hmmscan":
                if not self.hmmscan:
                    continue
                command = [
                    self.hmmscan,
                    "--cpu",
                    self.cpu,
                    "-o",
                    "/dev/null",
                    "--domtblout",
                    self.folder / "theirs",
                    pressed,
                    query,
                ]
            rows[name] = self.timed(command, some)
        return rows

    def length(self, model_path, model, records, length):
        """Proteins of one length: real ones joined and cut."""
        residues = itertools.chain.from_iterable(record.sequence for record in records)
        some = [
            records[i]._replace(name=f"joined_{i}", sequence="".join(itertools.islice(residues, length)))
            for i in range(max(2, RESIDUES // length))
        ]
        pressed = press(model, self.folder)
        query = write_fasta(some, self.folder / "some.fa")
        rows = self.ours(model_path, some)
        command = [sys.executable, OPPONENT, "hmmsearch", pressed, query, self.cpu]
        return {"length": length, "programs": rows | {"pyhmmer hmmsearch": self.timed(command, some)}}

    def file(self, model_path, records, size):
        """A file of so many proteins, the same ones again under other names where they run out."""
        some = [
            record._replace(name=f"{record.name}_{i}")
            for i, record in zip(range(size), itertools.cycle(records))
        ]
        query = write_fasta(some, self.folder / "query.fa")
        command = ["pfamnet-scan", "--line-buffered", "--cpu", self.cpu, model_path, query]
        return {"proteins": size, "programs": {"pfamnet-scan default": self.timed(command, some, watch=True)}}

    def mmseqs(self, model, records):
        some = records[:1000]
        query = write_fasta(some, self.folder / "some.fa")
        profiles = mmseqs_profiles(model, self.folder / "mmseqs")
        found = self.folder / "found"
        row = self.timed(mmseqs_search(query, profiles, found, self.cpu), some)
        del row["peak_mib"]  # several processes
        return row | {"hits": len((found / "table").read_text().splitlines())}

    def timed(self, command, records, watch=False):
        """Seconds, peak memory and rates of a command; with `watch`, when its first row came."""
        begun = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            env=self.variables,
            stdout=subprocess.PIPE if watch else subprocess.DEVNULL,
        )
        peak = Peak(process.pid)
        first = {"first_row_s": first_row(process.stdout, begun)} if watch else {}
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise click.ClickException(f"{command[0]} ended with status {process.returncode}")
        residues = sum(len(record.sequence) for record in records)
        return {
            "proteins": len(records),
            "residues": residues,
            "wall_s": round(wall, 3),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_mib": peak.mib(),
            "residues_per_s": round(residues / wall),
            "proteins_per_s": round(len(records) / wall, 2),
            **first,
        }


class Peak:
    """The peak memory of a process, asked for while it runs.

    What wait4 says would be no less than this process had when it started the other.
    """

    def __init__(self, pid):
        self.status, self.kib = Path(f"/proc/{pid}/status"), 0
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while True:
            try:
                lines = self.status.read_text().splitlines()
            except OSError:
                return
            held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
            if not held:  # it has ended
                return
            self.kib = max(self.kib, *held)
            time.sleep(0.02)

    def mib(self):
        self.thread.join()
        return round(self.kib / 1024, 1)


def first_row(stdout, begun):
    """Seconds until a row stood in the output, which is read to its end; None where none came."""
    came = None
    for line in stdout:
        if came is None and not line.startswith(b"#"):
            came = round(time.perf_counter() - begun, 3)
    return came


def remove(folder):
    if folder.is_dir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


if __name__ == "__main__":
    main()
