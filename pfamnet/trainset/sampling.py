"""A train set sampled by a recipe, and the plan that says what was taken.

Families are taken by their number of training rows, the largest first; then rows of
each. Which rows depends on the seed and, for each row, its name, place and residues,
never on the order of the input; with another quota the smaller choice is part of the
larger one. The dev fold keeps its rows but for families left out. On full-length
proteins, rows not taken get the label -1 (nothing may be learnt from them), and a
protein of which no row was taken goes; proteins without a domain stay, as background.
"""

from dataclasses import dataclass, replace

import numpy as np

from pfamnet.trainset.entries import clean_row
from pfamnet.trainset.holdout import draw_number
from pfamnet.trainset.recipes import Recipe
from pfamnet.trainset.trainset import Fold, TrainSet

CLASSES = (200, 50, 20, 10, 5, 1, 0)  # least rows of a family in each class of the plan


@dataclass(frozen=True)
class Stratum:
    """Families of a plan; `fewest` and `most` are rows taken of one of them.

    rows    rows there, and `taken` of them
    short   families that have fewer rows than the recipe would take of each
    """

    name: str
    families: int
    rows: int
    taken: int
    fewest: int
    most: int
    short: int = 0


@dataclass(frozen=True)
class Plan:
    """What a recipe takes of a train set; `there` are the families that it has."""

    recipe: Recipe
    seed: int
    power: float
    there: int
    strata: tuple[Stratum, ...]
    dev: int
    dev_taken: int

    def as_dict(self) -> dict:
        """The plan as it is stored in model.json."""
        return {
            "recipe": self.recipe.name,
            "says": self.recipe.says,
            "seed": self.seed,
            "power": self.power,
            "families_there": self.there,
            "families": sum(stratum.families for stratum in self.strata),
            "rows": sum(stratum.taken for stratum in self.strata),
            "strata": [vars(stratum) for stratum in self.strata],
            "dev_rows_there": self.dev,
            "dev_rows": self.dev_taken,
            "instead": self.instead(),
        }

    def instead(self) -> list[str]:
        """What is taken in place of what the data do not have, one line each."""
        said, numbers = [], [number for number, _ in self.recipe.strata]
        if None not in numbers and self.there < sum(numbers):
            said.append(f"{sum(numbers):,} families asked for, {self.there:,} there: all of them are taken")
        for stratum in self.strata:
            if stratum.short:
                said.append(
                    f"families {stratum.name}: {stratum.short:,} have fewer rows than asked for: "
                    "all of theirs are taken"
                )
        taken = sum(stratum.taken for stratum in self.strata)
        if self.recipe.total is not None and taken < self.recipe.total:
            said.append(f"{self.recipe.total:,} rows asked for, {taken:,} there: all of them are taken")
        return said

    def lines(self) -> list[str]:
        """The plan for people."""
        rows = [("families", "number", "rows there", "rows taken", "of a family")]
        rows += [
            (
                stratum.name,
                f"{stratum.families:,}",
                f"{stratum.rows:,}",
                f"{stratum.taken:,}",
                f"{stratum.fewest:,} to {stratum.most:,}",
            )
            for stratum in self.strata
            if stratum.families
        ]
        sums = [
            sum(getattr(stratum, part) for stratum in self.strata) for part in ("families", "rows", "taken")
        ]
        rows.append(("together", *(f"{number:,}" for number in sums), ""))
        widths = [max(map(len, column)) for column in zip(*rows)]
        table = [
            "  ".join(
                text.rjust(width) if i else text.ljust(width)
                for i, (text, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in rows
        ]
        return [
            f"recipe {self.recipe.name}: {self.recipe.says}",
            *(f"  {line}" for line in table),
            *(f"  {line}" for line in self.instead()),
            f"  families left out: {self.there - sums[0]:,}; dev: {self.dev_taken:,} of {self.dev:,} rows; "
            f"families drawn as rows ** {self.power:g}; seed {self.seed}",
        ]


def plan(recipe: Recipe, trainset: TrainSet, seed: int, power: float | None = None):
    """Choose families and numbers of rows.

    Returns the train set with the recipe's families alone, all rows of theirs still
    there (profiles are built of them), how many rows to take of each (F,), and the plan.
    """
    rows = _rows(trainset.train, len(trainset.families))
    order = sorted(range(len(rows)), key=lambda i: (-rows[i], trainset.families[i].accession))
    chosen, quotas, strata = [], [], []
    for number, most in recipe.strata:
        first = len(chosen)
        part = order[first:] if number is None else order[first : first + number]
        sizes = rows[part]
        chosen += part
        quotas += (sizes if most is None else np.minimum(sizes, most)).tolist()
        if most is not None:
            strata.append(
                _stratum(
                    f"{first + 1:,} to {first + number:,}" if number else "others",
                    sizes,
                    np.array(quotas[first:], np.int64),
                    int((sizes < most).sum()),
                )
            )
    taken, sizes = np.array(quotas, np.int64), rows[chosen]
    if recipe.total is not None:
        taken = allot(sizes, recipe.total, recipe.least)
    strata = strata or _classes(sizes, taken)
    kept = np.argsort(chosen)
    restricted = restrict(trainset, np.array(chosen, np.int64)[kept])
    dev = [
        0 if fold is None else int((fold.domains[:, 3] >= 0).sum()) for fold in (trainset.dev, restricted.dev)
    ]
    made = Plan(recipe, seed, recipe.power if power is None else power, len(rows), tuple(strata), *dev)
    return restricted, taken[kept], made


def allot(sizes: np.ndarray, total: int, least: int) -> np.ndarray:
    """Share `total` rows out among families in proportion to their sizes, largest remainders first.

    Each keeps `least` rows or all it has; where even that is too much, `least` falls.
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
    keys = {}
    for row in known.tolist():
        index, start, end, family = fold.domains[row].tolist()
        text = f"recipe\n{fold.names[index]}\n{start}-{end}\n{fold.sequences[index]}"
        keys.setdefault(family, []).append((draw_number(seed, text), text, row))
    taken = np.zeros(len(fold.domains), bool)
    for family, rows in keys.items():
        taken[[row for _, _, row in sorted(rows)[: quotas[family]]]] = True
    gone = np.setdiff1d(fold.domains[known, 0], fold.domains[taken, 0])
    domains = fold.domains.copy()
    domains[known[~taken[known]], 3] = -1
    sampled = _without(Fold(fold.sequences, fold.names, domains, fold.whole), gone)
    names = {(name, sequence) for name, sequence in zip(sampled.names, sampled.sequences)}
    alignments = {
        family: rows
        for family, aligned in trainset.alignments.items()
        if (rows := [(name, row) for name, row in aligned if (name, clean_row(name, row)) in names])
    }
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


def _relabelled(fold, new):
    domains = fold.domains.copy()
    domains[:, 3] = new[domains[:, 3]]
    lost = np.unique(domains[domains[:, 3] < 0, 0])
    return _without(Fold(fold.sequences, fold.names, domains, fold.whole), lost[~fold.whole[lost]])


def _without(fold, gone):
    """A fold without some of its sequences."""
    keep = np.ones(len(fold.sequences), bool)
    keep[gone] = False
    domains = fold.domains[keep[fold.domains[:, 0]]]
    domains[:, 0] = (np.cumsum(keep) - 1)[domains[:, 0]]
    places = np.flatnonzero(keep).tolist()
    return Fold(
        [fold.sequences[i] for i in places], [fold.names[i] for i in places], domains, fold.whole[keep]
    )


def _rows(fold, families):
    return np.bincount(fold.domains[fold.domains[:, 3] >= 0, 3], minlength=families)


def _stratum(name, sizes, taken, short=0):
    return Stratum(
        name,
        len(sizes),
        int(sizes.sum()),
        int(taken.sum()),
        int(taken.min()) if len(taken) else 0,
        int(taken.max(initial=0)),
        short,
    )


def _classes(sizes, taken):
    """Strata by size, for recipes that name no number of rows of a family."""
    strata, above = [], None
    for least in CLASSES:
        inside = (sizes >= least) if above is None else (sizes >= least) & (sizes < above)
        name = (
            f"of {least:,} rows and more"
            if above is None
            else f"of {least:,} to {above - 1:,} rows"
            if least
            else "without rows"
        )
        strata.append(_stratum(name, sizes[inside], taken[inside]))
        above = least
    return tuple(strata)
