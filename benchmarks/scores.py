"""By which score does the network alone call the most domains at the same E-value?

Each score is calibrated as in a build, on every other protein of a file, and measured on those between: how
many of their domains have at most some E-value, and how many other calls have, of no clan that the table has
there.
A score is the sum of log-odds over a family's best run of blocks; the last one counts over a baseline of its
family, from the domains of the proteins that the network was trained on.

    python benchmarks/scores.py --model DIR --train FASTA --proteins FASTA --domains TABLE --out FILE
"""

from collections.abc import Callable

import click
import numpy as np
from common import machine, markdown, percent, read_labels, read_model, save, share

from pfamnet.build import calibration
from pfamnet.build.found import FoundByProfiles
from pfamnet.build.work import Threads
from pfamnet.families import clan_numbers
from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network import blocks
from pfamnet.network.blocks import Blocks
from pfamnet.network.candidates import propose
from pfamnet.trainset.trainset import Fold

EVALUES = (0.001, 0.01, 0.1, 1.0)
REST = (1e-3, 1e-4, 1e-5, 1e-6)  # least probabilities of all else


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--train", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--domains", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--network", default="light", show_default=True)
@click.option("--first", default=3000, show_default=True, help="proteins of the file")
@click.option("--decoys", default=256_000, show_default=True, help="residues of each length and kind")
@click.option("--seed", default=42, show_default=True)
@click.option("--cpu", default=1, show_default=True, help="threads")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, train, proteins, domains, network, first, decoys, seed, cpu, out):
    """Sensitivity of several scores at the same E-values."""
    model, about = open_model(model_path), read_model(model_path)
    records = [record for record, _ in zip(read_fasta(proteins), range(first))]
    fitted, measured = (fold_of(model, records[start::2], domains) for start in (0, 1))
    runtime, threads = model.runtime(network, "cpu"), Threads(cpu)
    clans, judge = [family.clan for family in model.families], FoundByProfiles(model.store, model.families)
    learnt, rows = fold_of(model, list(read_fasta(train)), domains), {}
    for name, log_odds, over_baselines in variants():
        rows_of = learnt if over_baselines else fold_of(model, [], domains)
        with_usual = Blocks.contrasts
        Blocks.contrasts = log_odds
        try:
            made, check = calibration.calibrate(runtime, rows_of, fitted, clans, decoys, seed, threads, judge)
            rows[name] = {"check": check, "evalues": calls(runtime, made, clans, measured)}
        finally:
            Blocks.contrasts = with_usual
    result = {"benchmark": "scores", "machine": machine(cpu), "model": about.about, "decoys": decoys}
    result |= {"proteins": len(measured.sequences), "scores": rows}
    header = ["log-odds", *(f"% called at E <= {evalue:g} (other clans)" for evalue in EVALUES)]
    cells = [
        [name, *(f"{percent(found)} ({found['other_clans']})" for found in row["evalues"].values())]
        for name, row in rows.items()
    ]
    save(result | {"tables": {"scores": markdown(header, cells, result)}}, out)


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


def variants() -> list[tuple[str, Callable, bool]]:
    """Names; log-odds (blocks, m) of some families, by functions that take what `Blocks.contrasts` takes;
    whether scores count over baselines."""
    usual = Blocks.contrasts

    def capped(rest: float) -> Callable:
        def log_odds(self, families, clans):
            before, blocks.REST = blocks.REST, rest
            try:
                return usual(self, families, clans)
            finally:
                blocks.REST = before

        return log_odds

    return [
        ("against no family", lambda self, families, clans: self.odds(families), False),
        (
            "against all others",
            lambda self, families, clans: usual(self, families, np.arange(len(clans))),
            False,
        ),
        *((f"against other clans, all else at least {rest:g}", capped(rest), False) for rest in REST),
        (f"against other clans, all else at least {blocks.REST:g}, over baselines (in use)", usual, True),
    ]


def calls(runtime, made, clans: list[str], fold: Fold) -> dict[str, dict]:
    """At each E-value: domains whose family is called, and calls of other clans than those of the domains."""
    numbers = clan_numbers(clans)
    found = {evalue: [0, 0, 0] for evalue in EVALUES}
    for place, sequence in enumerate(fold.sequences):
        own = np.unique(fold.domains[(fold.domains[:, 0] == place) & (fold.domains[:, 3] >= 0), 3])
        proposal = propose(runtime.blocks(sequence), runtime.block, len(sequence), numbers)
        families = proposal.families[: len(proposal.scores)]
        scores = made.excess(proposal.scores, families)
        evalues = len(numbers) * np.exp(made.log_p(scores, len(sequence)))
        for evalue, counts in found.items():
            called = families[evalues <= evalue]
            counts[0] += np.isin(own, called).sum()
            counts[1] += len(own)
            counts[2] += (~np.isin(numbers[called], numbers[own])).sum()
    return {
        f"{evalue:g}": share(int(count), int(of)) | {"other_clans": int(other)}
        for evalue, (count, of, other) in found.items()
    }


if __name__ == "__main__":
    main()
