"""What every reader of train sets returns: sequences with labels, and the families that they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import PfamnetError
from ..families import PAIRS, Family, accession_version

GAPS = "-._~"
SOME = 3  # of many names, those that a message states
_NO_GAPS = str.maketrans("", "", GAPS)


@dataclass(slots=True)
class Entry:
    """One sequence of the input.

    `source` and `number` are its place: a file with a unit, and the unit's number ("seed.fa: record", 17).
    """

    name: str
    sequence: str  # residues, upper case
    labels: list[tuple[int, int, str]]  # (start, end, family key, "" if unknown), 0-based half-open
    whole: bool  # True for a full-length protein, False for an isolated domain
    source: str
    number: int
    aligned: str = ""  # its row of the family's alignment
    fold: str = ""  # "train", "dev", or "" if the input leaves that open

    @property
    def where(self) -> str:
        """The beginning of a message about this entry."""
        return f"{self.source} {self.number}"

    @property
    def shown(self) -> str:
        """The entry in a list of several."""
        return f"{self.where} '{self.name}'"


def count_rows(entries: Iterable[Entry]) -> Counter:
    """{family key: domains} of the families with any."""
    return Counter(key for entry in entries for *_, key in entry.labels if key)


def cut_domains(entries: list[Entry]) -> list[Entry]:
    """The entries, each full-length protein replaced by its domains, "name/start-end".

    Raises PfamnetError for two proteins of one name.
    """
    cut, first = [], {}
    for entry in entries:
        if not entry.whole:
            cut.append(entry)
            continue
        refuse_again(entry, first)
        for start, end, key in (label for label in entry.labels if label[2]):
            name, domain = f"{entry.name}/{start + 1}-{end}", entry.sequence[start:end]
            labels = [(0, len(domain), key)]
            cut.append(replace(entry, name=name, sequence=domain, labels=labels, whole=False))
    return cut


def refuse_again(protein: Entry, first: dict[str, Entry]) -> None:
    """Note a protein in `first`; raise PfamnetError if another one has its name."""
    before = first.setdefault(protein.name, protein)
    if before is not protein:
        raise PfamnetError(f"{protein.where}: protein '{protein.name}' is already in {before.where}")


class FamilyBook:
    """What the inputs state of each family: the latest version counts, others complete it."""

    def __init__(self):
        self._families: dict[str, Family] = {}
        self._keys: dict[tuple[str, str], str] = {}

    def add(self, family: Family, where: str) -> str:
        """Note a family and return its key.

        Raises PfamnetError, beginning with `where`, for white space in the accession.
        """
        if len(family.accession.split()) != 1:
            raise PfamnetError(f"{where}: accession {family.accession!r} is not one word")
        before = self._families.get(family.key, family)
        older, newer = sorted([family, before], key=lambda one: accession_version(one.accession))
        self._families[family.key] = _completed(newer, older)
        return family.key

    def add_named(self, accession: str, name: str, where: str) -> str:
        """As `add`, by accession and name alone; repeated pairs cost next to nothing."""
        if (accession, name) not in self._keys:
            self._keys[accession, name] = self.add(Family(accession, name), where)
        return self._keys[accession, name]

    def fill(self, families: Iterable[Family]) -> None:
        """Complete what the inputs left open from a user's table of families."""
        for family in families:
            if before := self._families.get(family.key):
                name = "" if family.name == family.accession else family.name
                if accession_version(before.accession) < 0:
                    before = replace(before, accession=family.accession)
                self._families[family.key] = _completed(before, replace(family, name=name))

    def family(self, key: str, rows: int) -> Family:
        """A family with its number of training rows and, as tables need it, a name of one word."""
        family = self._families[key]
        return replace(family, name="_".join(family.name.split()) or family.accession, rows=rows)


def _completed(family: Family, other: Family) -> Family:
    fields = ("name", "clan", "description", "type", *PAIRS)
    return family.completed(**{name: getattr(other, name) for name in fields})


def clean_sequence(where: str, text: str, aligned: bool = False) -> str:
    """The residues of a text in upper case, without a '*' at its end or, if `aligned`, without gaps.

    Raises PfamnetError, beginning with `where`, for a character that is no letter, with its position (column)
    from 1, or for no residue at all.
    """
    sequence = text.translate(_NO_GAPS) if aligned else text.rstrip("*")
    if sequence.isascii() and sequence.isalpha():
        return sequence.upper()
    for position, letter in enumerate(text if aligned else sequence, 1):
        if not (letter.isascii() and letter.isalpha()) and not (aligned and letter in GAPS):
            raise PfamnetError(f"{where}: illegal character {letter!r} at position {position}")
    raise PfamnetError(f"{where}: no residues")


def warn(warnings: list[str], what: str, names: Sequence[str], then: str = "") -> None:
    """Add a warning with the number and some of the names, if there are any."""
    if names:
        warnings.append(f"{what}: {len(names)} ({some(names)}){then}")


def some(names: Iterable[str]) -> str:
    """The first few of many: "a, b, c and 14 more"."""
    names = list(names)
    shown = ", ".join(names[:SOME])
    return shown if len(names) <= SOME else f"{shown} and {len(names) - SOME} more"
