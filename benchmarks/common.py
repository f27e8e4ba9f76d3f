"""What the benchmarks share: the machine, complete commands and their cost, intervals, bins, results."""

import contextlib
import csv
import inspect
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from pyhmmer.hmmer import hmmpress
from pyhmmer.plan7 import HMM

from pfamnet import __version__
from pfamnet.families import Family, accession_key
from pfamnet.model.directory import open_model
from pfamnet.trainset.domains import read_domains

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "pyhmmer", "onnxruntime")
Z95 = 1.959963984540054  # 95 % of a normal distribution lie within
SENSITIVITIES = {"fast": ["--fast"], "default": [], "sensitive": ["--sensitive"]}


# -- what a benchmark runs on


def machine(cores: int, packages: Sequence[str] = PACKAGES) -> dict:
    """The CPU model, the cores (present, allowed, used), the load, and the versions that matter."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "cores_used": cores,
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "pfamnet": __version__,
        **{name: installed(name) for name in packages},
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Model(NamedTuple):
    """A model directory: its path, its description (`model.json`) and the rows of `families.tsv`."""

    path: Path
    description: dict
    families: list[dict]

    @property
    def about(self) -> dict:
        """What identifies the model in a result."""
        digest = self.description["digest"][:16]
        return {"name": self.path.name, "families": len(self.families), "digest": digest}

    def profiles(self) -> Iterator[HMM]:
        """The profiles of the families, in their order."""
        store = open_model(self.path).store
        yield from map(store.hmm, range(len(store)))

    def press(self, folder: Path) -> Path:
        """Press the profiles for hmmscan and pyhmmer; returns the name to give them."""
        hmmpress(self.profiles(), folder / "pressed")
        return folder / "pressed"


def read_model(path: str | Path) -> Model:
    path = Path(path)
    with open(path / "families.tsv", newline="", encoding="utf-8") as file:
        rows = [
            {name: "" if text == "-" else text for name, text in row.items()}
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    return Model(path, json.loads((path / "model.json").read_text(encoding="utf-8")), rows)


def read_labels(families: Sequence[Family], domains: str | Path) -> dict[str, list[tuple[int, int, int]]]:
    """The domains of each protein of a table: start and end, from 1, and the family's place (-1: none)."""
    places = {family.key: place for place, family in enumerate(families)}
    return {
        protein: [(start, end, places.get(accession_key(key), -1)) for start, end, key, *_ in rows]
        for protein, rows in read_domains(domains).domains.items()
    }


# -- complete commands


def program(name: str) -> list[str]:
    """The command of an installed program, or of the one in this repository."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return [beside] if beside else [sys.executable, str(ROOT / "bin" / name)]


@contextlib.contextmanager
def hmmscan_program() -> Iterator[str | None]:
    """The path of the hmmscan binary, or None.

    The PyPI package `hmmer` starts it through Python, which would count against it.
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


def search_by_pyhmmer(name: str, pressed: str, fasta: str, cpus: str, out: str, cutoffs: str) -> None:
    """pyhmmer's hmmsearch or hmmscan with everything in memory, as its documentation advises."""
    from pyhmmer.easel import Alphabet, SequenceFile
    from pyhmmer.hmmer import hmmscan, hmmsearch
    from pyhmmer.plan7 import HMMFile, OptimizedProfileBlock

    with HMMFile(pressed) as file:
        profiles = OptimizedProfileBlock(Alphabet.amino(), file.optimized_profiles())
    with SequenceFile(fasta, format="fasta", digital=True, alphabet=Alphabet.amino()) as file:
        sequences = file.read_block()
    search, pair = (
        (hmmsearch, (profiles, sequences)) if name == "hmmsearch" else (hmmscan, (sequences, profiles))
    )
    options = {"bit_cutoffs": "gathering"} if cutoffs else {}
    with open(out, "wb") as table:
        for hits in search(*pair, cpus=int(cpus), Z=len(profiles), **options):
            hits.write(table, format="domains", header=False)


def pyhmmer_command(name: str, pressed: Path, fasta: Path, cpu: int, out: Path, cut_ga: bool = False) -> list:
    """`search_by_pyhmmer` as a process of its own, which imports pyhmmer alone."""
    code = f"import sys\n{inspect.getsource(search_by_pyhmmer)}\nsearch_by_pyhmmer(*sys.argv[1:])"
    return [sys.executable, "-c", code, name, pressed, fasta, cpu, out, "ga" if cut_ga else ""]


