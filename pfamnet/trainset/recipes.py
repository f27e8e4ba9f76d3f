"""Recipes, applied by `sampling`: which domains of the training set the networks learn from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One way to choose rows.

    says    one line for the user
    strata  (families, rows): that many of the largest families, at most so many rows of each; then the
            next stratum. Rows None: all of them. Families None: all that are left
    total   rows of a recipe with one stratum, divided among its families in proportion to their size;
            None: as many as the strata give
    least   rows of such a total that every family keeps, if it has them
    power   in training a family is drawn as its rows ** power
    """

    name: str
    says: str
    strata: tuple[tuple[int | None, int | None], ...]
    total: int | None = None
    least: int = 0
    power: float = 0.6


SPECIALIST = "the 1,000 largest families, at most 200 rows of each, and each family drawn equally often"
GENERALIST = "70,000 rows of the 5,000 largest families in proportion to their size, at least 5 of each"
LARGER = "200 rows of each of the 1,000 largest families, 50 of each of the next 4,000"
FULL = "every row, families drawn in proportion to their size"
_RECIPES = [
    Recipe("specialist", SPECIALIST, ((1000, 200),), power=0.0),
    Recipe("generalist-70k", GENERALIST, ((5000, None),), total=70_000, least=5),
    Recipe("generalist-400k", LARGER, ((1000, 200), (4000, 50))),
    Recipe("full", FULL, ((None, None),), power=1.0),
]
RECIPES = {recipe.name: recipe for recipe in _RECIPES}
