"""A seed split with families left out and others cut down to a few rows, for accuracy.py.

Complete clans are left out (a family without one is a clan of its own), so that no related family
stays; their rows, of every fold, are in the fold `left_out`.  Each family that is cut down keeps 1 to 10
training rows, as many families for each number.  The seed draws both.  The new directory has the layout
of the old one, and `reduced.json` lists what was done.

    python benchmarks/reduced_split.py --data SPLIT --families FAMILIES OUT
"""

import csv
import json
from collections import Counter
from pathlib import Path

import click
import numpy as np

from pfamnet.families import accession_key, families_by_key, read_families

FOLDS = ("train", "dev", "test")
LEAST = 20  # training rows of a family that is left out or cut down
NUMBERS = range(1, 11)


@click.command()
@click.argument("out", type=click.Path())
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False))
@click.option(
    "--families", required=True, type=click.Path(exists=True, dir_okay=False), help="table with clans"
)
@click.option("--leave-out", default=15, show_default=True, help="families left out")
@click.option("--few", default=6, show_default=True, help="families cut down to each number of rows")
@click.option("--seed", default=42, show_default=True)
def main(out, data, families, leave_out, few, seed):
    """Write the reduced split OUT."""
    folds = {fold: read(Path(data) / fold) for fold in FOLDS}
    rows = Counter(key(row) for row in folds["train"])
    tested = {key(row) for row in folds["test"]}
    table = families_by_key(read_families(families))
    clan = {name: table[name][1].clan or name if name in table else name for name in rows}
    rng = np.random.default_rng(seed)
    left = choose_left_out(rng, rows, clan, tested, leave_out)
    kept = choose_few(
        rng,
        [name for name in sorted(rows) if name not in left and rows[name] >= LEAST and name in tested],
        few,
    )
    folds["left_out"] = [row for fold in FOLDS for row in folds[fold] if key(row) in left]
    for fold in FOLDS:
        folds[fold] = [row for row in folds[fold] if key(row) not in left]
    folds["train"] = cut(rng, folds["train"], kept)
    for fold, lines in folds.items():
        write(Path(out) / fold / "data-00000-of-00001", lines)
    (Path(out) / "reduced.json").write_text(
        json.dumps({"seed": seed, "left_out": sorted(left), "few": kept}, indent=1) + "\n"
    )


def key(row):
    return accession_key(row["family_accession"])


def read(folder):
    rows = []
    for shard in sorted(folder.glob("data-*")):
        with open(shard, newline="") as file:
            rows += csv.DictReader(file)
    return rows


def choose_left_out(rng, rows, clan, tested, count):
    """Families of complete clans, drawn one by one until `count` is reached."""
    clans = {}
    for name in sorted(rows):
        clans.setdefault(clan[name], []).append(name)
    left = set()
    for name in rng.permutation(sorted(clans)):
        members = clans[name]
        good = all(rows[member] >= LEAST for member in members) and tested & set(members)
        if good and len(left) + len(members) <= count:
            left |= set(members)
    return left


def choose_few(rng, names, few):
    """{family: rows that stay}."""
    drawn = rng.permutation(names)[: few * len(NUMBERS)]
    return {str(name): int(NUMBERS[place % len(NUMBERS)]) for place, name in enumerate(drawn)}


def cut(rng, rows, kept):
    """The rows, at random so many of each family in `kept`."""
    left, stays = dict(kept), []
    for place in rng.permutation(len(rows)):
        name = key(rows[place])
        if name in left:
            if not left[name]:
                continue
            left[name] -= 1
        stays.append(place)
    return [rows[place] for place in sorted(stays)]


def write(path, rows):
    path.parent.mkdir(parents=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
