"""Which aligner makes the better profiles? Top-pick error on a seed split.

Builds one profile per family from the train fold with each aligner, searches the
sequences of another fold with all of them, and counts the sequences whose best
profile (lowest E-value) is of another family, or that no profile hits:

one pass    hmmsearch's defaults, E <= 10
two passes  what had no hit goes once more without the filters, Z = 1, E <= 1e6

    python benchmarks/profiles.py --data DIR --aligner hmmalign --aligner famsa --out FILE

The aligned rows that some families of the split have are not used: the comparison
is between the aligners. All of it runs on one core.
"""

import dataclasses
from pathlib import Path

import click
from common import Clock, machine, save, share
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import Pipeline
from tqdm import tqdm

from pfamnet.build.hmms import ALIGNERS, build_profiles
from pfamnet.trainset.entries import FamilyBook
from pfamnet.trainset.readers import read_shard
from pfamnet.trainset.trainset import read_trainset

FIRST_PASS = {"E": 10.0, "domE": 10.0}
SECOND_PASS = {"E": 1e6, "domE": 1e6, "Z": 1, "bias_filter": False, "F1": 1.0, "F2": 1.0, "F3": 1.0}


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--fold", default="dev", type=click.Choice(["dev", "test"]), show_default=True)
@click.option("--aligner", "aligners", multiple=True, default=ALIGNERS, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(data, fold, aligners, out):
    """Top-pick error of profiles built with each aligner."""
    trainset = dataclasses.replace(read_trainset([data]), alignments={})
    queries, labels = read_fold(Path(data) / fold, trainset)
    if not labels:
        raise click.ClickException(f"{data}: no shards in its {fold} fold")
    result = {
        "benchmark": "profiles",
        "machine": machine(1, ("pfamnet", "numpy", "pyhmmer", "pyfamsa")),
        "fold": fold,
        "families": len(trainset.families),
        "train_sequences": len(trainset.train.domains),
        "sequences": len(labels),
        "aligners": {},
    }
    for aligner in aligners:
        result["aligners"][aligner] = measure(trainset, queries, labels, aligner)
    save(result, out)


def read_fold(folder, trainset):
    """Return the fold's sequences as a digital block and their family indices."""
    index = {family.key: i for i, family in enumerate(trainset.families)}
    alphabet, sequences, labels = Alphabet.amino(), [], []
    for shard in sorted(folder.glob("data-*")):
        for entry in read_shard(shard, folder.name, FamilyBook()):
            text = TextSequence(name=str(len(labels)), sequence=entry.sequence)
            sequences.append(text.digitize(alphabet))
            labels.append(index.get(entry.labels[0][2], -1))
    return DigitalSequenceBlock(alphabet, sequences), labels


def measure(trainset, queries, labels, aligner):
    """Build with one aligner, search in one and two passes, and count."""
    with Clock() as clock, tqdm(total=len(trainset.families), desc=f"{aligner}: build") as bar:
        hmms = build_profiles(trainset, aligner, done=lambda *_: bar.update())
    picks = top_picks(hmms, queries, FIRST_PASS)
    missed = DigitalSequenceBlock(queries.alphabet, [q for q in queries if q.name not in picks])
    two = {**picks, **(top_picks(hmms, missed, SECOND_PASS) if len(missed) else {})}
    return {
        **{f"build_{name}": seconds for name, seconds in clock.seconds.items()},
        "match_states": sum(hmm.M for hmm in hmms),
        "without_hit": len(missed),
        "one_pass": errors(picks, labels),
        "two_passes": errors(two, labels),
    }


def top_picks(hmms, queries, settings):
    """Return {sequence name: index of the profile with the lowest E-value}."""
    best = {}
    for index, hmm in enumerate(tqdm(hmms, desc="search")):
        hits = Pipeline(queries.alphabet, **settings).search_hmm(hmm, queries)
        # The others passed while few sequences had been seen, and so E was small.
        for hit in hits.reported:
            rank = (hit.evalue, -hit.score, index)
            best[hit.name] = min(best.get(hit.name, rank), rank)
    return {name: index for name, (_, _, index) in best.items()}


def errors(picks, labels):
    """How many of the sequences got another family's profile, or none."""
    wrong = sum(picks.get(str(number)) != label for number, label in enumerate(labels))
    return share(wrong, len(labels))


if __name__ == "__main__":
    main()
