"""Gathering thresholds of our own making: what they find and what they call wrongly.

Profiles were built of a split's train fold and have no GA.  On dev, several rules are
compared: thresholds are made of one half of the dev rows and judged by the other half, and
by rows of other families and decoys that no threshold was made with.  The thresholds of the
default rule, made of all dev rows, are kept; on test these are judged once.

    python benchmarks/gathering.py --hmm PROFILES --data SPLIT --families FAMILIES --out DEV.json
    python benchmarks/gathering.py --hmm PROFILES --data SPLIT --families FAMILIES \\
        --fold test --thresholds DEV.json --out TEST.json

Calls are those of hmmsearch with its default filters: score at or above the threshold, of
the sequence and of its best domain; or E-value at most 0.01, Z = number of families.
Rows of the same clan count neither way.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
from common import Clock, machine, save, share
from tqdm import tqdm

from pfamnet.build.gathering import FILTERED, Evidence, Material, Rule, bits, score_at, to_block
from pfamnet.families import accession_key
from pfamnet.profiles.files import read_hmms
from pfamnet.trainset.entries import FamilyBook
from pfamnet.trainset.readers import read_shard
from pfamnet.trainset.trainset import Fold, read_trainset

RULES = {
    "E 1": Rule(e_value=1.0, p_value=1.0),
    "E 0.1": Rule(e_value=0.1, p_value=1.0),
    "E 0.01": Rule(e_value=0.01, p_value=1.0),
    "E 0.01, P 1e-5": Rule(e_value=0.01, p_value=1e-5),
    "E 0.001, P 1e-5": Rule(e_value=0.001),
    "E 0.0001, P 1e-5": Rule(e_value=0.0001),
    "E 0.00001, P 1e-5": Rule(e_value=0.00001),
}
RULES |= {
    f"{name}, margin {margin}": replace(rule, margin=margin)
    for name, rule in RULES.items()
    for margin in (0.0, 5.0)
    if rule.e_value in (0.01, 0.001) and rule.p_value < 1
}
FRESH = 100_000  # residues of other families, and of each kind of decoys, on dev
SEED = 42
KINDS = ("found", "others", "reversed", "shuffled")


class Count:
    """Calls among so many, of each kind."""

    def __init__(self):
        self.calls, self.of = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)

    def add(self, kind, called):
        self.calls[kind] += int(called.sum())
        self.of[kind] += len(called)

    def as_dict(self):
        return {kind: share(self.calls[kind], self.of[kind]) for kind in KINDS}


@click.command()
@click.option(
    "--hmm", required=True, type=click.Path(exists=True, dir_okay=False), help="profiles of the train fold"
)
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False), help="the split")
@click.option("--families", type=click.Path(exists=True, dir_okay=False), help="table with clans")
@click.option("--fold", default="dev", type=click.Choice(["dev", "test"]), show_default=True)
@click.option("--thresholds", type=click.Path(exists=True, dir_okay=False), help="JSON of the dev run")
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="look at every n-th family only"
)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(hmm, data, families, fold, thresholds, every, out):
    """Sensitivity and false calls at GA, beside E <= 0.01."""
    if (fold == "test") != bool(thresholds):
        raise click.UsageError("--fold test needs --thresholds, the JSON of the dev run, and dev takes none")
    trainset = read_trainset([data], families=families)
    profiles = {accession_key(profile.accession): profile for profile in read_hmms(hmm)}
    hmms = {
        index: profiles[family.key] for index, family in enumerate(trainset.families) if index % every == 0
    }
    with Clock() as clock:
        if fold == "dev":
            result = on_dev(trainset, hmms)
        else:
            result = on_test(
                trainset, hmms, Path(data), json.loads(Path(thresholds).read_text())["thresholds"]
            )
    save(
        {
            "benchmark": "gathering",
            "fold": fold,
            "machine": machine(1, ("pfamnet", "numpy", "pyhmmer")),
            "families": len(trainset.families),
            "looked_at": len(hmms),
            "seconds": clock.seconds,
            **result,
        },
        out,
    )


def on_dev(trainset, hmms):
    """All rules by halves, and the thresholds of the default one from all rows."""
    material, fresh = Material(trainset, SEED), Material(trainset, SEED + 1, FRESH)
    families = len(trainset.families)
    counts, made, used = (
        {name: Count() for name in (*RULES, "E <= 0.01")},
        {},
        {"dev": 0, "train": 0, "neither": 0},
    )
    for index, hmm in tqdm(hmms.items(), disable=None):
        evidence, strangers = material.evidence(index, hmm), Strangers(fresh, index, hmm)
        calls = bits(
            hmm, to_block([piece.sequence for piece in material.dev[index]][: len(evidence.known)]), FILTERED
        )
        statistics = hmm.evalue_parameters
        made[trainset.families[index].key] = Rule().gathering(evidence, statistics, families)
        used["dev" if len(evidence.known) >= 5 else "train" if len(evidence.train) else "neither"] += 1
        for name, rule in RULES.items():
            for half in (0, 1):
                part = Evidence(evidence.known[half::2], evidence.train, evidence.others)
                pair = rule.gathering(part, statistics, families)
                counts[name].add("found", (calls[1 - half :: 2] >= pair).all(1))
                strangers.count(counts[name], pair)
        least = score_at(statistics, 0.01 / families)
        counts["E <= 0.01"].add("found", calls[:, 0] >= least)
        strangers.count(counts["E <= 0.01"], (least, -np.inf))
    return {
        "rule": asdict(Rule()),
        "families_with_five_dev_rows": used["dev"],
        "families_with_train_rows_beside": used["train"],
        "rules": {name: count.as_dict() for name, count in counts.items()},
        "thresholds": made,
    }


class Strangers:
    """Scores of one profile on rows of other families and on decoys."""

    def __init__(self, material, index, hmm):
        scores, number = bits(hmm, material.others, FILTERED), len(material.chosen)
        self.parts = {
            "others": scores[:number][material.strange(index)[:number]],
            "reversed": scores[number : 2 * number],
            "shuffled": scores[2 * number :],
        }

    def count(self, count, pair):
        for kind, scores in self.parts.items():
            count.add(kind, (scores >= pair).all(1))


def on_test(trainset, hmms, data, thresholds):
    """The thresholds made on dev, and E <= 0.01, on the test rows and their decoys."""
    test = read_test(data, trainset.families)
    material = Material(replace(trainset, train=test, dev=None), SEED, residues=10**9)
    families = len(trainset.families)
    counts = {"GA": Count(), "E <= 0.01": Count()}
    for index, hmm in tqdm(hmms.items(), disable=None):
        family = trainset.families[index]
        calls = bits(hmm, to_block([piece.sequence for piece in material.train[index]]), FILTERED)
        strangers = Strangers(material, index, hmm)
        least = score_at(hmm.evalue_parameters, 0.01 / families)
        for name, pair in (("GA", thresholds[family.key]), ("E <= 0.01", (least, -np.inf))):
            counts[name].add("found", (calls >= pair).all(1))
            strangers.count(counts[name], pair)
    return {"rows": len(test.sequences), "rules": {name: count.as_dict() for name, count in counts.items()}}


def read_test(data, families):
    """The test rows of the families as a fold."""
    index, entries = {family.key: i for i, family in enumerate(families)}, []
    for shard in sorted((data / "test").glob("data-*")):
        entries += [entry for entry in read_shard(shard, "test", FamilyBook()) if entry.labels[0][2] in index]
    domains = [(i, 0, len(entry.sequence), index[entry.labels[0][2]]) for i, entry in enumerate(entries)]
    return Fold(
        [entry.sequence for entry in entries],
        [entry.name for entry in entries],
        np.array(domains, np.int32),
        np.zeros(len(entries), bool),
    )


if __name__ == "__main__":
    main()
