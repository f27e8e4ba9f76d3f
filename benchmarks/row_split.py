"""Isolated domains of any train sets, split by row: the layout of the Pfam seed split, for accuracy.py.

The rows of every fold are put together, those of the families with the most rows are kept, and each row is
drawn into train (80 %), dev (10 %) or test by the seed.  Relatives of a row may be in another fold; the same
residues are not.

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


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("trainsets", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--domains", type=click.Path(exists=True, dir_okay=False), help="of full-length proteins")
@click.option("--families", type=click.Path(exists=True, dir_okay=False), help="table of clans")
@click.option("--hmm", type=click.Path(exists=True, dir_okay=False), help="keep families with a profile here")
@click.option("--top", default=1000, show_default=True, help="families, those with the most rows")
@click.option("--seed", default=42, show_default=True)
def main(out, trainsets, domains, families, hmm, top, seed):
    """Write the split OUT of the rows of TRAINSETS."""
    only = None
    if hmm:
        with pyhmmer.plan7.HMMFile(hmm) as profiles:
            only = {accession_key(profile.accession) for profile in profiles}
    trainset = read_trainset(trainsets, domains, families, holdout=0, top=top, only=only, cut=True)
    for line in trainset.warnings:
        click.echo(line, err=True)
    rows = trainset.train
    table = pandas.DataFrame({"sequence_name": rows.names, "sequence": rows.sequences})
    table = table.iloc[rows.domains[:, 0]].assign(
        family_accession=[trainset.families[family].accession for family in rows.domains[:, 3]],
        family_id=[trainset.families[family].name for family in rows.domains[:, 3]],
        aligned_sequence="",
    )
    table = table.drop_duplicates("sequence").sort_values(["family_accession", "sequence_name", "sequence"])
    folds = np.random.default_rng(seed).choice(list(FOLDS), len(table), p=list(FOLDS.values()))
    for fold in FOLDS:
        (out / fold).mkdir(parents=True)
        table[folds == fold].to_csv(out / fold / "data-00000-of-00001", index=False)
        click.echo(f"{fold}: {(folds == fold).sum()} rows")


if __name__ == "__main__":
    main()
