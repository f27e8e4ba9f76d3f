"""Recall against speed: the same scan with more and more candidates.

One process, one run: pyhmmer's hmmsearch with every profile (GA cutoffs), then
pfamnet with at most K candidates for each span of blocks and no threshold, for
several K. CPU time of the profile stage and all else, profiles made ready before.

    python benchmarks/curve.py --model DIR --proteins FASTA --out FILE
"""

from itertools import islice

import click
from common import Clock, describe_model, machine, save, share
from compare import IDENTICAL, outcomes
from recall import GATHERING, domains_of, search_every_profile

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import Mode, open_model
from pfamnet.scan.scanner import Scanner
from pfamnet.scan.workers import in_order

CANDIDATES = (16, 32, 64, 128, 256, 512, 1024, 2048)


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", default=1000, show_default=True, help="take the first N proteins")
@click.option("--cpu", default=1, show_default=True, help="threads of each")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, first, cpu, out):
    """Recall and time for several numbers of candidates."""
    model, records = open_model(model_path), list(islice(read_fasta(proteins), first))
    residues = sum(len(record.sequence) for record in records)
    reference, clocks = search_every_profile(model, records, cpu)
    rows = []
    for most in (most for most in CANDIDATES if most < 2 * len(model.families)):
        model.networks["light"].modes["default"] = Mode(float("-inf"), most, most)
        scanner = Scanner(model, GATHERING)
        list(in_order(records, scanner.scan, cpu))  # makes the profiles ready
        with Clock() as clock:
            hits = list(in_order(records, scanner.scan, cpu))
        found = [domain for record, row in hits for domain in domains_of(record, row)]
        same = [outcome in IDENTICAL for outcome in outcomes(reference, found)]
        rows.append(
            {
                "candidates": most,
                "identical": share(sum(same), len(same)),
                **clock.seconds,
                "residues_per_s": round(residues / clock.wall),
            }
        )
    every = clocks["search"]
    save(
        {
            "benchmark": "curve",
            "machine": machine(cpu),
            "model": describe_model(model),
            "proteins": len(records),
            "residues": residues,
            "hmmsearch": {**every.seconds, "residues_per_s": round(residues / every.wall)},
            "pfamnet": rows,
        },
        out,
    )


if __name__ == "__main__":
    main()
