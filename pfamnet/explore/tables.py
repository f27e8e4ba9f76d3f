"""The tables of an exploration, complete, as the page shows them in part."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd

from ..trainset.similarity import LETTERS
from .statistics import NEAR, Exploration

BOUNDS = (0, 25, 50, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500, 2000, 4000)
LIMITS = (64, 128, 256, 512, 1024, 2048)
PERCENTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)


def tables(found: Exploration) -> dict[str, pd.DataFrame]:
    """The tables by file name."""
    return {
        "summary.tsv": overview(found),
        "families.tsv": found.families,
        "sizes.tsv": sizes(found),
        "lengths.tsv": length_statistics(found),
        "histogram.tsv": histogram(found),
        "limits.tsv": limits(found),
        "shared.tsv": found.shared,
        "conflicts.tsv": found.conflicts,
        "clans.tsv": clans(found),
        "alphabet.tsv": alphabet(found),
    }


def overview(found: Exploration) -> pd.DataFrame:
    """Counts of each fold, and of all folds together."""
    table = pd.DataFrame(index=found.folds)
    rows = found.rows.assign(odd=found.rows["sequence"].str.contains(f"[^{LETTERS.decode()}]"))
    for name, columns in (("sequence", ["sequence"]), ("name", ["name", "sequence"])):
        rows[f"repeated_{name}"] = rows.duplicated(["fold", *columns])
    of_rows, domains = (part.groupby("fold", observed=False) for part in (rows, found.domains))
    table["rows"], table["residues"] = of_rows.size(), of_rows["length"].sum()
    table["domains"], table["families"] = domains.size(), domains["family"].nunique()
    table["full-length proteins"] = of_rows["whole"].sum()
    table["repeated sequences"] = of_rows["repeated_sequence"].sum()
    table["name repeated too"] = of_rows["repeated_name"].sum()
    table["rows with other letters"] = of_rows["odd"].sum()
    table.loc["total"] = table.sum()
    table.loc["total", "families"] = len(found.families)
    return table.rename_axis("fold").reset_index()


def untrained(found: Exploration) -> int:
    """Families that no train fold has, if there is a train fold."""
    train = [fold for fold in found.folds if fold.split("/")[-1] == "train"]
    return int((found.families[train].sum(axis=1) == 0).sum()) if train else 0


def shared_counts(found: Exploration) -> pd.DataFrame:
    """How many rows each two folds share, by kind."""
    texts = {"sequence": "same sequence", "name": "same name"}
    near = [f"over {NEAR:.0%} of k-mers, {which} family" for which in ("same", "other")]
    pairs = found.shared
    other = pairs["families"] != pairs["other_families"]
    kind = pairs["kind"].map(texts).fillna(other.map({False: near[0], True: near[1]}))
    table = pd.crosstab([pairs["fold"].astype(str), pairs["other_fold"].astype(str)], kind)
    folds = pd.MultiIndex.from_tuples(combinations(found.folds, 2), names=["fold", "other_fold"])
    kinds = [*texts.values(), *(near if found.near else [])]
    return table.reindex(index=folds, columns=kinds, fill_value=0).rename_axis(None, axis=1).reset_index()


def sizes(found: Exploration) -> pd.DataFrame:
    """How many families have so many domains, and at least so many."""
    table = found.families["domains"].value_counts().sort_index().rename("families").reset_index()
    return table.assign(families_of_at_least=table["families"][::-1].cumsum())


def lengths(found: Exploration) -> dict[str, pd.Series]:
    """Residues of the rows of each fold, of all, and of the domains if there are proteins."""
    values = dict(list(found.rows.groupby("fold", observed=False)["length"]))
    values["total"] = found.rows["length"]
    if found.rows["whole"].any():
        values["domains"] = found.domains["end"] - found.domains["start"]
    return values


def length_statistics(found: Exploration) -> pd.DataFrame:
    """Mean, median and percentiles of the lengths, in residues."""
    rows = [
        (what, len(values), round(values.mean(), 1), values.median(), *np.percentile(values, PERCENTILES))
        for what, values in lengths(found).items()
    ]
    head = ["rows", "number", "mean", "median", *(f"p{percent}" for percent in PERCENTILES)]
    return pd.DataFrame(rows, columns=head)


def histogram(found: Exploration) -> pd.DataFrame:
    """How many rows are of a length, by bins."""
    longest = max(found.rows["length"].max(), 1)
    bounds = [*(bound for bound in BOUNDS if bound <= longest), longest + 1]
    counts = {what: np.histogram(values, bounds)[0] for what, values in lengths(found).items()}
    return pd.DataFrame({"from": bounds[:-1], "below": bounds[1:]} | counts)


def limits(found: Exploration) -> pd.DataFrame:
    """What a limit on the length would cut off."""
    rows = []
    for what, values in lengths(found).items():
        for limit in LIMITS:
            longer, cut = (values > limit).sum(), (values - limit).clip(0).sum()
            rows.append((limit, what, longer, 100 * longer / len(values), cut, 100 * cut / values.sum()))
    head = ["limit", "rows", "longer", "percent_of_rows", "residues_cut", "percent_of_residues"]
    return pd.DataFrame(rows, columns=head).round(2)


def clans(found: Exploration) -> pd.DataFrame:
    """The clans, the largest first; the line "-" counts the families without one."""
    table = found.families.groupby("clan")["domains"].agg(families="size", domains="sum").reset_index()
    return table.sort_values(["families", "domains", "clan"], ascending=[False, False, True])


def alphabet(found: Exploration) -> pd.DataFrame:
    """The letters, the most frequent first, and whether they are amino acids."""
    counts = pd.Series(Counter("".join(found.rows["sequence"])), name="number").rename_axis("letter")
    table = counts.sort_values(ascending=False, kind="stable").reset_index()
    table.insert(1, "amino_acid", np.where(table["letter"].isin([*LETTERS.decode()]), "yes", "no"))
    return table.assign(percent=(100 * table["number"] / counts.sum()).round(4))
