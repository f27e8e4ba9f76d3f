"""What every reader of train sets gives: sequences with labels, and what families they name."""

from dataclasses import dataclass, replace

from pfamnet.errors import PfamnetError
from pfamnet.families import Family, accession_version

GAPS = "-._~"
_NO_GAPS = str.maketrans("", "", GAPS)


@dataclass(slots=True)
class Entry:
    """One sequence of the input.

    sequence        residues, upper case
    labels          (start, end, family key), 0-based half-open
    whole           True for a full-length protein, False for an isolated domain
    source, number  where it stands: a file with a unit, and the number of the unit:
                    ("seed.fa: record", 17)
    aligned         its row of the family's alignment or ""
    fold            "train", "dev", or "" where the input leaves that open
    """

    name: str
    sequence: str
    labels: list[tuple[int, int, str]]
    whole: bool
    source: str
    number: int
    aligned: str = ""
    fold: str = ""

    @property
    def where(self):
        """The beginning of a message about this entry."""
        return f"{self.source} {self.number}"


def cut_domains(entries):
    """The entries, each full-length protein replaced by its domains, "name/start-end".

    Raises PfamnetError for two proteins of one name.
    """
    cut, first = [], {}
    for entry in entries:
        if not entry.whole:
            cut.append(entry)
            continue
        if first.setdefault(entry.name, entry) is not entry:
            raise PfamnetError(
                f"{entry.where}: protein '{entry.name}' stands already in {first[entry.name].where}"
            )
        for start, end, key in entry.labels:
            domain = entry.sequence[start:end]
            cut.append(
                replace(
                    entry,
                    name=f"{entry.name}/{start + 1}-{end}",
                    sequence=domain,
                    labels=[(0, len(domain), key)],
                    whole=False,
                )
            )
    return cut


class FamilyBook:
    """What the inputs say of each family; of several versions the latest counts.

    Where the latest version leaves something open, the others fill it in.
    """

    def __init__(self):
        self._families = {}
        self._keys = {}

    def add(self, family, where):
        """Note a family (a name of "" is not known) and return its key.

        Raises PfamnetError, beginning with `where`, for white space in the accession,
        which no table of hits could show.
        """
        if len(family.accession.split()) != 1:
            raise PfamnetError(f"{where}: accession {family.accession!r} is not one word")
        key = family.key
        before = self._families.get(key)
        self._families[key] = _merged(before, family) if before else family
        return key

    def add_named(self, accession, name, where):
        """Note a family by accession and name alone and return its key, as `add` does.

        A pair that was here before costs next to nothing: tables repeat them by
        the hundred thousand.
        """
        key = self._keys.get((accession, name))
        if key is None:
            key = self._keys[accession, name] = self.add(Family(accession, name), where)
        return key

    def fill(self, families):
        """Complete what the inputs left open from a user's table of families."""
        for family in families:
            before = self._families.get(family.key)
            if before:
                name = "" if family.name == family.accession else family.name
                filled = _filled(before, replace(family, name=name))
                if accession_version(before.accession) < 0:
                    filled = replace(filled, accession=family.accession)
                self._families[family.key] = filled

    def family(self, key, rows):
        """Return the family of that key, with its number of training rows.

        Its name is one word, as tables need it: blanks become underscores.
        """
        family = self._families[key]
        name = "_".join(family.name.split()) or family.accession
        return replace(family, name=name, rows=rows)


def _merged(first, second):
    if accession_version(second.accession) > accession_version(first.accession):
        return _filled(second, first)
    return _filled(first, second)


def _filled(family, other):
    return Family(
        accession=family.accession,
        name=family.name or other.name,
        clan=family.clan or other.clan,
        description=family.description or other.description,
        ga=family.ga or other.ga,
        tc=family.tc or other.tc,
        nc=family.nc or other.nc,
    )


def clean_sequence(where, text):
    """Return a sequence in upper case, without a '*' at its end.

    Every letter stands for a residue (B, J, O, U, X and Z too), nothing else does.

    Raises PfamnetError, beginning with `where`, for another character, with its
    position from 1, or for no residue at all.
    """
    text = text.rstrip("*")
    if not (text.isascii() and text.isalpha()):
        refuse_character(where, text, "")
    return text.upper()


def clean_row(where, row):
    """Return the residues of an aligned row, upper case, gaps taken out.

    Raises PfamnetError as `clean_sequence` does; the position counts columns.
    """
    sequence = row.translate(_NO_GAPS)
    if not (sequence.isascii() and sequence.isalpha()):
        refuse_character(where, row, GAPS)
    return sequence.upper()


def refuse_character(where, text, gaps):
    """Raise the PfamnetError for the first character that is no letter and not in `gaps`."""
    for position, letter in enumerate(text, 1):
        if not (letter.isascii() and letter.isalpha()) and letter not in gaps:
            raise PfamnetError(f"{where}: illegal character {letter!r} at position {position}")
    raise PfamnetError(f"{where}: no residues")


def some(names, limit=3):
    """Name the first few of many: "a, b, c and 14 more"."""
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
