"""How right pfamnet is on the Pfam seed split, beside HMMER: every table and figure of it.

Each --split is a name, a model that `pfamnet-build` made of the split's train fold, and the
split's directory (random, clustered, or one of reduced_split.py). What can be chosen (weights
of the combined score, share of the network's P-value) is chosen on dev; test is looked at once.

    python benchmarks/accuracy.py --families FAMILIES --base ENCODER --work DIR \\
        --split random MODEL DIR --split clustered MODEL DIR --split reduced MODEL DIR

Methods:

esm, light      the networks alone: largest mean of the block logits; sure by their P-value
one pass        every profile, hmmsearch's default filters, E <= 10
two passes      what had no hit goes once more without filters, Z = 1, E <= 1e6
both            w * ln 2 * bits + log-probability of the ESM network, bits from the profiles of
                its first candidates alone, without filters; sure by both P-values
both, all       the same with the bits of the two passes over every profile
light and ...   the same with the light network
phmmer          against the train rows (some queries only, see `of`)
neighbour       cosine of mean residue vectors, some train rows of each family: the encoder as
                it was (frozen) and as it was fine-tuned
words           most frequent words of four residues: the floor
"""

import json
from pathlib import Path

import accuracy_measures as measures
import click
import numpy as np
from accuracy_methods import (
    NONE,
    Answer,
    Embedder,
    Kept,
    Words,
    by_both,
    by_neighbour,
    by_network,
    by_phmmer,
    by_profiles,
    candidates_pass,
    combined,
    network_view,
    one_pass,
    second_pass,
)
from common import Clock, describe_model, machine, save, share

from pfamnet.families import families_by_key, read_families
from pfamnet.model.combination import log_probabilities
from pfamnet.model.directory import open_model
from pfamnet.profiles.store import optimize
from pfamnet.training.distillation import some_of_each
from pfamnet.trainset.entries import FamilyBook
from pfamnet.trainset.readers import read_shard

RESULTS = Path(__file__).resolve().parent / "results"
WEIGHTS = np.concatenate([[0.0], np.geomspace(0.01, 10, 31)])  # of the bits, in nats
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)  # of the network's ln P
CANDIDATES = 64
DEV_DECOYS = 250  # of each kind, to choose by
KINDS = ("shuffled", "reversed")


@click.command()
@click.option("--split", "splits", nargs=3, multiple=True, required=True, metavar="NAME MODEL DIR")
@click.option(
    "--families", required=True, type=click.Path(exists=True, dir_okay=False), help="table with clans"
)
@click.option(
    "--base", type=click.Path(exists=True, file_okay=False), help="the encoder as it was, for neighbours"
)
@click.option(
    "--work", required=True, type=click.Path(file_okay=False), help="where what was worked out is kept"
)
@click.option("--dev-rows", default=1200, show_default=True, help="dev rows to choose by")
@click.option("--decoys", default=1000, show_default=True, help="decoys of each kind")
@click.option(
    "--neighbours",
    default=5,
    show_default=True,
    help="train rows of each family that neighbours are sought among",
)
@click.option("--phmmer-rows", default=200, show_default=True, help="test rows that go to phmmer")
@click.option("--first", type=int, help="take the first N test rows only, to try it out")
@click.option("--cpu", default=1, show_default=True, help="threads of hmmsearch")
@click.option("--out", default=RESULTS, type=click.Path(file_okay=False), help="for accuracy.NAME.json")
def main(splits, families, base, work, dev_rows, decoys, neighbours, phmmer_rows, first, cpu, out):
    """Errors, calls on decoys and E-values of networks, profiles and both."""
    for name, model, data in splits:
        with Clock() as clock:
            bench = Bench(open_model(model), Path(data), families, Path(work) / name, cpu)
            result = bench.run(base, dev_rows, decoys, neighbours, phmmer_rows, first)
        save(
            {
                "benchmark": "accuracy",
                "split": name,
                "machine": machine(cpu, ("pfamnet", "numpy", "pyhmmer", "onnxruntime", "torch")),
                "model": describe_model(bench.model),
                "training": training_log(model),
                **result,
                "seconds": clock.seconds,
            },
            str(Path(out) / f"accuracy.{name}.json"),
        )


class Rows:
    """Sequences of a fold, and their families in the model (n,)."""

    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, np.array(labels, int)

    def some(self, count, seed=0):
        if count is None or count >= len(self.sequences):
            return self
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.sequences))[:count])
        return Rows([self.sequences[i] for i in chosen], self.labels[chosen])


