"""How should candidates be chosen? Candidates a protein needs, by rule and recall.

For each rule a family has one figure on a protein; with a threshold on that figure,
a share of the domains (those of the table, at GA) have their family among the
candidates. The fewer candidates a protein needs for that on average, the better.

    python benchmarks/candidates.py --model DIR --proteins FASTA --domains TABLE --out FILE
"""

from itertools import islice

import click
import numpy as np
from common import describe_model, machine, save

from pfamnet.families import accession_key
from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network.candidates import spans
from pfamnet.trainset.domains import read_domains

RECALLS = (0.96, 0.98, 0.99, 0.995, 0.998)
MOST = 2000  # of a protein's figures that are kept


def log_sum(odds):
    """log(1 + sum of odds) of each block: minus the log-probability of no family."""
    highest = odds.max(1, initial=0, keepdims=True)
    return highest + np.log(np.exp(odds - highest).sum(1, keepdims=True) + np.exp(-highest))


def mean_rule(odds):
    return (odds - log_sum(odds) / 2).max(0)


def two_best(odds):
    best = np.sort(odds - log_sum(odds) / 2, 0)[::-1]
    return best[0] + 0.3 * best[min(1, len(best) - 1)]


def places(odds):
    """Minus the place of each family on the protein, by span."""
    return -np.argsort(np.argsort(-mean_rule(odds))) / spans(len(odds))


# rule -> figures (F,) from log-odds (blocks, F), what is common for each family (F,), and its train rows (F,)
RULES = {
    "log-odds against no family, best block": lambda odds, common, rows: odds.max(0),
    "log-probability, best block": lambda odds, common, rows: (odds - log_sum(odds)).max(0),
    "mean of the two (in use)": lambda odds, common, rows: mean_rule(odds),
    "mean, best block and 0.3 of the second": lambda odds, common, rows: two_best(odds),
    "mean, less half of what is (still) common for the family": lambda odds, common, rows: (
        odds - log_sum(odds) / 2 - common / 2
    ).max(0),
    "mean, an equal number for each 1,024 residues of any protein": lambda odds, common, rows: places(odds),
    "mean, more likely by rows ** 0.4": lambda odds, common, rows: mean_rule(odds) + 0.4 * np.log(rows + 1),
    "mean, families of less than four rows always": lambda odds, common, rows: np.where(
        rows < 4, np.inf, mean_rule(odds)
    ),
}


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", default=1500, show_default=True, help="take the first N proteins")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, domains, first, out):
    """Compare rules on proteins with known domains."""
    model = open_model(model_path)
    runtime, records = model.runtime("light"), list(islice(read_fasta(proteins), first))
    wanted = families_of(model, records, domains)
    logits = [runtime.logits(record.sequence) for record in records]
    odds = [row[:, 1:] - row[:, :1] for row in logits]
    # the log-odds that a family exceeds in one block of a hundred
    common = np.quantile(np.concatenate(odds[:300]), 0.99, axis=0)
    rows = np.array([family.rows for family in model.families])
    save(
        {
            "benchmark": "candidates",
            "machine": machine(1),
            "model": describe_model(model),
            "proteins": len(records),
            "pairs": sum(map(len, wanted)),
            "candidates_a_protein": {
                name: needed(rule, odds, common, rows, wanted) for name, rule in RULES.items()
            },
        },
        out,
    )


def families_of(model, records, domains):
    """The families of each protein, by the table."""
    places = {family.key: place for place, family in enumerate(model.families)}
    table = read_domains(domains)
    keys = [
        {accession_key(accession) for _, _, accession, *_ in table.domains.get(record.name, ())}
        for record in records
    ]
    return [{places[key] for key in row if key in places} for row in keys]


def needed(rule, odds, common, train_rows, wanted):
    right, kept = [], []
    for row, families in zip(odds, wanted):
        figures = rule(row, common, train_rows)
        right += [figures[family] for family in families]
        kept.append(np.sort(figures)[::-1][:MOST])
    right, kept = np.sort(right)[::-1], np.concatenate(kept)
    return {
        str(recall): round(float((kept >= right[int(np.ceil(recall * len(right))) - 1]).sum()) / len(odds), 1)
        for recall in RECALLS
    }


if __name__ == "__main__":
    main()
