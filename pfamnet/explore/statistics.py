"""What a train set holds, looked at before anything is learnt from it.

Unlike `trainset.read_trainset`, which mends or refuses what is wrong, this reads every
fold, test too, and keeps what it finds: duplicates, twins in two folds, sequences of two
labels. A row is an isolated domain or a full-length protein; `domains` are those on the
proteins, and the isolated ones themselves.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from pfamnet.errors import PfamnetError
from pfamnet.explore.powerlaw import PowerLaw, fit
from pfamnet.families import Family, read_families
from pfamnet.trainset.domains import read_domains, same_residues
from pfamnet.trainset.entries import Entry, FamilyBook, some
from pfamnet.trainset.readers import read_input
from pfamnet.trainset.similarity import LETTERS, relatives

FOLDS = ("train", "dev", "test")
LIMITS = (64, 128, 256, 512, 1024, 2048)
PERCENTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
NEAR = 0.5  # near twins share more than this of their words of 5 residues
NEAR_WORDS = 10  # and at least so many words
NEAR_MOST = 30_000_000  # residues up to which near twins are looked for: time grows with the square


@dataclass(frozen=True)
class Twin:
    """Two rows of two folds. `kind`: "sequence" (the same), "name" (the same, of another
    sequence), or "near"; `share` of their words of 5 residues that they have in common."""

    kind: str
    one: Entry
    other: Entry
    share: float = 1.0


@dataclass(frozen=True)
class Conflict:
    """Residues under two families: `kind` "sequence" (an isolated domain), "near" (one
    isolated domain that is in great part another one, as nested domains are), or "overlap"
    (domains of a protein that share at least half of the residues of each)."""

    kind: str
    one: Entry
    other: Entry
    families: tuple[str, str]
    residues: str = ""


@dataclass
class Exploration:
    """All that is found.

    rows      {fold: entries}; families {key: Family}; domains {fold: Counter of keys};
              an entry's `fold` is the one it stands in
    lengths   {what: array of residues}, of rows and of domains by fold
    repeats   {fold: (rows whose sequence came before in the fold, those with its name too)}
    near      whether near twins were looked for
    letters   {letter: how often}; odd: rows with a letter that is no amino acid
    """

    paths: list[str]
    rows: dict[str, list[Entry]]
    families: dict[str, Family]
    domains: dict[str, Counter]
    warnings: list[str]
    law: PowerLaw | None = None
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    repeats: dict[str, tuple[int, int]] = field(default_factory=dict)
    twins: list[Twin] = field(default_factory=list)
    near: bool = True
    conflicts: list[Conflict] = field(default_factory=list)
    letters: Counter = field(default_factory=Counter)
    odd: int = 0

    @property
    def sizes(self) -> Counter:
        """Domains of each family in all folds."""
        return sum(self.domains.values(), Counter())


def explore(paths, domains=None, families=None, seed=42) -> Exploration:
    """Read all folds of train sets and look at them.

    Raises PfamnetError for what cannot be read at all, or has no domain.
    """
    book, warnings = FamilyBook(), []
    table = None if domains is None else read_domains(domains)
    rows = read_folds(paths, book, table, warnings)
    if families is not None:
        book.fill(read_families(families))
    counts = {fold: Counter(key for e in entries for _, _, key in e.labels) for fold, entries in rows.items()}
    sizes = sum(counts.values(), Counter())
    if not sizes:
        raise PfamnetError(f"{some(map(str, paths))}: no row has a family")
    found = Exploration(
        [str(path) for path in paths],
        rows,
        {key: book.family(key, n) for key, n in sizes.items()},
        counts,
        warnings,
    )
    found.law = fit(list(sizes.values()), seed=seed)
    found.lengths = lengths_of(rows)
    found.repeats = {fold: repeats(entries) for fold, entries in rows.items()}
    found.near = sum(len(e.sequence) for entries in rows.values() for e in entries) <= NEAR_MOST
    near, nested = near_pairs(rows) if found.near else ([], [])
    found.twins = [*twins(rows), *near]
    found.conflicts = [*conflicts([e for entries in rows.values() for e in entries]), *nested]
    for entries in rows.values():
        text = Counter()
        for entry in entries:
            text.update(entry.sequence)
        found.letters += text
    odd = set(found.letters) - set(LETTERS.decode())
    found.odd = (
        sum(not odd.isdisjoint(e.sequence) for entries in rows.values() for e in entries) if odd else 0
    )
    return found


def read_folds(paths, book, table, warnings) -> dict[str, list[Entry]]:
    """Entries by fold: those of split directories, and files named train.*, dev.* or test.*.

    Other files are the fold "all". Several directories' folds bear their names.
    """
    folders = [path for path in map(Path, paths) if path.is_dir()]
    rows = defaultdict(list)
    for path in map(Path, paths):
        stem = path.name.split(".")[0].lower()
        for entry in read_input(path, book, table, warnings, FOLDS):
            fold = entry.fold or ("train" if path.is_dir() else stem if stem in FOLDS else "all")
            entry.fold = f"{path.name}/{fold}" if path in folders and len(folders) > 1 else fold
            rows[entry.fold].append(entry)
    rank = {fold: place for place, fold in enumerate(FOLDS)}
    return {
        fold: rows[fold]
        for fold in sorted(rows, key=lambda fold: (rank.get(fold, 3), list(rows).index(fold)))
    }


def lengths_of(rows) -> dict[str, np.ndarray]:
    """Residues of the rows of each fold, of all, and of the domains where there are proteins."""
    lengths = {fold: np.array([len(e.sequence) for e in entries]) for fold, entries in rows.items()}
    lengths["together"] = np.concatenate(list(lengths.values()))
    if any(e.whole for entries in rows.values() for e in entries):
        lengths["domains"] = np.array(
            [end - start for entries in rows.values() for e in entries for start, end, _ in e.labels]
        )
    return lengths


def repeats(entries) -> tuple[int, int]:
    """Rows whose sequence came before among them, and those whose name and sequence did."""
    return (
        len(entries) - len({e.sequence for e in entries}),
        len(entries) - len({(e.name, e.sequence) for e in entries}),
    )


def twins(rows) -> list[Twin]:
    """Rows of a fold that stand in an earlier one too, by sequence or else by name."""
    found = []
    for first, second in combinations(rows, 2):
        sequences, names = {}, {}
        for entry in rows[first]:
            sequences.setdefault(entry.sequence, entry)
            names.setdefault(entry.name, entry)
        for entry in rows[second]:
            if entry.sequence in sequences:
                found.append(Twin("sequence", sequences[entry.sequence], entry))
            elif entry.name in names:
                found.append(Twin("name", names[entry.name], entry))
    return found


def near_pairs(rows) -> tuple[list[Twin], list[Conflict]]:
    """Rows that are nearly the same, or of which one is nearly part of the other.

    Returns those of two folds, each row with the nearest of each earlier fold; and
    isolated domains of two families, each with the nearest of another family.
    """
    folds = list(rows)
    entries = [e for fold in folds for e in rows[fold]]
    place = np.repeat(np.arange(len(folds)), [len(rows[fold]) for fold in folds])
    labels = [None if e.whole else e.labels[0][2] for e in entries]
    found, nested = [], []
    for index, others, shares in relatives([e.sequence for e in entries], NEAR, least=NEAR_WORDS):
        for other in others[np.argsort(-shares, kind="stable")].tolist():
            if None not in (labels[index], labels[other]) and labels[index] != labels[other]:
                if entries[other].sequence != entries[index].sequence:
                    nested.append(
                        Conflict("near", entries[other], entries[index], (labels[other], labels[index]))
                    )
                break
        for fold in range(place[index]):
            inside = np.flatnonzero(place[others] == fold)
            if len(inside):
                best = inside[shares[inside].argmax()]
                one, other = entries[others[best]], entries[index]
                if one.sequence != other.sequence:
                    found.append(Twin("near", one, other, float(shares[best])))
    return found, nested


def conflicts(entries) -> list[Conflict]:
    """The same residues under two families."""
    found, first = [], {}
    for entry in entries:
        if entry.whole:
            found += overlaps(entry)
            continue
        key = entry.labels[0][2]
        labels = first.setdefault(entry.sequence, {})
        if key not in labels:
            found += [Conflict("sequence", other, entry, (known, key)) for known, other in labels.items()]
            labels[key] = entry
    return found


def overlaps(entry) -> list[Conflict]:
    """Pairs of a protein's domains, of two families, on the same residues."""
    found, labels = [], sorted(entry.labels)
    for i, one in enumerate(labels):
        for other in labels[i + 1 :]:
            if other[0] >= one[1]:
                break
            if one[2] != other[2] and same_residues(one, other):
                found.append(
                    Conflict(
                        "overlap",
                        entry,
                        entry,
                        (one[2], other[2]),
                        f"{one[0] + 1}-{one[1]} {other[0] + 1}-{other[1]}",
                    )
                )
    return found


def clans(found: Exploration) -> list[tuple[str, int, int]]:
    """(clan, families, domains), the largest first; "" are the families without one."""
    families, domains = Counter(), Counter()
    for key, count in found.sizes.items():
        clan = found.families[key].clan
        families[clan] += 1
        domains[clan] += count
    return sorted(
        ((clan, families[clan], domains[clan]) for clan in families),
        key=lambda row: (-row[1], -row[2], row[0]),
    )


def cut_by(lengths: np.ndarray) -> list[tuple[int, int, int]]:
    """Of each length limit: (limit, rows that are longer, residues beyond it)."""
    return [(limit, int((lengths > limit).sum()), int((lengths - limit).clip(0).sum())) for limit in LIMITS]
