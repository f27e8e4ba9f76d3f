"""Which options of a scan are possible, and which exclude each other: as on the command line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real

from ..errors import PfamnetError
from ..model.directory import SENSITIVITIES
from ..profiles.thresholds import Thresholds
from ..records import shown

CHOICES = {
    "mode": ("auto", "hybrid", "profiles", "network"),
    "sensitivity": SENSITIVITIES,
    "network": (None, "light", "esm"),
    "clan_overlaps": ("all", "best"),
    "bit_cutoffs": (None, "gathering", "trusted", "noise"),
}
DEFAULTS = {field.name: field.default for field in fields(Thresholds)}
LIMITS = ("E", "T", "domE", "domT", "incE", "incT", "incdomE", "incdomT")
FILTERS = ("F1", "F2", "F3", "bias_filter")
POSITIVE = ("E", "domE", "incE", "incdomE", "Z", "domZ")
MOST_SEED = 2**32 - 1  # the bits that HMMER's generator takes
EXCLUSIVE = (
    *zip(LIMITS[::2], LIMITS[1::2]),
    *itertools.product(("bit_cutoffs",), LIMITS),
    *itertools.product(("sensitivity='sensitive'",), FILTERS),
    *itertools.product(("top",), ("families", "bit_cutoffs", *LIMITS[:4], "mode='profiles'")),
    ("mode='network'", "bit_cutoffs"),
)


def check_options(options: Mapping[str, object], thresholds: Mapping[str, object]) -> None:
    """Raise PfamnetError if a value is not possible or two options exclude each other.

    Arguments:
        options: the keyword arguments of a scan.
        thresholds: those of them that are fields of `Thresholds`; None is no value.
    """
    if unknown := sorted(set(thresholds) - set(DEFAULTS)):
        raise PfamnetError(f"{shown(unknown[0])}: no option of a scan")
    for name, value in (*options.items(), *thresholds.items()):
        if name in CHOICES and not (isinstance(value, str | None) and value in CHOICES[name]):
            raise impossible(name, value, "not one of " + ", ".join(map(str, CHOICES[name])))
        if name in DEFAULTS and name not in CHOICES and (value is not None or DEFAULTS[name] is not None):
            check_number(name, value)
    cpus, families = options.get("cpus"), options.get("families")
    if cpus is not None and not is_whole(cpus):
        raise impossible("cpus", cpus, "not a whole number")
    for name in ("top", "alignments"):
        if not isinstance(options.get(name, False), bool):
            raise impossible(name, options[name], "neither True nor False")
    if not isinstance(options.get("device", ""), str):
        raise impossible("device", options["device"], "not the name of a device")
    if families is not None and not all(isinstance(family, str) for family in families):
        raise PfamnetError("families: not names or accessions")
    given = {
        name for name, value in (options | thresholds).items() if value is not None and value is not False
    }
    given |= {f"{name}={options[name]!r}" for name in ("mode", "sensitivity") if name in options}
    given |= {"bias_filter"} & thresholds.keys()
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise PfamnetError(f"{one} and {other} exclude each other")


def check_number(name: str, value: object) -> None:
    """Raise PfamnetError if a field of `Thresholds` cannot have a value."""
    if isinstance(DEFAULTS[name], bool):
        if value not in (False, True):
            raise impossible(name, value, "neither True nor False")
    elif name == "seed":
        if not is_whole(value) or not 0 <= value <= MOST_SEED:
            raise impossible(name, value, f"not a whole number from 0 to {MOST_SEED}")
    elif not is_number(value):
        raise impossible(name, value, "not a number")
    elif name in POSITIVE and not value > 0:
        raise impossible(name, value, "not over 0")
    elif name in ("Z", "domZ") and math.isinf(value):
        raise impossible(name, value, "not finite")


def is_number(value: object) -> bool:
    """Whether a value is a real number that a float can be."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    except OverflowError:
        return False


def is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def impossible(name: str, value: object, why: str) -> PfamnetError:
    """The error that tells of a value of an option."""
    return PfamnetError(f"{name}={shown(repr(value))}: {why}")
