"""Which words of profiles find a protein's families, and what does that take?

The variants differ in the constants of `pfamnet.profiles.words`. Candidates are chosen as in a scan, by the
light network and words together, with one threshold for all proteins; "words alone" ranks families without
the network. The first --skip proteins are left for measurements of the product.

    python benchmarks/words.py --model DIR --proteins FASTA --domains TABLE --out FILE
"""

import time
from itertools import islice
from unittest.mock import patch

import click
import numpy as np
from common import machine, markdown, read_labels, read_model, save

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network.candidates import best_blocks
from pfamnet.profiles import words

RECALLS, FIRST = (0.98, 0.99, 0.995, 0.998), (64, 256)
FEW = 10  # training rows of a family at most
VARIANTS = {
    "in use": {},
    "no words": None,
    "two residues between the pairs": {"PATTERN": (0, 1, 4, 5)},
    "four residues side by side": {"PATTERN": (0, 1, 2, 3)},
    "12 likely residues of a state": {"letters": 12},
    "6 likely residues of a state": {"letters": 6},
    "4 likely residues of a state": {"letters": 4},
    "256 columns": {"COLUMNS": 256},
    "1,024 columns": {"COLUMNS": 1024},
    "4,096 columns": {"COLUMNS": 4096},
    "words of 9 bits": {"bits": 9.0},
    "words of 8 bits": {"bits": 8.0},
    "words of 7.5 bits": {"bits": 7.5},
    "words of 7.5 bits, 4 likely residues": {"bits": 7.5, "letters": 4},
    "words of 6.5 bits, 4 likely residues": {"bits": 6.5, "letters": 4},
}


@click.command()
@click.option("--model", "path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--skip", default=2000, show_default=True, help="proteins at the beginning of the file")
@click.option("--count", default=6000, show_default=True, help="proteins after these")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(path, proteins, domains, skip, count, out):
    """Candidates on average for some recalls, and the time of words, by variant."""
    model = open_model(path)
    labels = read_labels(model.families, domains)
    records = [r for r in islice(read_fasta(proteins), skip, skip + count) if r.sequence]
    some = ((n, label[2]) for n, record in enumerate(records) for label in labels.get(record.name, ()))
    own = np.array([pair for pair in some if pair[1] >= 0]).T
    runtime, hmms = model.runtime("light"), list(map(model.store.hmm, range(len(model.families))))
    peaks = np.array([best_blocks(runtime.blocks(record.sequence))[1] for record in records], np.float16)
    few = np.array([0 < model.families[family].rows <= FEW for family in own[1]])
    usual = model.networks["light"].sensitivities["default"].threshold
    given = hmms, records, peaks, own, few, usual
    rows = {name: measured(*given, change) for name, change in VARIANTS.items()}
    header = ["variant", "million words", "index, s", "ms a protein", *(f"{r:.1%}" for r in RECALLS)]
    header += ["pass the threshold", "% found", f"% found of families of 1 to {FEW} rows"]
    header += [f"words alone: % among the first {n}" for n in FIRST]
    result = {
        "benchmark": "words",
        "machine": machine(1),
        "model": read_model(path).about,
        "proteins": len(records),
        "domains": own.shape[1],
        "variants": rows,
    }
    body = [[name, *("–" if x is None else x for x in row.values())] for name, row in rows.items()]
    save(result | {"tables": {"words": markdown(header, body, result)}}, out)


def measured(
    hmms: list,
    records: list,
    peaks: np.ndarray,
    own: np.ndarray,
    few: np.ndarray,
    usual: float,
    change: dict | None,
) -> dict:
    """One row of the table.

    Arguments:
        peaks: (proteins, families) of the network.
        own: (2, n), the protein and the family of each domain; `few` (n,) whether the family has few rows.
        usual: the threshold of a default scan.
    """
    alone = np.full(peaks.shape, -np.inf, np.float16)
    million = index = each = None
    if change is not None:
        constants = {name: value for name, value in change.items() if name.isupper()}
        rule = {name: value for name, value in change.items() if not name.isupper()}
        constants["WIDTH"] = constants.get("PATTERN", words.PATTERN)[-1] + 1
        with patch.multiple(words, **constants):
            columns, begun = words.columns_of(hmms), time.process_time()
            made = words.Words(**columns, lengths=[hmm.M for hmm in hmms], **rule)
            million, index = round(len(made.places) / 1e6, 1), round(time.process_time() - begun, 2)
            begun = time.process_time()
            for row, record in zip(alone, records):
                families, nats = made.matches(record.sequence)
                row[families] = nats
            each = round(1000 * (time.process_time() - begun) / len(records), 2)
    together = peaks + np.maximum(alone, 0).astype(np.float32)
    values = np.sort(together[*own])[::-1]
    means = [(together >= values[int(np.ceil(r * len(values))) - 1]).sum() / len(records) for r in RECALLS]
    found = alone[*own]
    ranks = np.array([(alone[n] > value).sum() for n, value in zip(own[0], found)])
    row = {"million_words": million, "index_s": index, "ms": each}
    row |= {f"{r:.1%}": round(float(mean), 1) for r, mean in zip(RECALLS, means)}
    passing = together >= usual
    row["passing"] = round(float(passing.sum(1).mean()), 1)
    for name, some in (("found", passing[*own]), ("found_few", passing[*own][few])):
        row[name] = round(100 * float(some.mean()), 2) if some.size else None
    first = {n: round(100 * float(((ranks < n) & np.isfinite(found)).mean()), 2) for n in FIRST}
    return row | {str(n): first[n] if change is not None else None for n in FIRST}


if __name__ == "__main__":
    main()
