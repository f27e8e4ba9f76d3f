"""A seed split with families left out and others cut down to a few rows, for accuracy.py.

Complete clans are left out (a family without one is a clan of its own), so that no related family
stays; their rows, of every fold, are in the fold `left_out`.  Each family that is cut down keeps 1 to 10
training rows, as many families for each number.  The seed draws both.  The new directory has the layout
of the old one, and `reduced.json` lists what was done.

    python benchmarks/reduced_split.py --data SPLIT --families FAMILIES OUT
"""

import json
from pathlib import Path

import click
import numpy as np
import pandas

from pfamnet.families import accession_key, read_families

FOLDS = ("train", "dev", "test")
LEAST = 20  # training rows of a family that is left out or cut down
NUMBERS = range(1, 11)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--families", required=True, type=click.Path(exists=True, dir_okay=False), help="table of clans"
)
@click.option("--leave-out", default=15, show_default=True, help="families left out")
@click.option("--few", default=6, show_default=True, help="families cut down to each number of rows")
@click.option("--seed", default=42, show_default=True)
def main(out, data, families, leave_out, few, seed):
    """Write the reduced split OUT."""
    folds, rng = {fold: read(data / fold) for fold in FOLDS}, np.random.default_rng(seed)
    rows, tested = folds["train"].key.value_counts(), set(folds["test"].key)
    table = {family.key: family for family in read_families(families)}
    clan = {name: table[name].clan or name if name in table else name for name in rows.index}
    left = choose_left_out(rng, rows, clan, tested, leave_out)
    names = [
        name for name in sorted(rows.index) if name not in left and rows[name] >= LEAST and name in tested
    ]
    drawn = rng.permutation(names)[: few * len(NUMBERS)]
    kept = {str(name): NUMBERS[place % len(NUMBERS)] for place, name in enumerate(drawn)}
    folds["left_out"] = pandas.concat(rows[rows.key.isin(left)] for rows in folds.values())
    for fold in FOLDS:
        folds[fold] = folds[fold][~folds[fold].key.isin(left)]
    folds["train"] = cut(rng, folds["train"], kept)
    for fold, lines in folds.items():
        (out / fold).mkdir(parents=True)
        lines.drop(columns="key").to_csv(out / fold / "data-00000-of-00001", index=False)
    what = {"seed": seed, "left_out": sorted(left), "few": kept}
    (out / "reduced.json").write_text(json.dumps(what, indent=1) + "\n")


def read(folder: Path) -> pandas.DataFrame:
    """The rows of a fold, with the accession without its version as `key`."""
    shards = [pandas.read_csv(path, dtype=str, na_filter=False) for path in sorted(folder.glob("data-*"))]
    rows = pandas.concat(shards, ignore_index=True)
    return rows.assign(key=rows.family_accession.map(accession_key))


def choose_left_out(rng, rows, clan, tested, count) -> set[str]:
    """Families of complete clans, drawn one by one until `count` is reached."""
    left, names = set(), sorted(rows.index)
    for name in rng.permutation(sorted(set(clan.values()))):
        members = {member for member in names if clan[member] == name}
        good = all(rows[member] >= LEAST for member in members) and tested & members
        if good and len(left) + len(members) <= count:
            left |= members
    return left


def cut(rng, rows: pandas.DataFrame, kept: dict[str, int]) -> pandas.DataFrame:
    """The rows, at random so many of each family in `kept`."""
    drawn = rows.iloc[rng.permutation(len(rows))]
    place = drawn.groupby("key").cumcount()
    return drawn[place < drawn.key.map(kept).fillna(len(rows))].sort_index()


if __name__ == "__main__":
    main()
