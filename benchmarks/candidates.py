"""How many candidates does the network need, so that a fraction of the domains have their family among them?

One threshold holds for all proteins, as in a scan.  A domain is one that the table has: of the profiles, at
their gathering cutoffs.

    python benchmarks/candidates.py --model DIR --proteins FASTA --domains TABLE --first 2000 --out FILE
"""

import click
import numpy as np
from common import bin_names, by_bins, machine, markdown, percent, read_labels, read_model, save, share

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network.candidates import best_blocks

RECALLS = (0.96, 0.98, 0.99, 0.995, 0.998)
FIRST = (8, 64, 128, 512)
ROWS = (0, 1, 4, 11, 31, 101)


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--network", default="light", show_default=True)
@click.option("--first", default=2000, show_default=True, help="proteins of the file")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, domains, network, first, out):
    """Candidates on average for some recalls; recall among the first families of each protein."""
    model, about = open_model(model_path), read_model(model_path)
    labels, runtime, words = read_labels(model.families, domains), model.runtime(network), model.words()
    peaks, own, ranks, rows = [], [], [], []
    for record, _ in zip(read_fasta(proteins), range(first)):
        found = np.full(len(model.families), -np.inf, np.float32)
        matches = words.matches(record.sequence)
        families, values = best_blocks(runtime.blocks(record.sequence), matches=matches)
        found[families] = values
        peaks.append(found)
        for family in (family for *_, family in labels.get(record.name, ()) if family >= 0):
            own.append(found[family])
            ranks.append(int((found > found[family]).sum()))
            rows.append(model.families[family].rows)
    peaks, own = np.concatenate(peaks), np.sort(np.array(own))[::-1]
    threshold = {recall: own[int(np.ceil(recall * len(own))) - 1] for recall in RECALLS}
    default = model.networks[network].sensitivities["default"].threshold
    result = {
        "benchmark": "candidates",
        "machine": machine(1),
        "model": about.about,
        "families": len(model.families),
        "proteins": first,
        "domains": len(own),
        "candidates": {f"{recall:.1%}": mean(peaks, threshold[recall], first) for recall in RECALLS},
        "first": {n: share(int((np.array(ranks) < n).sum()), len(own)) for n in FIRST},
        "first_64_by_rows": by_bins(rows, np.array(ranks) < 64, ROWS),
        "default": mean(peaks, default, first) | share(int((own >= default).sum()), len(own)),
    }
    save(result | {"tables": tables(result)}, out)


def mean(peaks: np.ndarray, threshold: float, proteins: int) -> dict:
    return {"threshold": float(threshold), "mean": round(float((peaks >= threshold).sum()) / proteins, 1)}


def tables(result: dict) -> dict[str, str]:
    families = f"{result['families']:,}"
    found, first, rows = (result[key] for key in ("candidates", "first", "first_64_by_rows"))
    return {
        "candidates-for-recall": markdown(
            ["families", *found], [[families, *(row["mean"] for row in found.values())]], result
        ),
        "candidates-first": markdown(
            ["families", *(f"% among the first {n}" for n in first)],
            [[families, *map(percent, first.values())]],
        ),
        "candidates-by-rows": markdown(
            ["families", *bin_names(ROWS)],
            [[families, *(f"{percent(row, False)} of {row['of']}" for row in rows.values())]],
        ),
    }


if __name__ == "__main__":
    main()
