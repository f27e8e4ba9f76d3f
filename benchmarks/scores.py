"""By which score does the network alone call the most domains at the same E-value, and how often a decoy?

Each score is calibrated as in a build, on every other protein of a file, and measured on those between: how
many of their domains have at most some E-value, how many other calls have, of no clan that the table has
there, and how many calls their reversed windows have, by length.
A score is the sum of log-odds over a family's best run of blocks; some count over a baseline of the
family, from the domains of the proteins that the network was trained on.

    python benchmarks/scores.py --model DIR --train FASTA --proteins FASTA --domains TABLE --out FILE
"""

from contextlib import ExitStack
from typing import NamedTuple
from unittest.mock import patch

import click
import numpy as np
from common import machine, markdown, percent, read_labels, read_model, save, share

from pfamnet.build import calibration
from pfamnet.build.found import FoundByProfiles
from pfamnet.build.work import Threads
from pfamnet.families import Family
from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network import blocks, candidates
from pfamnet.network.blocks import Blocks
from pfamnet.trainset.trainset import Fold

EVALUES = (0.001, 0.01, 0.1, 1.0)
REST = (1e-3, 1e-4, 1e-5, 1e-6)  # least probabilities of all else
LENGTHS = (64, 128, 256, 512, 1024, 2048)  # of reversed windows
RARE = (0.001, 0.01)  # E-values at which these are called


class Score(NamedTuple):
    """A score: what it changes in the product (an object, an attribute, a value), and whether it counts over
    baselines."""

    changes: list[tuple]
    over_baselines: bool


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--train", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--network", default="light", show_default=True)
@click.option("--first", default=3000, show_default=True, help="proteins of the file")
@click.option("--decoys", default=256_000, show_default=True, help="residues of each length and kind")
@click.option("--only", help="the scores whose name has this in it")
@click.option("--seed", default=42, show_default=True)
@click.option("--cpu", default=1, show_default=True, help="threads")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, train, proteins, domains, network, first, decoys, only, seed, cpu, out):
    """Sensitivity of several scores at the same E-values."""
    model, about = open_model(model_path), read_model(model_path)
    records = [record for record, _ in zip(read_fasta(proteins), range(first))]
    fitted, measured = (fold_of(model, records[start::2], domains) for start in (0, 1))
    runtime, threads = model.runtime(network, "cpu"), Threads(cpu)
    families, judge = model.families, FoundByProfiles(model.store, model.families)
    learnt, unlabelled = (fold_of(model, some, domains) for some in (list(read_fasta(train)), []))
    rows = {}
    for name, score in scores(only).items():
        with ExitStack() as changed:
            for change in score.changes:
                changed.enter_context(patch.object(*change))
            of = learnt if score.over_baselines else unlabelled
            made, check = calibration.calibrate(runtime, of, fitted, families, decoys, seed, threads, judge)
            measure = Measure(runtime, made, families)
            rows[name] = {"check": check, "evalues": measure.calls(measured)}
            rows[name]["reversed"] = measure.reversed_calls(measured, decoys, seed, threads, judge)
        click.echo(f"{name}: {rows[name]['evalues']} {rows[name]['reversed']}", err=True)
    result = {"benchmark": "scores", "machine": machine(cpu), "model": about.about, "decoys": decoys}
    result |= {"proteins": len(measured.sequences), "scores": rows}
    save(result | {"tables": tables(result)}, out)


def tables(result: dict) -> dict[str, str]:
    """Calls of domains; and calls of reversed windows, with scores over baselines."""
    rows, over = result["scores"], {name: score.over_baselines for name, score in scores().items()}
    header = ["log-odds", *(f"% called at E <= {evalue:g} (other clans)" for evalue in EVALUES)]
    cells = [
        [name, *(f"{percent(found)} ({found['other_clans']})" for found in row["evalues"].values())]
        for name, row in rows.items()
    ]
    repeats = ["log-odds", "E <=", *(f"{length} residues" for length in LENGTHS)]
    calls = [
        [name, f"{evalue:g}", *(f"{row['reversed'][str(length)][f'{evalue:g}']:.3f}" for length in LENGTHS)]
        for name, row in rows.items()
        for evalue in (RARE if over[name] else ())
    ]
    return {"scores": markdown(header, cells, result), "reversed": markdown(repeats, calls, result)}


