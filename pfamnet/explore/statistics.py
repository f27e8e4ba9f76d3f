"""What a train set holds: its rows and domains as data frames, and the faults among them.

`trainset.read_trainset` corrects or refuses faulty input. This module reads every fold, the test
fold too, and keeps duplicates, rows that two folds share, and conflicting labels. A row is an
isolated domain or a full-length protein.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PfamnetError
from ..families import read_families
from ..trainset.domains import read_domains
from ..trainset.entries import Entry, FamilyBook, some
from ..trainset.readers import read_input
from ..trainset.similarity import relatives

FOLDS = ("train", "dev", "test")
NEAR = 0.5  # near-duplicates share more than this fraction of the k-mers of the one with fewer
NEAR_KMERS = 10  # and at least so many k-mers
NEAR_MOST = 30_000_000  # residues up to which near-duplicates are searched: time grows with the square
PAIR = ["one", "other"]  # columns with the indices of two rows


@dataclass
class Exploration:
    """Everything that is found in a train set, as data frames.

    rows       fold (an ordered category), name, sequence, whole (a full-length protein), length,
               families (accessions without version, or "-")
    domains    row (its index in `rows`), fold, start, end (0-based half-open), family
    families   accession, name, clan (or "-"), domains in total and by fold; largest first
    shared     pairs of rows of two folds. Kinds: "sequence" (identical), "name" (of another sequence),
               "near" (near-duplicates); kmers_shared is a fraction
    conflicts  pairs of rows with the same residues under two families. Kinds: "sequence" (identical
               isolated domains), "near" (one domain is largely part of the other), "overlap" (two
               domains of one protein share at least half of the residues of each)
    near       whether near-duplicates were searched for
    """

    paths: list[str]
    warnings: list[str]
    rows: pd.DataFrame
    domains: pd.DataFrame
    families: pd.DataFrame
    shared: pd.DataFrame
    conflicts: pd.DataFrame
    near: bool

    @property
    def folds(self) -> list[str]:
        """The names of the folds, in order."""
        return list(self.rows["fold"].cat.categories)


def explore(paths, domains=None, families=None) -> Exploration:
    """Read all folds of train sets and collect statistics.

    `domains` is a table of the domains on full-length proteins; `families` a table that completes names
    and clans. Raises PfamnetError if an input cannot be read or no row has a family.
    """
    book, warnings = FamilyBook(), []
    table = None if domains is None else read_domains(domains)
    entries, folds = read_folds(paths, book, table, warnings)
    if families is not None:
        book.fill(read_families(families))
    rows, labels = frames(entries, folds)
    if labels.empty:
        raise PfamnetError(f"{some(map(str, paths))}: no row has a family")
    near = int(rows["length"].sum()) <= NEAR_MOST
    similar, nested = near_duplicates(rows if near else rows[:0])
    shared = described(rows, pd.concat([shared_rows(rows), similar]))
    conflicts = [described(rows, pd.concat([same_sequence(rows), nested])), overlaps(rows, labels)]
    sizes = family_sizes(labels, book, folds, {key for entry in entries for *_, key in entry.labels})
    texts = [[plain(str(text)) for text in some] for some in (paths, warnings)]
    return Exploration(*texts, rows, labels, sizes, shared, pd.concat(conflicts), near)


def plain(text: str) -> str:
    """A text as tables and pages have it: one line of valid UTF-8."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())


def read_folds(paths, book: FamilyBook, table, warnings: list[str]) -> tuple[list[Entry], list[str]]:
    """The entries of all folds, sorted by fold, and the names of the folds.

    Folds are those of split directories, and files named train.*, dev.* or test.*; other files are
    the fold "all". The folds of several directories are named after them, or after their paths if two
    have one name.
    """
    paths = [Path(path) for path in paths]
    folders = [path.name for path in paths if path.is_dir()]
    alike, entries = len(set(folders)) < len(folders), []
    for path in paths:
        stem = path.name.split(".")[0].lower()
        usual = "train" if path.is_dir() else stem if stem in FOLDS else "all"
        for entry in read_input(path, book, table, warnings, FOLDS):
            fold = entry.fold or usual
            folder = plain(str(path) if alike else path.name)
            entry.fold = f"{folder}/{fold}" if len(folders) > 1 and path.is_dir() else fold
            entries.append(entry)
    folds = list(dict.fromkeys(entry.fold for entry in entries))
    folds.sort(key=lambda fold: FOLDS.index(fold) if fold in FOLDS else len(FOLDS))
    return sorted(entries, key=lambda entry: folds.index(entry.fold)), folds


