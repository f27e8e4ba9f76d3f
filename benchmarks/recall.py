"""How much of what every profile finds does pfamnet-scan find, and how fast?

Complete commands in one run on the same proteins, threads and thresholds:

(a) pyhmmer's hmmsearch with every profile of the model, Z = number of families: hmmscan's numbers;
(b) pfamnet-scan on the model, at a sensitivity, and with --curve at several numbers of candidates.

    python benchmarks/recall.py --model DIR --proteins FASTA --first 2000 --out FILE

The result says what became of each domain of (a), by training rows and length, which families are lost,
and what (b) reports that (a) lacks.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import click
from common import (
    SENSITIVITIES,
    by_bins,
    environment,
    hmmscan_program,
    machine,
    markdown,
    percent,
    program,
    pyhmmer_command,
    rates,
    read_model,
    run,
    save,
    share,
    write_fasta,
)
from models import with_candidates

from pfamnet.families import accession_key
from pfamnet.io.fasta import read_fasta

ROWS = (0, 1, 4, 11, 31, 101)  # training rows of a family
LENGTHS = (1, 24, 40, 80, 160, 320)  # residues of a domain
OUTCOMES = ("identical", "score", "moved", "lost")
NETWORK = "[network]"  # the description of a row that no profile has confirmed


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", type=int, help="take the first N proteins")
@click.option("--sensitivity", type=click.Choice(list(SENSITIVITIES)), default="default", show_default=True)
@click.option("--evalue", type=float, help="compare domains of E-values up to this, not those at GA")
@click.option("--curve", default="", help="numbers of candidates to try too, such as 16,64,256")
@click.option("--hmmscan", default=0, help="time the hmmscan program too, on the first N of these proteins")
@click.option("--cpu", default=1, show_default=True, help="threads of each command")
@click.option("--name", default="", help="of the database, if its tables are to stand by themselves")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, first, sensitivity, evalue, curve, hmmscan, cpu, name, out):
    """Recall against every profile, and speed, in one run."""
    model, records = read_model(model_path), list(islice(read_fasta(proteins), first))
    flags = SENSITIVITIES[sensitivity]
    result = {
        "benchmark": "recall",
        "name": name,
        "machine": machine(cpu),
        "model": model.about,
        "sensitivity": sensitivity,
        "thresholds": f"E <= {evalue:g}" if evalue else "GA",
        "proteins": {"file": Path(proteins).name, "count": len(records)},
    }
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder), cpu, not evalue)
        pressed, query = model.press(runs.folder), write_fasta(records, runs.folder / "query.fa")
        runs.scan(model, write_fasta(records[:1], runs.folder / "one.fa"))  # byte code, file cache
        table = runs.folder / "every"
        every = runs(pyhmmer_command("hmmsearch", pressed, query, cpu, table, not evalue))
        reference = read_domains(table, evalue, searched=True)
        table, cost = runs.scan(model, query, *flags)
        reported = read_domains(table, evalue)
        result |= recall(model, reference, reported)
        result["hmmsearch"], result["pfamnet"] = rates(every, records), rates(cost, records)
        if hmmscan:
            result["hmmscan"] = runs.hmmscan(pressed, records[:hmmscan])
        if curve:
            result["curve"] = [
                runs.with_candidates(model, int(number), query, records, reference, evalue)
                for number in curve.split(",")
            ]
    made = tables(result)
    own = {key.replace("recall", f"recall-{name}", 1): table for key, table in made.items()}
    save(result | {"tables": own if name else made}, out)


class Runs:
    """Commands in a folder; calling it runs one."""

    def __init__(self, folder: Path, cpu: int, cut_ga: bool):
        self.folder, self.variables = folder, environment(folder / "cache")
        self.options = [*(["--cut_ga"] if cut_ga else []), "--cpu", cpu, "-o", "/dev/null", "--domtblout"]

    def __call__(self, command) -> dict:
        return run(command, self.variables)

    def scan(self, model, query, *flags) -> tuple[Path, dict]:
        """pfamnet-scan's domain table, and what it cost."""
        table = self.folder / "ours"
        return table, self([*program("pfamnet-scan"), *flags, *self.options, table, model.path, query])

    def hmmscan(self, pressed, records) -> dict | None:
        """What the hmmscan program costs; None if there is none."""
        query = write_fasta(records, self.folder / "some.fa")
        with hmmscan_program() as path:
            return (
                rates(self([path, *self.options, self.folder / "its", pressed, query]), records)
                if path
                else None
            )

    def with_candidates(self, model, number, query, records, reference, evalue) -> dict:
        """Recall and cost with so many candidates per 1,024 residues at most, and no threshold."""
        fewer = with_candidates(model, number, self.folder / f"candidates.{number}")
        table, cost = self.scan(fewer, query)
        same = [outcome == "identical" for outcome in outcomes(reference, read_domains(table, evalue))]
        return {"candidates": number, "identical": share(sum(same), len(same)), **rates(cost, records)}