def fold_of(model, records: list, domains: str) -> Fold:
    """Proteins with their domains, families by their places in the model."""
    labels = read_labels(model.families, domains)
    rows = [
        (number, start - 1, end, family)
        for number, record in enumerate(records)
        for start, end, family in labels.get(record.name, ())
    ]
    sequences, names = [record.sequence for record in records], [record.name for record in records]
    return Fold(sequences, names, np.array(rows, np.int32).reshape(-1, 4), np.ones(len(records), bool))


def scores(only: str | None = None) -> dict[str, Score]:
    """The scores by name, those whose name has `only` in it."""
    usual, endless, bare = Blocks.contrasts, (candidates, "LONGEST", np.inf), (calibration, "CONTEXT", 0)
    against_none = lambda self, families, clans: self.odds(families)
    against_all = lambda self, families, clans: usual(self, families, np.arange(len(clans)))
    clans = {
        f"against other clans, all else at least {rest:g}": Score([endless, (blocks, "REST", rest)], False)
        for rest in REST
    }
    chosen = f"all else at least {blocks.REST:g}, over baselines"
    every = {
        "against no family": Score([endless, (Blocks, "contrasts", against_none)], False),
        "against all others": Score([endless, (Blocks, "contrasts", against_all)], False),
        **clans,
        chosen: Score([endless, bare], True),
        f"{chosen}, runs of one domain": Score([bare], True),
        f"{chosen} with surroundings": Score([endless], True),
        f"{chosen} with surroundings, runs of one domain (in use)": Score([], True),
    }
    return {name: score for name, score in every.items() if not only or only in name}


class Measure:
    """Measures a network with its calibration, on proteins that it was not calibrated on."""

    def __init__(self, runtime, made, families: list[Family]):
        self.runtime, self.made = runtime, made
        self.scoring = candidates.Scoring.of(families, runtime.block)

    def evalues(self, excess: np.ndarray, length: int) -> np.ndarray:
        """E-values of scores over baselines."""
        return len(self.scoring.clans) * np.exp(self.made.log_p(excess, length))

    def calls(self, fold: Fold) -> dict[str, dict]:
        """At each E-value: domains whose family is called, and calls of other clans than those of the
        domains."""
        clans, found = self.scoring.clans, {evalue: [0, 0, 0] for evalue in EVALUES}
        for place, sequence in enumerate(fold.sequences):
            own = np.unique(fold.domains[(fold.domains[:, 0] == place) & (fold.domains[:, 3] >= 0), 3])
            blocks = self.runtime.blocks(sequence)
            proposal = candidates.propose(blocks, self.runtime.block, len(sequence), self.scoring)
            named = proposal.families[: len(proposal.scores)]
            evalues = self.evalues(self.made.excess(proposal.scores, named), len(sequence))
            for evalue, counts in found.items():
                called = named[evalues <= evalue]
                counts[0] += np.isin(own, called).sum()
                counts[1] += len(own)
                counts[2] += (~np.isin(clans[called], clans[own])).sum()
        return {
            f"{evalue:g}": share(int(count), int(of)) | {"other_clans": int(other)}
            for evalue, (count, of, other) in found.items()
        }

    def reversed_calls(
        self, fold: Fold, residues: int, seed: int, threads: Threads, judge
    ) -> dict[str, dict]:
        """How many calls a reversed window of each length has at most at an E-value, on average."""
        levels, calls = np.zeros(len(self.scoring.clans)), {}
        for family, nats in self.made.baselines:
            levels[family] = nats
        for length in LENGTHS:
            windows = list(calibration.decoys(fold, length, 2 * max(residues // length, 1), seed + 2))[1::2]
            known = lambda place, some, windows=windows: judge(windows[place], some)
            rows = calibration.decoy_scores(self.runtime, windows, self.scoring, levels, threads, known)
            evalues = self.evalues(rows, length)
            calls[str(length)] = {f"{e:g}": float((evalues <= e).sum() / len(rows)) for e in RARE}
        return calls


if __name__ == "__main__":
    main()