def environment(cache: Path) -> dict:
    """The environment of an installed program: byte code is kept (in `cache`), output is buffered.

    Run a command once before it counts.
    """
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def run(command: Sequence, variables: dict | None = None, first_row: bool = False, log=None) -> dict:
    """Run a command and return its wall and CPU seconds and its peak memory.

    Arguments:
        first_row: also return the seconds until the first row of output that is no comment.
        log: a file that gets the output and the messages.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    begun = time.perf_counter()
    stdout = subprocess.PIPE if first_row else log or subprocess.DEVNULL
    process = subprocess.Popen(list(map(str, command)), env=variables, stdout=stdout, stderr=log)
    peak, seen = Peak(process.pid), {}
    for line in process.stdout or ():
        if not seen and not line.startswith(b"#"):
            seen["first_row_s"] = round(time.perf_counter() - begun, 3)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3), "peak_mib": peak.mib(), **seen}


class Peak:
    """The peak memory of a process and of its worker processes, read while it runs.

    wait4 cannot report less than this process had when it started the other. What processes share
    counts once.
    """

    def __init__(self, pid: int):
        self.status, self.kib = Path(f"/proc/{pid}/status"), 0
        self.children = Path(f"/proc/{pid}/task/{pid}/children")
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while True:
            try:
                lines = self.status.read_text().splitlines()
            except OSError:
                return
            held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
            if not held:  # the process has ended
                return
            begun = time.perf_counter()
            self.kib = max(self.kib, *held, self.together())
            pause = max(0.02, 50 * (time.perf_counter() - begun))  # the watch must not slow what it watches
            time.sleep(pause)

    def together(self) -> int:
        """What the process and its workers hold now, 0 if it has none."""
        with contextlib.suppress(OSError):
            if workers := self.children.read_text().split():
                return sum(map(proportional, [self.status.parent.name, *workers]))
        return 0

    def mib(self) -> float:
        self.thread.join()
        return round(self.kib / 1024, 1)


def proportional(pid: str) -> int:
    """The memory of a process in KiB, of shared pages its part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def write_fasta(records: Iterable, path: Path) -> Path:
    """Write records, whatever has a name, a description and a sequence."""
    text = "".join(f">{r.name} {r.description}\n{r.sequence}\n" for r in records)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return path


def rates(cost: dict, records: Sequence) -> dict:
    """What a command cost, beside the size of its input and its rates."""
    residues = sum(len(record.sequence) for record in records)
    return {
        "proteins": len(records),
        "residues": residues,
        **cost,
        "residues_per_s": round(residues / cost["wall_s"]),
        "proteins_per_s": round(len(records) / cost["wall_s"], 2),
    }


# -- statistics


def share(count: int, total: int) -> dict:
    """A count as a percentage of a total, with its 95 % Wilson interval.

    >>> share(95, 100)
    {'count': 95, 'of': 100, 'percent': 95.0, 'interval': [88.825, 97.846]}
    """
    if not total:
        return {"count": count, "of": 0, "percent": None, "interval": None}
    low, high = wilson(count, total)
    interval = [round(100 * low, 3), round(100 * high, 3)]
    return {"count": count, "of": total, "percent": round(100 * count / total, 3), "interval": interval}


def percent(share: dict | None, interval: bool = True) -> str:
    """A share as text.

    >>> percent(share(95, 100))
    '95.00 (88.83 to 97.85)'
    """
    if not share or share["percent"] is None:
        return "–"
    text = f"{share['percent']:.2f}"
    return f"{text} ({share['interval'][0]:.2f} to {share['interval'][1]:.2f})" if interval else text


def wilson(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927, J Am Stat Assoc 22:209)."""
    square = Z95 * Z95
    middle = (count + square / 2) / (total + square)
    spread = math.sqrt(count * (total - count) / total + square / 4)
    half = Z95 * spread / (total + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def mcnemar(only_one: int, only_other: int) -> float:
    """Exact two-sided P of McNemar's test, from the pairs in which only one is correct.

    >>> mcnemar(1, 7)
    0.0703125
    """
    discordant = only_one + only_other
    tail = sum(math.comb(discordant, i) for i in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def bin_names(edges: Sequence[int]) -> list[str]:
    """Names of the bins that begin at these integers; the last is open.

    >>> bin_names([0, 1, 2, 6])
    ['0', '1', '2-5', '>5']
    """
    closed = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in zip(edges, edges[1:])]
    return [*closed, f">{edges[-1] - 1}"]


def by_bins(values: Iterable[int], counted: Iterable[bool], edges: Sequence[int]) -> dict:
    """{bin: share of its values that are counted}; a value below the first edge is in the first bin.

    >>> bins = by_bins([0, 5, 6], [True, False, True], [1, 6])
    >>> {name: (bin["count"], bin["of"]) for name, bin in bins.items()}
    {'1-5': (1, 2), '>5': (1, 1)}
    """
    names = bin_names(edges)
    totals = {name: [0, 0] for name in names}
    for value, yes in zip(values, counted):
        bin = totals[names[sum(value >= edge for edge in edges[1:])]]
        bin[0] += bool(yes)
        bin[1] += 1
    return {name: share(*pair) for name, pair in totals.items()}


# -- results


def markdown(header: Sequence, rows: Iterable[Sequence], result: dict | None = None) -> str:
    """A Markdown table, right-aligned but for its first column; with a result, where it was measured.

    >>> print(markdown(["a", "b"], [["x", 1]]), end="")
    | a | b |
    |---|--:|
    | x | 1 |
    """
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, *rows)]
    lines.insert(1, "|---" + "|--:" * (len(header) - 1) + "|")
    return "\n".join(lines) + "\n" + (f"\n{caption(result)}\n" if result else "")


def caption(result: dict) -> str:
    """What a result was measured on."""
    on = result["machine"]
    names = ("pfamnet", *PACKAGES[1:], "torch")
    versions = ", ".join(f"{name} {on[name]}" for name in names if on.get(name))
    return f"{on['cpu']}, {on['cores_used']} core{'s' if on['cores_used'] > 1 else ''}, {versions}."


def save(result: dict, out: str | Path | None) -> None:
    """Write a result to a file, if one is given; print its tables and what they were measured on."""
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result["machine"]))
    for name, table in result["tables"].items():
        print(f"\n{name}\n\n{table}", end="")
