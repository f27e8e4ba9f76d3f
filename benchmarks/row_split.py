"""Isolated domains of any train sets, split anew: the layout of the Pfam seed split, for accuracy.py.

The rows of every fold are put together, and those of the families with the most rows are kept.

- By row, each row is drawn into train (80 %), dev (10 %) or test by the seed.  Relatives of a row may be in
  another fold; the same residues are not.
- By cluster, the fold test is what pfamnet-build would hold out for validation: a tenth of each family's rows
  at most, in clusters of similar rows, so that no row of train resembles them.  There is no fold dev, so that
  the build holds out its validation rows from train in the same way.

    python benchmarks/row_split.py --domains DOMAINS --families CLANS --hmm DB.hmm OUT SPLIT/*/data-* PROTEINS
"""

from pathlib import Path

import click
import numpy as np
import pandas
import pyhmmer

from pfamnet.families import accession_key
from pfamnet.trainset.trainset import read_trainset

FOLDS = {"train": 0.8, "dev": 0.1, "test": 0.1}
COLUMNS = ["family_accession", "sequence_name", "sequence"]


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("trainsets", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--domains", type=click.Path(exists=True, dir_okay=False), help="of full-length proteins")
@click.option("--families", type=click.Path(exists=True, dir_okay=False), help="table of clans")
@click.option("--hmm", type=click.Path(exists=True, dir_okay=False), help="keep families with a profile here")
@click.option("--by", type=click.Choice(["row", "cluster"]), default="row", show_default=True)
@click.option("--top", default=1000, show_default=True, help="families, those with the most rows")
@click.option("--seed", default=42, show_default=True)
def main(out, trainsets, domains, families, hmm, by, top, seed):
    """Write the split OUT of the rows of TRAINSETS."""
    only = None
    if hmm:
        with pyhmmer.plan7.HMMFile(hmm) as profiles:
            only = {accession_key(profile.accession) for profile in profiles}
    holdout = FOLDS["test"] if by == "cluster" else 0
    trainset = read_trainset(trainsets, domains, families, holdout, seed, top, only, cut=True)
    for line in trainset.warnings:
        click.echo(line, err=True)
    folds = {"train": rows_of(trainset.train, trainset.families)}
    if by == "cluster":
        folds["test"] = rows_of(trainset.dev, trainset.families)
    else:
        table = folds["train"]
        drawn = np.random.default_rng(seed).choice(list(FOLDS), len(table), p=list(FOLDS.values()))
        folds = {fold: table[drawn == fold] for fold in FOLDS}
    for fold, table in folds.items():
        (out / fold).mkdir(parents=True)
        table.to_csv(out / fold / "data-00000-of-00001", index=False)
        click.echo(f"{fold}: {len(table)} rows")


def rows_of(fold, families) -> pandas.DataFrame:
    """The isolated domains of a fold, each sequence once."""
    table = pandas.DataFrame({"sequence_name": fold.names, "sequence": fold.sequences})
    table = table.iloc[fold.domains[:, 0]].assign(
        family_accession=[families[family].accession for family in fold.domains[:, 3]],
        family_id=[families[family].name for family in fold.domains[:, 3]],
        aligned_sequence="",
    )
    return table.drop_duplicates("sequence").sort_values(COLUMNS)


if __name__ == "__main__":
    main()
