"""A train set sampled by a recipe, and the plan that states what is taken.

Families are taken by their number of training rows, the largest first; then rows of each. The choice of
rows depends on the seed and on each row's name, place and residues, never on the order of the input; a
smaller choice is part of a larger one. The validation set loses only the families left out. In full-length
proteins, rows not taken get the label -1 (nothing may be learnt from them). A protein without a row
taken goes; proteins without a domain stay, as background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, islice

import numpy as np

from .entries import clean_sequence
from .holdout import draw_number
from .recipes import Recipe
from .trainset import Fold, TrainSet

STRATUM = ("families", "rows", "taken", "fewest", "most")
COLUMNS = "{:<18}{:>10}{:>14}{:>14}{:>18}".format  # of the printed plan


@dataclass(frozen=True)
class Plan:
    """What a recipe takes of a train set, as model.json stores it.

    strata    a dictionary each: its name, families, rows there and taken, the fewest and most of a family
    instead   what is taken in place of what the data do not have, one line each
    """

    recipe: str
    says: str
    seed: int
    power: float
    families: int
    families_there: int
    rows: int
    dev_rows: int
    dev_rows_there: int
    strata: list[dict]
    instead: list[str]

    def lines(self) -> list[str]:
        """The plan as it is printed."""
        there = sum(part["rows"] for part in self.strata)
        table = [COLUMNS("families", "number", "rows there", "rows taken", "of a family")]
        for part in self.strata:
            numbers = [f"{part[key]:,}" for key in STRATUM]
            table.append(COLUMNS(part["name"], *numbers[:3], " to ".join(numbers[3:])))
        table.append(COLUMNS("together", f"{self.families:,}", f"{there:,}", f"{self.rows:,}", ""))
        return [
            f"recipe {self.recipe}: {self.says}",
            *(f"  {line}".rstrip() for line in [*table, *self.instead]),
            f"  families left out: {self.families_there - self.families:,}; validation set: "
            f"{self.dev_rows:,} of {self.dev_rows_there:,} rows; "
            f"families drawn as rows ** {self.power:g}; seed {self.seed}",
        ]


def plan(
    recipe: Recipe, trainset: TrainSet, seed: int, power: float | None = None
) -> tuple[TrainSet, np.ndarray, Plan]:
    """Choose families and numbers of rows.

    Returns:
        The train set with the recipe's families alone and all their rows (profiles are built from
        them), how many rows to take of each family (F,), and the plan.
    """
    rows = _rows(trainset.train, len(trainset.families))
    order = np.argsort(-rows, kind="stable")  # families are sorted by accession
    quotas, strata, instead, first = np.zeros_like(rows), [], [], 0
    for number, most in recipe.strata:
        part = order[first:][:number]
        if not len(part):
            continue
        sizes = rows[part]
        if recipe.total is not None:
            taken = allot(sizes, recipe.total, recipe.least)
        else:
            taken = sizes if most is None else np.minimum(sizes, most)
        name = f"{first + 1:,} to {first + (number or len(part)):,}"
        figures = len(part), sizes.sum(), taken.sum(), taken.min(), taken.max()
        strata.append({"name": name} | {key: int(n) for key, n in zip(STRATUM, figures)})
        if most is not None and (short := int((sizes < most).sum())):
            instead.append(f"families {name}: {short:,} have fewer rows than asked for: all are taken")
        quotas[part] = taken
        first += len(part)
    asked = sum(number or 0 for number, _ in recipe.strata)
    if first < asked:
        instead.insert(0, f"{asked:,} families asked for, {first:,} there: all of them are taken")
    if quotas.sum() < (recipe.total or 0):
        instead.append(f"{recipe.total:,} rows asked for, {quotas.sum():,} there: all of them are taken")
    kept = np.sort(order[:first])
    restricted = restrict(trainset, kept)
    power = recipe.power if power is None else power
    sizes = [first, len(rows), *(int(n.sum()) for n in (quotas, _rows(restricted.dev), _rows(trainset.dev)))]
    made = Plan(recipe.name, recipe.says, seed, power, *sizes, strata, instead)
    return restricted, quotas[kept], made


def allot(sizes: np.ndarray, total: int, least: int) -> np.ndarray:
    """Divide `total` rows among families in proportion to their sizes, largest remainders first.

    Each keeps `least` rows or all it has; if that is too much, `least` falls.
    """
    if sizes.sum() <= total:
        return sizes.copy()
    while np.minimum(sizes, least).sum() > total:
        least -= 1
    base = np.minimum(sizes, least)
    room, rest = sizes - base, total - base.sum()
    more, remainders = np.divmod(room * rest, room.sum())
    more[np.argsort(-remainders, kind="stable")[: rest - more.sum()]] += 1
    return base + more


def sample(trainset: TrainSet, quotas: np.ndarray, seed: int) -> TrainSet:
    """The train set with so many training rows of each family (F,)."""
    fold = trainset.train
    known = np.flatnonzero(fold.domains[:, 3] >= 0)
    rows = []
    for row in known.tolist():
        index, start, end, family = fold.domains[row].tolist()
        text = f"recipe\n{fold.names[index]}\n{start}-{end}\n{fold.sequences[index]}"
        rows.append((family, draw_number(seed, text), text, row))
    taken = np.zeros(len(fold.domains), bool)
    for family, drawn in groupby(sorted(rows), key=lambda row: row[0]):
        taken[[row for *_, row in islice(drawn, int(quotas[family]))]] = True
    gone = np.setdiff1d(fold.domains[known, 0], fold.domains[taken, 0])
    domains = fold.domains.copy()
    domains[known[~taken[known]], 3] = -1
    sampled = _without(replace(fold, domains=domains), gone)
    names = set(zip(sampled.names, sampled.sequences))
    alignments = {}
    for family, aligned in trainset.alignments.items():
        kept = [(name, row) for name, row in aligned if (name, clean_sequence(name, row, True)) in names]
        alignments |= {family: kept} if kept else {}
    counts = _rows(sampled, len(trainset.families))
    families = [replace(family, rows=int(count)) for family, count in zip(trainset.families, counts)]
    return replace(trainset, families=families, train=sampled, alignments=alignments)


def restrict(trainset: TrainSet, families: np.ndarray) -> TrainSet:
    """The train set with some of its families alone, given by index in their order."""
    new = np.full(len(trainset.families) + 1, -1, np.int32)  # the last place is that of -1
    new[families] = np.arange(len(families))
    dev = trainset.dev and _relabelled(trainset.dev, new)
    return replace(
        trainset,
        families=[trainset.families[i] for i in families],
        train=_relabelled(trainset.train, new),
        dev=dev if dev and dev.sequences else None,
        alignments={int(new[i]): rows for i, rows in trainset.alignments.items() if new[i] >= 0},
    )


def _relabelled(fold: Fold, new: np.ndarray) -> Fold:
    domains = fold.domains.copy()
    domains[:, 3] = new[domains[:, 3]]
    lost = np.unique(domains[domains[:, 3] < 0, 0])
    return _without(replace(fold, domains=domains), lost[~fold.whole[lost]])


def _without(fold: Fold, gone: np.ndarray) -> Fold:
    """A fold without some of its sequences."""
    keep = np.ones(len(fold.sequences), bool)
    keep[gone] = False
    domains = fold.domains[keep[fold.domains[:, 0]]]
    domains[:, 0] = (np.cumsum(keep) - 1)[domains[:, 0]]
    sequences, names = ([part[i] for i in np.flatnonzero(keep)] for part in (fold.sequences, fold.names))
    return Fold(sequences, names, domains, fold.whole[keep])


def _rows(fold: Fold | None, families: int = 0) -> np.ndarray:
    """The number of domains of each family (F,)."""
    labels = fold.domains[:, 3] if fold else np.zeros(0, np.int32)
    return np.bincount(labels[labels >= 0], minlength=families)
