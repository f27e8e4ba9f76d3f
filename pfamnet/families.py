"""Protein families, and the table that holds them: a model's `families.tsv`, or a user's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import PfamnetError
from .io.textfile import read_table

MOST_BITS = 1e9  # of a cutoff; no profile reaches them
MOST = 1_000_000  # families of one table; all that were ever published are fewer
ALIASES = {"accession": ("pfam_acc", "family_accession", "acc"), "name": ("id", "pfam_id", "family_id")}
PAIRS = {cutoff: (f"{cutoff}_sequence", f"{cutoff}_domain") for cutoff in ("ga", "tc", "nc")}
COLUMNS = ["accession", "name", "length", "clan", "description"]
COLUMNS += [column for pair in PAIRS.values() for column in pair] + ["rows", "offset", "type"]


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
    type         Pfam's: Family, Domain, Repeat, Motif, Coiled-coil or Disordered; "" if it is not known
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
    type: str = ""

    def completed(self, **about: object) -> Family:
        """The family with these fields, where it has no value of its own."""
        return replace(self, **{name: getattr(self, name) or value for name, value in about.items()})

    @property
    def key(self) -> str:
        """The accession without its version."""
        return accession_key(self.accession)


def accession_key(accession: str) -> str:
    """Return an accession without its version: "PF00001.23" gives "PF00001".

    A version is a number after the only dot, and before the dot are a letter first and a digit last: other
    numbers tell families apart ("3.40.50.300", "cluster.1").
    """
    stem, _, version = accession.partition(".")
    return stem if version.isdecimal() and stem[:1].isalpha() and stem[-1:].isdecimal() else accession


def accession_version(accession: str) -> int:
    """Return the version of an accession, or -1 if it has none."""
    key = accession_key(accession)
    return -1 if key == accession else int(accession[len(key) + 1 :])


def clan_numbers(clans: Sequence[str]) -> np.ndarray:
    """A number (F,) for each family's clan, from 0; a family of no clan ("") has one of its own.

    >>> clan_numbers(["b", "", "b", ""]).tolist()
    [0, 1, 0, 2]
    """
    numbers: dict[str | int, int] = {}
    return np.array(
        [numbers.setdefault(clan or place, len(numbers)) for place, clan in enumerate(clans)], int
    )


def flaw(family: Family) -> str:
    """Why no table holds a family, "" if one does."""
    for what, text in (("accession", family.accession), ("name", family.name)):
        if text.split() != [text] or text == "-" or "\0" in text:
            return f"{what} {text!r} is not one word"
    for cutoff in PAIRS:
        if not all(abs(bits) <= MOST_BITS for bits in getattr(family, cutoff) or ()):
            return f"{cutoff.upper()} cutoffs {getattr(family, cutoff)} are not two numbers of bits"
    return ""


def write_families(path: str | Path, families: Iterable[Family]) -> None:
    """Write a table that `read_families` restores; white space within a text becomes one blank."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as out:
        print(*COLUMNS, sep="\t", file=out)
        for family in families:
            texts = [family.accession, family.name, str(family.length), family.clan, family.description]
            for pair in (family.ga, family.tc, family.nc):
                texts += ["", ""] if pair is None else [repr(float(bits)) for bits in pair]
            texts += [str(family.rows), "" if family.offset is None else str(family.offset), family.type]
            print(*(" ".join(text.split()) or "-" for text in texts), sep="\t", file=out)


def read_families(path: str | Path, most: int = MOST) -> list[Family]:
    """Read a table of at most so many families, plain or compressed.

    The columns are `COLUMNS` or their `ALIASES`, in any order; only the accession is required, and stands
    for a missing name.

    Raises:
        PfamnetError: as `read_table`; an accession is missing or occurs twice (versions do not count), a
            number is not one, or there is no family. The message names file and line.
    """
    families, first = [], {}
    columns = {name: ALIASES.get(name, ()) for name in COLUMNS}
    for line, texts in read_table(path, columns, ["accession"], lenient=True):
        where, accession = f"{path}: line {line}", texts["accession"]
        if not accession:
            raise PfamnetError(f"{where}: accession missing")
        length, rows, offset = (_count(where, name, texts[name]) for name in ("length", "rows", "offset"))
        pairs = (_pair(where, cutoff, texts[one], texts[other]) for cutoff, (one, other) in PAIRS.items())
        about = texts["name"] or accession, length or 0, texts["clan"], texts["description"]
        families.append(Family(accession, *about, *pairs, rows or 0, offset, texts["type"]))
        before = first.setdefault(families[-1].key, line)
        if len(families) > most:
            raise PfamnetError(f"{where}: more than {most:,} families")
        if before != line:
            raise PfamnetError(f"{where}: family {families[-1].key} is already in line {before}")
    if not families:
        raise PfamnetError(f"{path}: no families below the header line")
    return families


def _count(where, column, text):
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise PfamnetError(f"{where}: {column} '{text[:60]}' is not a whole number")
    return int(text) if text else None


def _pair(where, cutoff, first, second):
    if not (first or second):
        return None
    try:
        pair = float(first or "nan"), float(second or "nan")
    except ValueError:
        pair = math.nan, math.nan
    if not (math.isfinite(pair[0]) and math.isfinite(pair[1])):
        raise PfamnetError(f"{where}: {cutoff} cutoffs {[first, second]} are not two numbers")
    return pair