class Bench:
    """One split: its model, its rows, and what was worked out of them."""

    def __init__(self, model, data, families, work, cpu):
        self.model, self.data, self.cpu = model, data, cpu
        self.kept = Kept(work / describe_model(model)["digest"])
        self.clans = clan_names(model, families)
        self.count = len(model.families)
        self.profiles = [optimize(model.store.hmm(i)) for i in range(self.count)]
        self.runtimes = {name: model.runtime(name, "cpu") for name in sorted(model.networks)}
        self.train = self.read("train")
        self.words = Words(self.train.sequences, self.train.labels)

    def read(self, fold, known=True):
        """A fold's rows; those of families that the model does not have are left out, or alone left."""
        index, rows = families_by_key(self.model.families), []
        for shard in sorted((self.data / fold).glob("data-*")):
            for entry in read_shard(shard, fold, FamilyBook()):
                label = index.get(entry.labels[0][2], (-2,))[0]
                if (label >= 0) == known:
                    rows.append((entry.sequence, label))
        return Rows(*zip(*rows)) if rows else Rows([], [])

    def run(self, base, dev_rows, decoys, neighbours, phmmer_rows, first):
        dev = self.read("dev").some(dev_rows)
        choices = self.choose(dev, self.decoys(dev, DEV_DECOYS))
        test = self.read("test").some(first)
        answers = self.answers("test", test, choices)
        decoys = self.decoys(test, decoys)
        fakes = {
            kind: self.answers(f"test.{kind}", Rows(rows, np.full(len(rows), NONE)), choices)
            for kind, rows in decoys.items()
        }
        for name, (answer, on_decoys) in self.neighbours(base, neighbours, test, decoys).items():
            answers[name] = answer
            for kind, answer in on_decoys.items():
                fakes[kind][name] = answer
        result = self.report(test, answers, fakes) | {"choices": choices, "dev_rows": len(dev.labels)}
        result["phmmer"] = self.phmmer(test, phmmer_rows, answers)
        result["evalues"] = self.evalues(fakes)
        if (self.data / "reduced.json").exists():
            result |= self.reduced(test, answers, choices)
        return result

    # -- what is worked out once

    def decoys(self, rows, count):
        """Decoys of each kind made of a fold's rows: their sequences."""
        rng, parts = np.random.default_rng(7), {}
        for kind in KINDS:
            chosen = rng.permutation(len(rows.sequences))[:count]
            parts[kind] = [
                rows.sequences[i][::-1]
                if kind == "reversed"
                else "".join(rng.permutation(list(rows.sequences[i])))
                for i in chosen
            ]
        return parts

    def views(self, name, sequences):
        return {
            network: self.kept(
                f"{name}.{network}",
                lambda: network_view(runtime, self.model.networks[network], sequences, f"{name} {network}"),
            )
            for network, runtime in self.runtimes.items()
        }

    def found(self, name, sequences, views):
        """What profiles find: in one pass, in two, and those of each network's candidates."""
        one = self.kept(f"{name}.one", lambda: one_pass(self.profiles, sequences, self.cpu))
        two = self.kept(f"{name}.two", lambda: second_pass(self.profiles, sequences, one, self.cpu))
        return {"one": one, "two": two} | {
            network: self.kept(
                f"{name}.{network}.candidates",
                lambda: candidates_pass(self.profiles, sequences, view["log_p"], CANDIDATES, self.cpu),
            )
            for network, view in views.items()
        }

    def choose(self, dev, decoys):
        """Weights and shares of the combined scores, fitted on dev."""
        views = self.views("dev", dev.sequences)
        found = self.found("dev", dev.sequences, views)
        choices = {}
        for network, view in views.items():
            for name, bits in (
                (f"{network} and candidates", found[network]),
                (f"{network} and all", found["two"]),
            ):
                weight = fit_weight(view, bits, dev.labels)
                fakes = [
                    (
                        self.views(f"dev.{kind}", rows),
                        self.found(f"dev.{kind}", rows, self.views(f"dev.{kind}", rows)),
                    )
                    for kind, rows in decoys.items()
                ]
                choices[name] = {
                    "weight": weight,
                    "share": fit_share(
                        view,
                        bits,
                        weight,
                        dev.labels,
                        [
                            (seen[network], there[network] if "candidates" in name else there["two"])
                            for seen, there in fakes
                        ],
                    ),
                }
        return choices

    def answers(self, name, rows, choices):
        """Each method's answers but those of single sequences."""
        views = self.views(name, rows.sequences)
        found = self.found(name, rows.sequences, views)
        count = len(rows.sequences)
        answers = {network: by_network(view) for network, view in views.items()}
        answers["one pass"] = by_profiles(found["one"], count, self.count)
        answers["two passes"] = by_profiles(found["two"], count, self.count)
        for network, view in views.items():
            for kind, bits in (("candidates", found[network]), ("all", found["two"])):
                choice = choices[f"{network} and {kind}"]
                answers[f"{network} and {kind}"] = by_both(view, bits, choice["weight"], choice["share"])
        return answers | {"words": self.words(rows.sequences)}

    def neighbours(self, base, most, test, decoys):
        """{method: (answer on test, {kind of decoys: answer})}."""
        chosen = some_of_each(self.train.labels, most)
        near_rows, labels = [self.train.sequences[i] for i in chosen], self.train.labels[chosen]
        encoders, answers = {}, {}
        if "esm" in self.runtimes:
            encoders["neighbour, fine-tuned"] = self.runtimes["esm"].network.encoder
        if base:
            from pfamnet.network.esm_files import load_encoder

            encoders["neighbour, frozen"] = load_encoder(base)
        for name, encoder in encoders.items():

            def vectors(fold, sequences, name=name, encoder=encoder):
                return self.kept(f"{fold}.{name}", lambda: Embedder(encoder)(sequences, f"{fold} {name}"))[
                    "vectors"
                ]

            near = vectors("train", near_rows)
            kinds = (
                {
                    kind: by_neighbour(vectors(f"test.{kind}", rows), near, labels)
                    for kind, rows in decoys.items()
                }
                if name.endswith("fine-tuned")
                else {}
            )
            answers[name] = (by_neighbour(vectors("test", test.sequences), near, labels), kinds)
        return answers

    # -- what is said of it

    def report(self, test, answers, fakes):
        rows = np.bincount(self.train.labels, minlength=self.count)
        identity = self.kept(
            "test.identity",
            lambda: {
                "identity": measures.nearest_identity(
                    [self.model.store.hmm(i) for i in range(self.count)],
                    test.sequences,
                    test.labels,
                    self.train.sequences,
                    self.train.labels,
                )
            },
        )["identity"]
        about = (self.clans, rows[test.labels].tolist(), identity, [len(s) for s in test.sequences])
        views = self.views("test", test.sequences)
        return {
            "rows": {"train": len(self.train.labels), "test": len(test.labels)},
            "families_tested": len(np.unique(test.labels)),
            "errors": {
                name: measures.errors(answer, test.labels, *about) for name, answer in answers.items()
            },
            "mcnemar": {
                name: measures.against(answer, answers["two passes"], test.labels)
                for name, answer in answers.items()
                if name != "two passes"
            },
            "decoys": {kind: len(next(iter(made.values())).picks) for kind, made in fakes.items()},
            "curves": {
                name: measures.curve(
                    answer, test.labels, np.concatenate([made[name].sure for made in fakes.values()])
                )
                for name, answer in answers.items()
                if all(name in made for made in fakes.values())
            },
            "reliability": {
                name: measures.reliability(view["log_p"], test.labels) for name, view in views.items()
            },
            "confusions": {
                name: measures.confusions(answers[name], test.labels, self.clans)
                for name in (
                    *self.runtimes,
                    "one pass",
                    "two passes",
                    *(f"{n} and candidates" for n in self.runtimes),
                )
            },
            "families": [
                [family.key, family.name, clan] for family, clan in zip(self.model.families, self.clans)
            ],
        }

    def phmmer(self, test, count, answers):
        """phmmer on some test rows and decoys, and the other methods on the same rows."""
        if not count:
            return None
        places = np.arange(len(test.labels))
        chosen = np.sort(np.random.default_rng(3).permutation(places)[:count])
        queries = [test.sequences[i] for i in chosen]
        decoys = [
            rows[i] for rows in self.decoys(test, 10**9).values() for i in range(min(count // 2, len(rows)))
        ]
        run = lambda sequences: by_phmmer(sequences, self.train.sequences, self.train.labels, self.cpu)
        answer = Answer(**self.kept(f"test.phmmer.{count}", lambda: run(queries)))
        fake = Answer(**self.kept(f"test.phmmer.{count}.decoys", lambda: run(decoys)))
        labels = test.labels[chosen]
        return {
            "of": len(chosen),
            "family": share(int((answer.picks != labels).sum()), len(labels)),
            "nothing_named": int((answer.picks < 0).sum()),
            "curve": measures.curve(answer, labels, fake.sure),
            "decoys": len(decoys),
            "others_on_the_same_rows": {
                name: share(int((other.picks[chosen] != labels).sum()), len(labels))
                for name, other in answers.items()
            },
        }

    def evalues(self, fakes):
        """Observed against nominal calls of each network and of the profiles, by kind of decoys."""
        table = {}
        for kind, made in fakes.items():
            count = len(next(iter(made.values())).picks)
            for network in self.runtimes:
                chance = self.kept(f"test.{kind}.{network}", dict)["chance"].astype(float)
                table.setdefault(network, {})[kind] = measures.observed(self.count * np.exp(chance), count)
            for name, found in (("one pass", "one"), ("two passes", "two")):
                chance = self.kept(f"test.{kind}.{found}", dict)["chance"]
                table.setdefault(name, {})[kind] = measures.observed(self.count * np.exp(chance), count)
        return table

    def reduced(self, test, answers, choices):
        """Families left out, and families that were cut down to a few rows."""
        what = json.loads((self.data / "reduced.json").read_text())
        unknown = self.read("left_out", known=False)
        sequences = unknown.sequences
        views = self.views("unknown", sequences)
        found = self.found("unknown", sequences, views)
        called = {
            network: (self.count * np.exp(view["chance"].astype(float)) <= 1e-3).any(1)
            for network, view in views.items()
        }
        for name, key in (("one pass", "one"), ("two passes", "two")):
            called[name] = np.zeros(len(sequences), bool)
            called[name][found[key]["rows"][self.count * np.exp(found[key]["chance"]) <= 1e-3]] = True
        for network in views:
            called[f"{network} or one pass"] = called[network] | called["one pass"]
        few = set(what["few"])
        places = np.flatnonzero([self.model.families[label].key in few for label in test.labels.tolist()])
        return {
            "left_out": {
                "families": len(what["left_out"]),
                "rows": len(sequences),
                "called_at_0.001": {
                    name: share(int(calls.sum()), len(calls)) for name, calls in called.items()
                },
                "evalues": {
                    network: measures.observed(
                        self.count * np.exp(view["chance"].astype(float)), len(sequences)
                    )
                    for network, view in views.items()
                },
            },
            "few": {
                "families": len(few),
                "rows": len(places),
                "errors": {
                    name: share(int((answer.picks[places] != test.labels[places]).sum()), len(places))
                    for name, answer in answers.items()
                },
                "mcnemar": {
                    name: measures.against(
                        Answer(answer.picks[places], answer.sure[places]),
                        Answer(answers["two passes"].picks[places], answers["two passes"].sure[places]),
                        test.labels[places],
                    )
                    for name, answer in answers.items()
                    if name != "two passes"
                },
            },
        }


def clan_names(model, path):
    """The clan of each family; a family without one is a clan of its own."""
    given = families_by_key(read_families(path))
    return [
        family.clan or (given[family.key][1].clan if family.key in given else "") or family.key
        for family in model.families
    ]


def fit_weight(view, bits, labels):
    """The weight with the fewest errors on dev; of these, the one that makes the labels likeliest."""

    def cost(weight):
        scores = combined(view, bits, weight)
        wrong = int((scores.argmax(1) != labels).sum())
        likely = log_probabilities(scores)
        return wrong, -float(likely[np.arange(len(labels)), labels].sum())

    return float(round(min(WEIGHTS, key=cost), 6))


def fit_share(view, bits, weight, labels, decoys):
    """The share of the network's ln P with the best sensitivity at few false calls on dev's decoys."""

    def found(part):
        answer = by_both(view, bits, weight, part)
        sure = np.concatenate([by_both(seen, there, weight, part).sure for seen, there in decoys])
        return sum(percent for calls, percent in measures.curve(answer, labels, sure) if calls <= 0.01)

    return float(max(SHARES, key=found))


def training_log(model):
    """The log of the model's trainings: [[network, residues, loss, dev accuracy], ...]."""
    lines = (Path(model) / "training.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    rows = [dict(zip(names, line.split("\t"))) for line in lines[1:]]
    return [
        [
            row["network"],
            int(row["residues"]),
            float(row["loss"]) if row["loss"] else None,
            float(row["dev_accuracy"]),
        ]
        for row in rows
    ]


if __name__ == "__main__":
    main()
