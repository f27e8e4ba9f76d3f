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
CONFLICTS = ("sequence", "near", "overlap")


def tables(found: Exploration) -> dict[str, pd.DataFrame]:
    """The tables by file name."""
    return {
        "summary.tsv": summary(found),
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
    rows, domains = found.rows.groupby("fold", observed=False), found.domains.groupby("fold", observed=False)
    table["rows"], table["residues"] = rows.size(), rows["length"].sum()
    table["full-length proteins"] = rows["whole"].sum()
    table["domains"], table["families"] = domains.size(), domains["family"].nunique()
    for name, columns in (("sequences", ["sequence"]), ("names and sequences", ["name", "sequence"])):
        repeated = found.rows[found.rows.duplicated(["fold", *columns])]
        table[f"repeated {name}"] = repeated.groupby("fold", observed=False).size()
    table.loc["total"] = table.sum()
    table.loc["total", "families"] = len(found.families)
    return table.rename_axis("fold").reset_index()


def summary(found: Exploration) -> pd.DataFrame:
    """Single numbers, one per line."""
    clan = found.families["clan"]
    of_all = {
        "families without a clan": (clan == "-").sum(),
        "clans": clan[clan != "-"].nunique(),
        "families with rows, but none in train": untrained(found),
        "rows with a letter that is no amino acid": odd_rows(found),
    } | {f"label conflicts: {kind}": (found.conflicts["kind"] == kind).sum() for kind in CONFLICTS}
    shared = shared_counts(found).melt(["fold", "other_fold"], var_name="what")
    shared["fold"] += " and " + shared["other_fold"]
    shared["what"] = "shared rows: " + shared["what"]
    totals = pd.DataFrame({"what": of_all.keys(), "fold": "total", "value": of_all.values()})
    return pd.concat([overview(found).melt("fold", var_name="what"), totals, shared])[
        ["what", "fold", "value"]
    ]


def untrained(found: Exploration) -> int:
    """Families that no train fold has, if there is a train fold."""
    train = [fold for fold in found.folds if fold.split("/")[-1] == "train"]
    return int((found.families[train].sum(axis=1) == 0).sum()) if train else 0


def odd_rows(found: Exploration) -> int:
    """Rows with a letter that is no amino acid."""
    return int(found.rows["sequence"].str.contains(f"[^{LETTERS.decode()}]").sum())


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
    values = dict(list(found.rows.groupby("fold", observed=False)["length"])) | {
        "total": found.rows["length"]
    }
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
    table = pd.DataFrame(
        [
            (limit, what, (values > limit).sum(), len(values), (values - limit).clip(0).sum(), values.sum())
            for what, values in lengths(found).items()
            for limit in LIMITS
        ],
        columns=["limit", "rows", "longer", "percent_of_rows", "residues_cut", "percent_of_residues"],
    )
    for part, whole in (("longer", "percent_of_rows"), ("residues_cut", "percent_of_residues")):
        table[whole] = (100 * table[part] / table[whole]).round(2)
    return table


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
