"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

MOST = 256  # threads of one program: more would only wait for each other


def at_most(threads: int) -> int:
    """So many threads, but one at least, and no more than `MOST` or the processors that there are."""
    return max(1, min(threads, max(MOST, os.cpu_count() or 1)))


def usable_processors(root: str = "/") -> int:
    """The processors of this process's affinity, and no more than its cgroups give it time of."""
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), quota(Path(root)))))


def quota(root: Path) -> float:
    """Processors whose time the control groups of this process permit, versions 1 and 2; inf if all."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    found = [math.inf]
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        inner = Path(group.lstrip("/"))
        for folder in (mount / part for part in (inner, *inner.parents)):  # the tightest of all above
            found.append(limit(folder))
    return min(found)


def limit(folder: Path) -> float:
    """The limit that one control group sets."""
    try:
        if (folder / "cpu.max").exists():
            time, period = (folder / "cpu.max").read_text().split()
        else:
            time, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(time) / int(period) if int(time) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no limit is set here
        return math.inf
