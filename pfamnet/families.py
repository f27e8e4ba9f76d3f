"""Protein families: what is known of each, and the table that holds them.

The same reader takes the `families.tsv` of a model directory and the tables that
users give with `--families`: columns are found by their header names, so that
any selection and order of them will do as long as there is an accession.
"""

import math
from dataclasses import dataclass

from pfamnet.errors import PfamnetError
from pfamnet.io.textfile import find_columns, numbered_lines

CUTOFFS = ("ga", "tc", "nc")
PAIRS = {cutoff: (f"{cutoff}_sequence", f"{cutoff}_domain") for cutoff in CUTOFFS}
COLUMNS = (
    ["accession", "name", "length", "clan", "description"]
    + [column for pair in PAIRS.values() for column in pair]
    + ["rows", "offset"]
)
ALIASES = {"accession": ("pfam_acc", "family_accession", "acc"), "name": ("id", "pfam_id", "family_id")}
MISSING = "-"


@dataclass(frozen=True)
class Family:
    """One protein family.

    accession    with its version where there is one ("PF00001.23")
    name         the short name ("7tm_1")
    length       match states of its profile, 0 where not known
    clan         accession of its clan ("CL0192") or ""
    description  one line, or ""
    ga, tc, nc   Pfam's gathering, trusted and noise cutoffs in bits, each
                 (whole sequence, domain), or None
    rows         how many training rows it has
    offset       where its profile begins in the profile file, in bytes, or None

    Families do not change; `dataclasses.replace` makes an altered copy.
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
    def key(self):
        """The accession without its version."""
        return accession_key(self.accession)


def accession_key(accession):
    """Return an accession without its version: "PF00001.23" gives "PF00001".

    Only a dot and digits at the end are a version; anything else is part of the name.
    """
    stem, dot, version = accession.rpartition(".")
    return stem if dot and stem and version.isdecimal() else accession


def accession_version(accession):
    """Return the version of an accession as an int, -1 where it has none."""
    key = accession_key(accession)
    return -1 if key == accession else int(accession[len(key) + 1 :])


def families_by_key(families):
    """Return {accession without version: (index, family)}."""
    return {family.key: (i, family) for i, family in enumerate(families)}


def write_families(path, families):
    """Write families as a tab-separated table with a header line.

    Numbers are written so that `read_families` gives the very same ones back; what is
    missing is '-'. Runs of white space inside a text become one blank.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        print(*COLUMNS, sep="\t", file=out)
        for family in families:
            print(*_fields(family), sep="\t", file=out)


def _fields(family):
    texts = [_text(family.accession), _text(family.name), str(family.length)]
    texts += [_text(family.clan), _text(family.description)]
    for cutoff in CUTOFFS:
        pair = getattr(family, cutoff)
        texts += [MISSING] * 2 if pair is None else [repr(float(x)) for x in pair]
    return texts + [str(family.rows), _text("" if family.offset is None else str(family.offset))]


def _text(text):
    return " ".join(text.split()) or MISSING


def read_families(path):
    """Read a table of families, gzipped or not, and return a list of Family.

    The first line names the columns: `accession` must be there; `name` (or `id`),
    `length`, `clan`, `description`, `ga_sequence`, `ga_domain` (and so for tc and nc),
    `rows` and `offset` may be, in any order; other columns are passed over. A family
    without a name is called by its accession. Empty fields and '-' are missing values.

    Raises PfamnetError, with file and line, where the header has no accession, a row
    has another number of fields than the header, an accession is missing or comes
    twice (versions do not count), a number is not one, or there is no family at all.
    """
    rows = ((n, line.split("\t")) for n, line in numbered_lines(path) if line.strip())
    try:
        number, header = next(rows)
    except StopIteration:
        raise PfamnetError(f"{path}: empty file") from None
    wanted = {name: ALIASES.get(name, ()) for name in COLUMNS}
    columns = find_columns(f"{path}: line {number}", header, wanted, ["accession"])
    families, first_line, places = [], {}, list(columns.items())
    for number, fields in rows:
        where = f"{path}: line {number}"
        if len(fields) != len(header):
            raise PfamnetError(f"{where}: {len(fields)} fields, the header has {len(header)}")
        texts = {name: "" if (text := fields[i].strip()) == MISSING else text for name, i in places}
        family = _family(where, texts)
        before = first_line.setdefault(family.key, number)
        if before != number:
            raise PfamnetError(f"{where}: family {family.key} stands already in line {before}")
        families.append(family)
    if not families:
        raise PfamnetError(f"{path}: no families below the header line")
    return families


def _family(where, texts):
    accession = texts.get("accession", "")
    if not accession:
        raise PfamnetError(f"{where}: accession missing")
    return Family(
        accession=accession,
        name=texts.get("name") or accession,
        length=_count(where, texts, "length") or 0,
        clan=texts.get("clan", ""),
        description=texts.get("description", ""),
        rows=_count(where, texts, "rows") or 0,
        offset=_count(where, texts, "offset"),
        **{cutoff: _pair(where, texts, cutoff) for cutoff in CUTOFFS},
    )


def _count(where, texts, column):
    text = texts.get(column, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise PfamnetError(f"{where}: {column} '{text}' is not a whole number")
    return int(text)


def _pair(where, texts, cutoff):
    of_sequence, of_domain = PAIRS[cutoff]
    values = [texts.get(of_sequence, ""), texts.get(of_domain, "")]
    if not (values[0] or values[1]):
        return None
    try:
        pair = float(values[0]), float(values[1])
    except ValueError:
        pair = math.nan, math.nan
    if not (math.isfinite(pair[0]) and math.isfinite(pair[1])):
        raise PfamnetError(f"{where}: {cutoff} cutoffs {values} are not two numbers")
    return pair
