"""What the benchmarks share: the machine, clocks, intervals, bins and JSON."""

import hashlib
import json
import math
import os
import platform
import resource
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("pfamnet", "numpy", "pyhmmer", "onnxruntime")
Z95 = 1.959963984540054  # 95 % of a normal distribution lie within


def machine(cores: int, packages: Sequence[str] = PACKAGES) -> dict:
    """CPU model, cores (there, given to this process, used), and the versions that matter."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "cores_used": cores,
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
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


class Clock:
    """Wall and CPU seconds of a block of code, threads and ended children included.

    >>> with Clock() as clock:
    ...     pass
    >>> sorted(clock.seconds)
    ['cpu_s', 'wall_s']
    """

    def __enter__(self) -> "Clock":
        self.begun = self.now()
        return self

    def __exit__(self, *_) -> None:
        self.wall, self.cpu = (end - begin for begin, end in zip(self.begun, self.now()))

    @staticmethod
    def now() -> tuple[float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime

    @property
    def seconds(self) -> dict:
        return {"wall_s": round(self.wall, 3), "cpu_s": round(self.cpu, 3)}


def share(count: int, total: int) -> dict:
    """A count as a percentage of a total, with its 95 % Wilson interval.

    >>> share(95, 100)
    {'count': 95, 'of': 100, 'percent': 95.0, 'interval': [88.825, 97.846]}
    """
    if not total:
        return {"count": count, "of": 0, "percent": None, "interval": None}
    low, high = wilson(count, total)
    return {
        "count": count,
        "of": total,
        "percent": round(100 * count / total, 3),
        "interval": [round(100 * low, 3), round(100 * high, 3)],
    }


def percent(share, interval=True):
    """A share as text: "95.0 (88.8 to 97.8)"."""
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
    """Exact two-sided P of McNemar's test, from the pairs in which one alone is right.

    >>> mcnemar(1, 7)
    0.0703125
    """
    discordant = only_one + only_other
    tail = sum(math.comb(discordant, i) for i in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def bin_names(edges: Sequence[int]) -> list[str]:
    """Names of the bins that begin at these whole numbers; the last is open.

    >>> bin_names([0, 1, 2, 6])
    ['0', '1', '2-5', '>5']
    """
    closed = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in zip(edges, edges[1:])]
    return [*closed, f">{edges[-1] - 1}"]


def bin_of(value: int, edges: Sequence[int]) -> str:
    """The name of the bin a value lies in; below the first edge it is the first.

    >>> bin_of(5, [1, 6]), bin_of(6, [1, 6])
    ('1-5', '>5')
    """
    place = sum(value >= edge for edge in edges[1:])
    return bin_names(edges)[place]


def by_bins(values: Iterable[int], counted: Iterable[bool], edges: Sequence[int]) -> dict:
    """{bin: share of the values in it that are counted}, empty bins left out."""
    totals = {name: [0, 0] for name in bin_names(edges)}
    for value, yes in zip(values, counted):
        bin = totals[bin_of(value, edges)]
        bin[0] += bool(yes)
        bin[1] += 1
    return {name: share(*pair) for name, pair in totals.items() if pair[1]}


def save(result: dict, out: str | None) -> None:
    """Write a result to a file, if there is to be one, and print it."""
    text = json.dumps(result, indent=1)
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(text + "\n", encoding="utf-8")
    print(text)


def describe_model(model) -> dict:
    """What identifies a model: its directory's name, families and digest of all files."""
    files = json.dumps(model.description["files"], sort_keys=True)
    return {
        "name": model.name,
        "families": len(model.families),
        "digest": hashlib.sha256(files.encode()).hexdigest()[:16],
    }
