"""Whose domain is it? Top-pick error on a fold of the seed split.

The model is one that `pfamnet-build` made of the split's train fold. Each row of
the fold is a domain by itself, and each method names one family for it:

network     the mean of the block logits, the family with the largest
one pass    every profile by hmmsearch's defaults, E <= 10, best score
two passes  what had no hit goes once more without filters, Z = 1, E <= 1e6
both        largest  w * ln 2 * bits + log-probability of the network, bits of
            the two passes; w is fitted on dev and taken from there for test

    python benchmarks/classify.py --model DIR --data SPLIT --fold dev --out DEV.json
    python benchmarks/classify.py --model DIR --data SPLIT --fold test \\
        --weights DEV.json --out TEST.json
"""

import json
from pathlib import Path

import click
import numpy as np
from combine import combined_picks, fit_weight, log_probabilities
from common import Clock, by_bins, describe_model, machine, mcnemar, save, share
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.hmmer import hmmsearch
from tqdm import tqdm

from pfamnet.families import families_by_key, read_families
from pfamnet.model import open_model
from pfamnet.trainset_entries import FamilyBook
from pfamnet.trainset_readers import read_shard

ONE_PASS = {"E": 10.0, "domE": 10.0}
SECOND_PASS = {"E": 1e6, "domE": 1e6, "Z": 1, "bias_filter": False, "F1": 1.0, "F2": 1.0, "F3": 1.0}
ROWS = (1, 6, 11, 21, 51, 101, 201)  # train rows of a family
NONE = -1   # no family named
OTHER = -2  # a family that the model does not have


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--fold", default="dev", type=click.Choice(["dev", "test"]), show_default=True)
@click.option("--first", type=int, help="take the first N rows only")
@click.option("--families", type=click.Path(exists=True, dir_okay=False),
              help="table of clans, if the model has none")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False),
              help="JSON of the dev run, whose weights are taken")
@click.option("--device", default="cpu", show_default=True, help="of the esm network")
@click.option("--cpu", type=int, default=1, show_default=True, help="threads of hmmsearch")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, data, fold, first, families, weights, device, cpu, out):
    """Top-pick error of networks, profiles, and both."""
    if fold == "test" and not weights:
        raise click.UsageError("--fold test needs --weights, the JSON of the dev run")
    model = open_model(model_path)
    sequences, labels = read_fold(Path(data) / fold, model, first)
    scores, seconds = {}, {}
    for name in sorted(model.networks):
        with Clock() as clock:
            scores[name] = network_scores(model.runtime(name, device), sequences, name)
        seconds[name] = clock.seconds
    with Clock() as clock:
        one, bits = profile_bits(model, sequences, cpu)
    seconds["profiles"] = clock.seconds
    picks = {"one_pass": top_bits(one, len(labels)), "two_passes": top_bits(bits, len(labels))}
    fitted = json.loads(Path(weights).read_text())["weights"] if weights else {}
    for name, logits in scores.items():
        picks[name] = logits.argmax(1)
        log_p = log_probabilities(logits)
        if not weights:
            fitted[name] = fit_weight(log_p, bits, labels)
        picks[f"{name}_and_profiles"] = combined_picks(log_p, bits, fitted[name])
    clans = clan_names(model, families)
    rows = [model.families[label].rows if label >= 0 else 0 for label in labels]
    save({
        "benchmark": "classify",
        "machine": machine(cpu, ("pfamnet", "numpy", "pyhmmer", "onnxruntime", "torch")),
        "model": describe_model(model),
        "fold": fold,
        "sequences": len(labels),
        "of_families_not_in_the_model": int((labels == OTHER).sum()),
        "without_hit_in_one_pass": int((picks["one_pass"] == NONE).sum()),
        "without_hit_in_two_passes": int((picks["two_passes"] == NONE).sum()),
        "weights": fitted,
        "weights_fitted_here": not weights,
        "clans_known": sum(clan != family.key for clan, family in zip(clans, model.families)),
        "errors": {name: errors(picked, labels, clans, rows) for name, picked in picks.items()},
        "mcnemar": {name: against(picks[name], picks["two_passes"], labels)
                    for name in picks if name != "two_passes"},
        "seconds": seconds,
    }, out)


def read_fold(folder, model, first):
    """The rows of a fold: their sequences, and (n,) families in the model or OTHER."""
    index, sequences, labels = families_by_key(model.families), [], []
    for shard in sorted(folder.glob("data-*")):
        for entry in read_shard(shard, folder.name, FamilyBook()):
            sequences.append(entry.sequence)
            labels.append(index.get(entry.labels[0][2], (OTHER,))[0])
    if not labels:
        raise click.UsageError(f"{folder.name}: no rows")
    return sequences[:first], np.array(labels[:first])


def network_scores(runtime, sequences, name):
    """Mean block logits of the families, class 0 left out: (n, F)."""
    return np.stack([runtime.logits(sequence).mean(0)[1:] for sequence in tqdm(sequences, name, disable=None)])


def profile_bits(model, sequences, cpu):
    """Bits of each profile's hits: {sequence: {family: bits}}, after one pass and after two."""
    profiles = [model.store.optimized(i) for i in range(len(model.families))]
    alphabet = Alphabet.amino()
    queries = [TextSequence(name=str(i), sequence=sequence).digitize(alphabet)
               for i, sequence in enumerate(sequences)]
    one = search(profiles, queries, cpu, ONE_PASS, "one pass")
    missed = [query for i, query in enumerate(queries) if i not in one]
    return one, one | search(profiles, missed, cpu, SECOND_PASS, "second pass")


def search(profiles, queries, cpu, settings, name):
    if not queries:
        return {}
    bits = {}
    block = DigitalSequenceBlock(Alphabet.amino(), queries)
    results = hmmsearch(profiles, block, cpus=cpu, **settings)
    for family, top in enumerate(tqdm(results, name, len(profiles), disable=None)):
        for hit in top:
            if hit.reported:
                bits.setdefault(int(hit.name), {})[family] = hit.score
    return bits


def top_bits(bits, count):
    """The family with the best score for each of `count` sequences, or NONE."""
    return np.array([max(bits[i], key=lambda family: (bits[i][family], -family)) if i in bits else NONE
                     for i in range(count)])


def clan_names(model, path):
    """The clan of each family; a family without one is a clan of its own."""
    given = families_by_key(read_families(path)) if path else {}
    return [family.clan or (given[family.key][1].clan if family.key in given else "") or family.key
            for family in model.families]


def errors(picked, labels, clans, rows):
    """All that is said of one method's picks."""
    wrong = picked != labels
    clan = [w and not (p >= 0 and label >= 0 and clans[p] == clans[label])
            for w, p, label in zip(wrong.tolist(), picked.tolist(), labels.tolist())]
    known = [label for label in np.unique(labels) if label >= 0]
    return {
        "family": share(int(wrong.sum()), len(labels)),
        "family_or_clan": share(sum(clan), len(labels)),
        "nothing_named": int((picked == NONE).sum()),
        "mean_of_families_percent":
            round(100 * float(np.mean([wrong[labels == label].mean() for label in known])), 3),
        "by_rows": by_bins(rows, wrong, ROWS),
    }


def against(picked, other, labels):
    """McNemar's test of one method against another on the same rows."""
    right, others = picked == labels, other == labels
    ours, theirs = int((right & ~others).sum()), int((~right & others).sum())
    return {"only_this_right": ours, "only_two_passes_right": theirs, "p": mcnemar(ours, theirs)}


if __name__ == "__main__":
    main()