# -- domains that two programs report


class Found(NamedTuple):
    """A domain as a table prints it: `family` an accession; positions from 1, both ends included."""

    protein: str
    family: str
    name: str
    ali: tuple[int, int]
    env: tuple[int, int]
    hmm: tuple[int, int]
    score: str
    evalue: float
    description: str = ""

    @property
    def place(self) -> tuple:
        return self.ali, self.env, self.hmm

    @property
    def length(self) -> int:
        return self.ali[1] - self.ali[0] + 1


def read_domains(path: Path, evalue: float | None = None, searched: bool = False) -> list[Found]:
    """The profiles' domains of a domtblout; with `searched` of hmmsearch, where proteins are the targets.

    With `evalue`, those whose E-value and independent E-value are no greater.
    """
    found = []
    for row in table_rows(path):
        (target, accession), (query, its) = row[:2], row[3:5]
        protein, name, family = (target, query, its) if searched else (query, target, accession)
        hmm, ali, env = (tuple(map(int, row[i : i + 2])) for i in (15, 17, 19))
        description = row[22] if len(row) > 22 else ""
        if description != NETWORK and (not evalue or max(float(row[6]), float(row[12])) <= evalue):
            family = accession_key(family)
            found.append(Found(protein, family, name, ali, env, hmm, row[13], float(row[12]), description))
    return found


def table_rows(path: Path) -> list[tuple[str, ...]]:
    lines = Path(path).read_text().splitlines()
    return [tuple(line.split()) for line in lines if not line.startswith("#")]


def outcomes(reference: Iterable[Found], reported: Iterable[Found]) -> list[str]:
    """What became of each reference domain.

    identical  same family, coordinates (alignment, envelope, profile) and printed score
    score      same coordinates, another score
    moved      the family overlaps the domain, but with other coordinates
    lost       the family does not overlap the domain
    """
    there = by_pair(reported)
    return [outcome(domain, there[domain.protein, domain.family]) for domain in reference]


def outcome(domain: Found, others: Sequence[Found]) -> str:
    scores = [other.score for other in others if other.place == domain.place]
    if scores:
        return "identical" if domain.score in scores else "score"
    return "moved" if any(overlap(domain.ali, other.ali) for other in others) else "lost"


def by_pair(domains: Iterable[Found]) -> dict[tuple[str, str], list[Found]]:
    there = defaultdict(list)
    for domain in domains:
        there[domain.protein, domain.family].append(domain)
    return there


def overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Residues that two ranges, ends included, share.

    >>> overlap((1, 10), (10, 20)), overlap((1, 9), (10, 20))
    (1, 0)
    """
    return max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)


def additional(reference: Iterable[Found], reported: Iterable[Found]) -> list[Found]:
    """Reported domains that no reference domain of the same family overlaps."""
    there = by_pair(reference)
    return [d for d in reported if outcome(d, there[d.protein, d.family]) == "lost"]


def recall(model, reference, reported) -> dict:
    """What became of the reference domains, all of them and by kind."""
    became = outcomes(reference, reported)
    same = [outcome == "identical" for outcome in became]
    rows = {accession_key(row["accession"]): int(row["rows"] or 0) for row in model.families}
    lost = [domain for domain, outcome in zip(reference, became) if outcome == "lost"]
    here = defaultdict(list)
    for domain in reported:
        here[domain.protein].append(domain)
    return {
        "domains": {name: became.count(name) for name in OUTCOMES},
        "identical": share(sum(same), len(same)),
        "by_rows": by_bins([rows[domain.family] for domain in reference], same, ROWS),
        "by_length": by_bins([domain.length for domain in reference], same, LENGTHS),
        "lost_families": dict(Counter(domain.name for domain in lost).most_common(20)),
        "lost_overlapped": sum(any(overlap(o.ali, d.ali) for o in here[d.protein]) for d in lost),
        "additional": [domain._asdict() for domain in additional(reference, reported)],
    }


# -- tables


def tables(result: dict) -> dict[str, str]:
    by = result["thresholds"]
    name = f"{result['model']['families']} families, {result['sensitivity']}"
    name += f", {result['proteins']['file']}" if result["name"] else ""
    name += "" if by == "GA" else f", {by}"
    ours, theirs = result["pfamnet"], result["hmmsearch"]
    times = lambda row: f"{row['residues_per_s'] / theirs['residues_per_s']:.2f}"
    costs = lambda row: [row["wall_s"], row["cpu_s"], row["peak_mib"], f"{row['residues_per_s']:,}"]
    its = result.get("hmmscan")
    slowest = [[f"hmmscan, {its['proteins']:,} proteins ({name})", *costs(its), times(its)]] if its else []
    found = [
        f"{result['proteins']['count']:,}",
        f"{result['identical']['of']:,}",
        percent(result["identical"]),
    ]
    cells = lambda bins: [
        f"{bin['percent']:.1f} of {bin['of']}" if bin["of"] else "–" for bin in bins.values()
    ]
    header = ["model, sensitivity", "proteins", "domains", "% identical (95 % interval)"]
    lost = [result["domains"]["lost"], result["lost_overlapped"], len(result["additional"])]
    speed = ["wall s", "CPU s", "peak MiB", "residues/s", "times hmmsearch"]
    made = {
        "recall": markdown(
            [*header, "lost", "of these overlapped by another family", "additional"],
            [[name, *found, *lost]],
            result,
        ),
        "recall-short": markdown([*header, "times hmmsearch's speed"], [[name, *found, times(ours)]]),
        "recall-by-rows": markdown([header[0], *result["by_rows"]], [[name, *cells(result["by_rows"])]]),
        "recall-by-length": markdown(
            [header[0], *result["by_length"]], [[name, *cells(result["by_length"])]]
        ),
        "recall-speed": markdown(
            ["command", *speed],
            [
                [f"pyhmmer hmmsearch, every profile ({name})", *costs(theirs), times(theirs)],
                [f"pfamnet-scan ({name})", *costs(ours), times(ours)],
                *slowest,
            ],
            result,
        ),
    }
    if result["additional"]:
        made["recall-additional"] = markdown(
            ["model, sensitivity", "protein", "family", "residues", "bits", "i-Evalue"],
            [
                [name, d["protein"], d["name"], "-".join(map(str, d["ali"])), d["score"], d["evalue"]]
                for d in result["additional"]
            ],
        )
    if "curve" in result:
        rows = [
            [f"{row['candidates']:,}", percent(row["identical"]), *costs(row), times(row)]
            for row in result["curve"]
        ]
        rows.append(["every profile (hmmsearch)", "100.00", *costs(theirs), times(theirs)])
        header = ["candidates per 1,024 residues", "% identical (95 % interval)", *speed]
        made["recall-curve"] = markdown(header, rows, result)
    return made


if __name__ == "__main__":
    main()
