"""What the options of `pfamnet-scan` mean together: conflicts, thresholds, idle ones.

The conflicts are hmmscan 3.4's, checked against the program.
"""

from __future__ import annotations

import itertools

import click

CUTOFFS = {"cut_ga": "gathering", "cut_nc": "noise", "cut_tc": "trusted"}
LIMITS = ("E", "T", "domE", "domT", "incE", "incT", "incdomE", "incdomT")
FILTERS = ("F1", "F2", "F3", "nobias")
EXCLUSIVE = (
    *zip(LIMITS[::2], LIMITS[1::2]),
    *itertools.combinations(CUTOFFS, 2),
    *itertools.product(CUTOFFS, LIMITS),
    *itertools.product(("max", "sensitive"), FILTERS),
    ("notextw", "textw"),
    ("fast", "sensitive"),
    # one row whatever its numbers are
    *itertools.product(("top",), (*CUTOFFS, *LIMITS[:4])),
)
# Options that have no say, and where; spoken of in one line.
IN_TABLES = ("acc", "noali", "notextw", "textw")
PROFILE_STAGE = ("max", *FILTERS, "nonull2", "domZ", "seed")
NETWORK_STAGE = ("fast", "which", "device")


def flag(name: str) -> str:
    """The option as it is typed."""
    name = {"which": "network"}.get(name, name)
    return f"-{name}" if len(name) == 1 else f"--{name}"


def given_options(options: dict) -> set[str]:
    """The options that were given, by name."""
    return {name for name, value in options.items() if value is not None and value is not False}


def check_conflicts(given: set[str], mode: str) -> None:
    """Raise click.UsageError where two options exclude each other."""
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise click.UsageError(f"{flag(one)} and {flag(other)} exclude each other")
    for name in CUTOFFS:
        if mode == "network" and name in given:
            raise click.UsageError(f"{flag(name)} is for profiles, and --mode network uses none")
    if mode == "profiles" and "top" in given:
        raise click.UsageError("--top asks the network, and --mode profiles has none")


def idle_options(given: set[str], mode: str, report: str = "tsv") -> list[str]:
    """A line for each place in which options that were given change nothing."""
    places = [] if report == "text" else [("in a page" if report == "html" else "in a table", IN_TABLES)]
    if mode == "network":
        places.append(("with --mode network", PROFILE_STAGE))
    if mode == "profiles":
        places.append(("with --mode profiles", NETWORK_STAGE))
    lines = []
    for place, names in places:
        idle = [flag(name) for name in names if name in given]
        if idle:
            lines.append(f"note: {' '.join(idle)}: nothing changes by that {place}")
    return lines


def make_thresholds(options: dict):
    """The profile stage's `Thresholds`."""
    from ..profiles.search import Thresholds

    given = given_options(options)
    names = (*LIMITS, "Z", "domZ", "seed", "F1", "F2", "F3")
    values = {name: options[name] for name in names if name in given}
    cutoffs = [CUTOFFS[name] for name in CUTOFFS if name in given]
    thresholds = Thresholds(
        bit_cutoffs=cutoffs[0] if cutoffs else None,
        bias_filter="nobias" not in given,
        null2="nonull2" not in given,
        **values,
    )
    return thresholds.unfiltered() if "max" in given else thresholds
