"""Protein families, and the table that holds them.

The same reader takes the `families.tsv` of a model directory and users' tables (`--families`).
It finds columns by their names in the header; only the accession is required.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import PfamnetError
from .io.textfile import read_table

ALIASES = {"accession": ("pfam_acc", "family_accession", "acc"), "name": ("id", "pfam_id", "family_id")}
PAIRS = {cutoff: (f"{cutoff}_sequence", f"{cutoff}_domain") for cutoff in ("ga", "tc", "nc")}
COLUMNS = ["accession", "name", "length", "clan", "description"]
COLUMNS += [column for pair in PAIRS.values() for column in pair] + ["rows", "offset"]


@dataclass(frozen=True, slots=True)
class Family:
    """One protein family.

    accession    with its version, if it has one ("PF00001.23")
    name         the short name ("7tm_1")
    length       match states of its profile, 0 if unknown
    clan         accession of its clan ("CL0192") or ""
    description  one line, or ""
    ga, tc, nc   Pfam's gathering, trusted and noise cutoffs in bits, each (complete sequence, domain),
                 or None
    rows         number of training rows
    offset       byte at which its profile begins in the profile file, or None
    """

    accession: str
    name: str
    length: int = 0
    clan: str = ""
    description: str = ""
    ga: tuple[float, float] | None = None
    tc: tuple[float, float] | None = None
    nc: tuple[float, float] | None = None
    rows: int = 0
    offset: int | None = None

    @property
    def key(self) -> str:
        """The accession without its version."""
        return accession_key(self.accession)


def accession_key(accession: str) -> str:
    """Return an accession without its version: "PF00001.23" gives "PF00001".

    Only a dot and digits at the end are a version; anything else is part of the name.
    """
    stem, dot, version = accession.rpartition(".")
    return stem if dot and stem and version.isdecimal() else accession


def accession_version(accession: str) -> int:
    """Return the version of an accession, or -1 if it has none."""
    key = accession_key(accession)
    return -1 if key == accession else int(accession[len(key) + 1 :])


def families_by_key(families: Iterable[Family]) -> dict[str, tuple[int, Family]]:
    """Return {accession without version: (index, family)}."""
    return {family.key: (i, family) for i, family in enumerate(families)}


def write_families(path: str | Path, families: Iterable[Family]) -> None:
    """Write families as a tab-separated table with a header line.

    `read_families` restores the same numbers; "-" stands for a missing value. White space
    within a text becomes one blank.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        print(*COLUMNS, sep="\t", file=out)
        for family in families:
            texts = [family.accession, family.name, str(family.length), family.clan, family.description]
            for pair in (family.ga, family.tc, family.nc):
                texts += ["", ""] if pair is None else [repr(float(bits)) for bits in pair]
            texts += [str(family.rows), "" if family.offset is None else str(family.offset)]
            print(*(" ".join(text.split()) or "-" for text in texts), sep="\t", file=out)


def read_families(path: str | Path) -> list[Family]:
    """Read a table of families, gzipped or not.

    The columns are `COLUMNS` or their `ALIASES`, in any order. A family without a
    name is called by its accession.

    Raises:
        PfamnetError: the header has no accession, a row has another number of fields than the header,
            an accession is missing or occurs twice (versions do not count), a number is not one, or
            there is no family. The message names file and line.
    """
    families, first = [], {}
    for line, texts in read_table(path, {name: ALIASES.get(name, ()) for name in COLUMNS}, ["accession"]):
        family = _family(f"{path}: line {line}", texts)
        before = first.setdefault(family.key, line)
        if before != line:
            raise PfamnetError(f"{path}: line {line}: family {family.key} is already in line {before}")
        families.append(family)
    if not families:
        raise PfamnetError(f"{path}: no families below the header line")
    return families


def _family(where, texts):
    accession = texts["accession"]
    if not accession:
        raise PfamnetError(f"{where}: accession missing")
    return Family(
        accession,
        texts["name"] or accession,
        _count(where, texts, "length") or 0,
        texts["clan"],
        texts["description"],
        *(_pair(where, texts, cutoff) for cutoff in PAIRS),
        _count(where, texts, "rows") or 0,
        _count(where, texts, "offset"),
    )


def _count(where, texts, column):
    text = texts[column]
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise PfamnetError(f"{where}: {column} '{text}' is not a whole number")
    return int(text)


def _pair(where, texts, cutoff):
    of_sequence, of_domain = PAIRS[cutoff]
    first, second = texts[of_sequence], texts[of_domain]
    if not (first or second):
        return None
    try:
        pair = float(first or "nan"), float(second or "nan")
    except ValueError:
        pair = math.nan, math.nan
    if not (math.isfinite(pair[0]) and math.isfinite(pair[1])):
        raise PfamnetError(f"{where}: {cutoff} cutoffs {[first, second]} are not two numbers")
    return pair
