"""Where does the CPU time of a scan go?

One process scans with one thread and writes a domtblout, as `pfamnet-scan --cpu 1` does. A thread's
clock is read around the calls into the network, HMMER and the profile file; what is left is the
interpreter's and numpy's own. "HMMER, what is found" is a second search, of the families that the scan
found alone: no choice of candidates can save it.

    python benchmarks/stages.py --model DIR --proteins FASTA --first 4000 --out FILE

With --cut-ga, gathering cutoffs decide, as in `benchmarks/recall.py`.
"""

import os
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import click
from common import machine, markdown, read_model, save, write_fasta

from pfamnet import Model
from pfamnet.io.fasta import read_fasta
from pfamnet.network.runtime import LightRuntime
from pfamnet.profiles.search import ProfileSearch
from pfamnet.profiles.store import ProfileStore
from pfamnet.profiles.thresholds import Thresholds
from pfamnet.profiles.words import Words
from pfamnet.scan.opening import LEEWAY
from pfamnet.scan.workers import MOST

# what is timed, without what is nested in it
STAGES = {
    "network (onnxruntime)": (LightRuntime, "run"),
    "words of the profiles": (Words, "matches"),
    "their index": (Words, "listed"),
    "HMMER": (ProfileSearch, "_search"),
    "hits from HMMER's": (ProfileSearch, "_keep"),
    "profiles read and made": (ProfileStore, "_made"),
}


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", default=4000, show_default=True, help="proteins")
@click.option("--cut-ga", is_flag=True, help="report what reaches the gathering cutoffs")
@click.option("--name", default="", help="of the database, if its table is to stand by itself")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, first, cut_ga, name, out):
    """CPU seconds of each stage, in both modes."""
    records = list(islice(read_fasta(proteins), first))
    clock = Clock({"bit_cutoffs": "gathering"} if cut_ga else {})
    with tempfile.TemporaryDirectory() as folder:
        query = write_fasta(records, Path(folder) / "query.fa")
        rows = [clock.scan(model_path, query, mode) for mode in ("hybrid", "profiles")]
    model = read_model(model_path)
    about = {"benchmark": "stages", "name": name, "cut_ga": cut_ga}
    result = about | {"machine": machine(1), "model": model.about, "modes": rows}
    names = list(dict.fromkeys(name for row in rows for name in row["cpu_s"]))
    cell = lambda row, name: f"{row['cpu_s'][name]:.2f} ({row['percent'][name]:.1f} %)"
    table = [[name, *(cell(row, name) if name in row["cpu_s"] else "–" for row in rows)] for name in names]
    header = [f"CPU s of {len(records):,} proteins", *(row["mode"] for row in rows)]
    key = f"stages-{name}" if name else "stages"
    save(result | {"tables": {key: markdown(header, table, result)}}, out)


class Clock:
    """Reads the thread's clock around some functions, without what is nested in them."""

    def __init__(self, limits: dict):
        self.limits = limits
        self.spent, self.inner = Counter(), [0.0]
        for name, (owner, function) in STAGES.items():
            setattr(owner, function, self.timed(name, getattr(owner, function)))

    def timed(self, name, function):
        def call(*arguments):
            begun = time.thread_time()
            self.inner.append(0.0)
            try:
                return function(*arguments)
            finally:
                took = time.thread_time() - begun
                self.spent[name] += took - self.inner.pop()
                self.inner[-1] += took

        return call

    def scan(self, path, query, mode) -> dict:
        """One scan, and the second search."""
        self.spent, found, begun = Counter(), [], time.process_time()
        model = Model(path)
        scan = model.scan(query, mode=mode, cpus=1, callback=found.append, **self.limits)
        scan.write(os.devnull, format="domtblout")
        total, cpu = time.process_time() - begun, dict(self.spent)
        cpu["the rest (interpreter, numpy)"] = total - sum(cpu.values())
        cpu["all"] = total
        self.spent = Counter()
        search = ProfileSearch(model.profiles, model.families, Thresholds(**self.limits), leeway=LEEWAY)
        for start in range(0, len(found), MOST):
            some = found[start : start + MOST]
            search.search([p.record for p in some], [[hit.family for hit in p.hits] for p in some])
        cpu["HMMER, what is found"] = self.spent["HMMER"]
        percent = {name: round(100 * seconds / total, 1) for name, seconds in cpu.items()}
        return {"mode": mode, "cpu_s": {n: round(s, 2) for n, s in cpu.items()}, "percent": percent}


if __name__ == "__main__":
    main()
