"""What HMMER's alignment matrices take: without enough memory for them it ends the process."""

import os
import resource
from collections.abc import Iterable
from functools import cache

from ..errors import PfamnetError
from ..families import Family
from ..records import Record, shown

CELL = 24  # bytes: three states of Forward and of Backward, in single precision
CGROUP = "/sys/fs/cgroup/memory.max"


@cache
def memory_limit() -> int:
    """Bytes that this process may have: of its limits, its container's and the machine's the least."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        if (soft := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY:
            limits.append(soft)
    try:
        with open(CGROUP) as file:
            limits.append(int(file.read()))
    except (OSError, ValueError):  # no such group, or "max"
        pass
    return min(limits)


def matrix_bytes(states: int, residues: int) -> int:
    """What a domain takes that has all states of a profile, as far as the sequence is long enough."""
    return CELL * states * min(states, residues)


def check_memory(record: Record, residues: int, families: Iterable[Family]) -> None:
    """Raise PfamnetError if a domain of one of the families does not fit into memory.

    `residues` are those of the sequence that are searched at once.
    """
    family = max(families, key=lambda family: family.length)
    need, limit = matrix_bytes(family.length, residues), memory_limit()
    if need > limit:
        raise PfamnetError(
            f"record {record.number} '{shown(record.name)}': profile '{shown(family.name)}' of "
            f"{family.length:,} states needs {need / 1e9:.1f} GB of memory for it; only "
            f"{limit / 1e9:.1f} GB are available"
        )
