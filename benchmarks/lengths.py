"""Time and memory of a scan against the length of one protein, ordinary or odd.

    python benchmarks/lengths.py --out benchmarks/results/VERSION/lengths.json [MODEL]

Kinds: residues at random in the composition of proteins; one residue; two, at random; one random unit
over and over; domains of titin, fibronectin type III and I-set in turn, drawn from their profiles.
"""

import itertools
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from common import SENSITIVITIES, machine, markdown, program, read_model, run, save

from pfamnet.model.directory import open_model
from pfamnet.profiles.files import emit_sequences
from pfamnet.scan.opening import shipped_model

LENGTHS = (1_000, 10_000, 100_000, 300_000)
UNIT = 30  # residues of a repeat
TITIN = ("PF00041", "PF07679")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
WEIGHTS = (825, 138, 546, 672, 386, 707, 227, 591, 580, 965, 241, 406, 473, 393, 553, 663, 535, 686, 110, 292)


@click.command()
@click.argument("model", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--lengths", default=",".join(map(str, LENGTHS)), show_default=True, help="Residues")
@click.option("--limit", default=120, show_default=True, help="CPU seconds of a run, at most")
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the result")
def main(model, lengths, limit, out):
    """Scan one protein of each kind and length, by default and with --sensitive, on one thread."""
    path, runs = model or shipped_model(), []
    sizes = [int(length) for length in lengths.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "one.fa")
        for kind, source in kinds(path):
            sequence = "".join(itertools.islice(source, max(sizes)))
            for name in ("default", "sensitive"):
                over = False  # a longer one takes longer
                for size in sorted(sizes):
                    file.write_text(f">{kind}\n{sequence[:size]}\n")
                    options = ["--cpu", "1", "-o", "/dev/null", *SENSITIVITIES[name]]
                    cost = None if over else limited([*program("pfamnet-scan"), *options, path, file], limit)
                    over = cost is None
                    runs.append({"kind": kind, "sensitivity": name, "residues": size, "cost": cost})
    result = {"benchmark": "lengths", "machine": machine(1), "model": read_model(path).about}
    result |= {"limit_s": limit, "runs": runs}
    save(result | {"tables": tables(result)}, out)


def kinds(path: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """Name of each kind, and its residues without end."""
    rng = random.Random(1)
    yield "random", iter(lambda: rng.choices(RESIDUES, WEIGHTS)[0], None)
    yield "A", itertools.repeat("A")
    yield "E and K", iter(lambda: rng.choice("EK"), None)
    yield f"repeats of {UNIT}", itertools.cycle(rng.choices(RESIDUES, WEIGHTS, k=UNIT))
    model = open_model(path)
    places = {family.key: place for place, family in enumerate(model.families)}
    drawn = [emit_sequences(model.store.hmm(places[key]), 200, 1) for key in TITIN if key in places]
    if drawn:
        yield "titin-like", itertools.cycle("".join(itertools.chain(*zip(*drawn))))


def limited(command: list, seconds: int) -> dict | None:
    """The cost of a command; None if it takes more CPU time than this."""
    shell = ["sh", "-c", 'ulimit -t "$0"; exec "$@"', seconds]
    try:
        return run(list(map(str, [*shell, *command])))
    except subprocess.CalledProcessError as error:
        if error.returncode in (-9, -24):  # SIGKILL, SIGXCPU
            return None
        raise


def tables(result: dict) -> dict[str, str]:
    """CPU seconds and peak memory of each kind and length."""
    rows = []
    for (kind, name), group in itertools.groupby(
        result["runs"], lambda row: (row["kind"], row["sensitivity"])
    ):
        costs = [row["cost"] for row in group]
        texts = [f"{c['cpu_s']:.1f} s, {c['peak_mib']:.0f} MiB" if c else "over" for c in costs]
        rows.append([kind, name, *(text.replace("over", f"over {result['limit_s']} s") for text in texts)])
    sizes = sorted({row["residues"] for row in result["runs"]})
    header = ["kind", "sensitivity", *(f"{size:,} residues" for size in sizes)]
    return {"lengths": markdown(header, rows, result)}


if __name__ == "__main__":
    main()