def frames(entries: list[Entry], folds: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows and domains of an `Exploration`."""
    table = [
        (
            *(e.fold, plain(e.name), e.sequence, e.whole, len(e.sequence)),
            plain(" ".join(dict.fromkeys(key for *_, key in e.labels))) or "-",
        )
        for e in entries
    ]
    rows = pd.DataFrame(table, columns=["fold", "name", "sequence", "whole", "length", "families"])
    rows["fold"] = pd.Categorical(rows["fold"], folds, ordered=True)
    labels = [
        (row, *place, plain(key)) for row, entry in enumerate(entries) for *place, key in sorted(entry.labels)
    ]
    domains = pd.DataFrame(labels, columns=["row", "start", "end", "family"])
    domains["fold"] = rows["fold"].array[domains["row"].to_numpy(int)]
    return rows, domains


def family_sizes(
    domains: pd.DataFrame, book: FamilyBook, folds: list[str], keys: Iterable[str]
) -> pd.DataFrame:
    """The families of an `Exploration`, whose `keys` the book knows."""
    counts = pd.crosstab(domains["family"], domains["fold"].astype(str)).reindex(columns=folds, fill_value=0)
    families = {plain(key): book.family(key, 0) for key in keys}
    texts = [
        [plain(getattr(families[key], field)) or "-" for field in ("accession", "name", "clan")]
        for key in counts.index
    ]
    known = pd.DataFrame(texts, counts.index, ["accession", "name", "clan"]).assign(
        domains=counts.sum(axis=1)
    )
    return known.join(counts).sort_values("domains", ascending=False, kind="stable")


def described(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of rows: fold, name and families of both in place of the indices `one` and `other`."""
    pairs = pairs.reset_index(drop=True)
    sides = [rows.loc[pairs[side], ["fold", "name", "families"]].reset_index(drop=True) for side in PAIR]
    rest = pairs.drop(columns=["kind", *PAIR])
    return pd.concat([pairs["kind"], sides[0], sides[1].add_prefix("other_"), rest], axis=1)


def shared_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a fold that an earlier fold has too, by sequence or else by name."""
    found = []
    for kind, fraction in (("sequence", 1.0), ("name", np.nan)):
        later = rows[["fold", kind]].rename_axis("other").reset_index()
        first = later.drop_duplicates(["fold", kind]).rename(columns={"other": "one", "fold": "earlier"})
        both = first.merge(later, on=kind).query("earlier < fold")
        found.append(both.assign(kind=kind, kmers_shared=fraction))
    both = pd.concat(found).drop_duplicates(["earlier", "other"]).sort_values(["earlier", "fold", "other"])
    return both[["kind", *PAIR, "kmers_shared"]]


def same_sequence(rows: pd.DataFrame) -> pd.DataFrame:
    """Identical isolated domains of two families."""
    isolated = rows[~rows["whole"]].drop_duplicates(["sequence", "families"])
    isolated = isolated[["sequence"]].rename_axis("one").reset_index()
    both = isolated.merge(isolated.rename(columns={"one": "other"}), on="sequence").query("one < other")
    return both[[*PAIR]].assign(kind="sequence", residues="-")


def near_duplicates(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each row with its nearest of each earlier fold, and each isolated domain with that of another family.

    Identical rows do not count.
    """
    sequences, families = rows["sequence"].to_numpy(object), rows["families"].to_numpy(object)
    folds, isolated = rows["fold"].cat.codes.to_numpy(), ~rows["whole"].to_numpy(bool)
    similar, nested = [], []
    for index, others, shares in relatives(sequences.tolist(), NEAR, least=NEAR_KMERS):
        order = np.argsort(-shares, kind="stable")
        others, shares = others[order], shares[order]
        differs = sequences[others] != sequences[index]
        present, nearest = np.unique(folds[others], return_index=True)
        nearest = nearest[present < folds[index]]
        similar += [(others[i], index, shares[i]) for i in nearest if differs[i]]
        foreign = np.flatnonzero(isolated[index] & isolated[others] & (families[others] != families[index]))
        nested += [(others[i], index) for i in foreign[:1] if differs[i]]
    near = pd.DataFrame(similar, columns=[*PAIR, "kmers_shared"]).assign(kind="near")
    return near, pd.DataFrame(nested, columns=PAIR).assign(kind="near", residues="-")


def overlaps(rows: pd.DataFrame, domains: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a protein's domains, of two families, that share half of the residues of each."""
    ours = domains.drop(columns="fold").rename_axis("place").reset_index()
    both = ours.merge(ours, on="row", suffixes=("", "_other"))
    both = both.query("place < place_other and family != family_other")
    ends, starts = both[["end", "end_other"]], both[["start", "start_other"]]
    longer = np.maximum(both["end"] - both["start"], both["end_other"] - both["start_other"])
    both = both[2 * (ends.min(axis=1) - starts.max(axis=1)) >= longer].reset_index()
    numbers = zip(both["start"] + 1, both["end"], both["start_other"] + 1, both["end_other"])
    both["residues"] = [f"{a}-{b} {c}-{d}" for a, b, c, d in numbers]
    pairs = both[["row", "residues"]].assign(kind="overlap", one=both["row"], other=both["row"])
    return described(rows, pairs.drop(columns="row")).assign(
        families=both["family"], other_families=both["family_other"]
    )
