"""What does a scan in chunks cost, and what would one of 100 million proteins cost on 1,000 cores?

Scans the same proteins as one file and as 2, 8 and 32 chunks, each by a command of its own on one core,
and checks that the joined tables are equal. The difference is what a chunk adds: start-up, and the profiles
that every chunk prepares again. The cost of a large scan follows from the rates of `speed.py --part
families`, read from its result.

    python benchmarks/scale.py --model DIR --proteins FASTA --speed RESULTS/speed.families.json --out FILE
"""

import json
import tempfile
from pathlib import Path

import click
from common import environment, machine, markdown, program, read_model, run, save, write_fasta

from pfamnet.io.fasta import read_fasta

PROTEINS, CORES = 100_000_000, 1_000
PROGRAMS = ("pfamnet-scan default", "pfamnet-scan fast", "pyhmmer hmmsearch", "hmmscan")


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", default=640, show_default=True, help="Proteins to scan")
@click.option("--chunks", default="1,2,8,32", show_default=True, help="Numbers of chunks")
@click.option(
    "--speed", required=True, type=click.Path(exists=True, dir_okay=False), help="Result of speed.py"
)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the figures")
def main(model_path, proteins, first, chunks, speed, out):
    """Scan in chunks, and extrapolate."""
    model = read_model(model_path)
    records = [record for record, _ in zip(read_fasta(proteins), range(first))]
    with tempfile.TemporaryDirectory() as folder:
        rows = [scan_chunks(model.path, records, int(count), Path(folder)) for count in chunks.split(",")]
    if len({row.pop("table") for row in rows}) > 1:
        raise click.ClickException("the joined tables differ")
    result = {
        "benchmark": "scale",
        "machine": machine(1),
        "model": model.about,
        "model_mib": round(
            sum(path.stat().st_size for path in model.path.rglob("*") if path.is_file()) / 2**20, 1
        ),
        "chunks": rows,
        "chunk_cpu_s": chunk_seconds(rows),
        "rates": core_rates(json.loads(Path(speed).read_text(encoding="utf-8"))),
    }
    save(result | {"tables": tables(result)}, out)


def scan_chunks(model: Path, records: list, count: int, folder: Path) -> dict:
    """CPU seconds and joined table of a scan in so many chunks of consecutive proteins."""
    scan, variables, table, seconds = program("pfamnet-scan"), environment(folder / "cache"), b"", 0.0
    bounds = [len(records) * number // count for number in range(count + 1)]
    for start, end in zip(bounds, bounds[1:]):
        fasta, hits = write_fasta(records[start:end], folder / "chunk.fa"), folder / "hits.tsv"
        command = [*scan, "--cpu", 1, "--mode", "hybrid", "--no-header", "-o", hits, model, fasta]
        seconds += run(command, variables)["cpu_s"]
        table += hits.read_bytes()
    return {"chunks": count, "proteins": len(records), "cpu_s": round(seconds, 2), "table": table}


def chunk_seconds(rows: list[dict]) -> float:
    """CPU seconds that one more chunk adds, from the fewest and the most chunks.

    >>> chunk_seconds([{"chunks": 1, "cpu_s": 10}, {"chunks": 11, "cpu_s": 25}])
    1.5
    """
    few, many = (pick(rows, key=lambda row: row["chunks"]) for pick in (min, max))
    return round((many["cpu_s"] - few["cpu_s"]) / (many["chunks"] - few["chunks"]), 3)


def core_rates(speed: dict) -> list[dict]:
    """Proteins per CPU second of each program, by the number of families."""
    return [
        {
            "families": size["families"],
            **{
                name: size["programs"][name]["proteins"] / size["programs"][name]["cpu_s"]
                for name in PROGRAMS
            },
        }
        for size in speed["families"]
    ]


def hours(rate: float) -> float:
    """Hours for all proteins on all cores at a rate of one core.

    >>> round(hours(100), 2)
    0.28
    """
    return PROTEINS / rate / CORES / 3600


def tables(result: dict) -> dict:
    """Markdown tables of a result."""
    single = result["chunks"][0]["cpu_s"]
    rows = [
        (
            row["chunks"],
            row["proteins"] // row["chunks"],
            row["cpu_s"],
            f"{100 * (row['cpu_s'] / single - 1):.0f}",
        )
        for row in result["chunks"]
    ]
    rates = result["rates"]
    return {
        "scale-chunks": markdown(
            ("chunks", "proteins in each", "CPU s", "% more than one scan"), rows, result
        ),
        "scale-rates": markdown(
            ("families, proteins per CPU second", *PROGRAMS),
            [(f"{row['families']:,}", *(f"{row[name]:,.1f}" for name in PROGRAMS)) for row in rates],
        ),
        "scale-hours": markdown(
            ("families, hours", *PROGRAMS),
            [(f"{row['families']:,}", *(f"{hours(row[name]):,.1f}" for name in PROGRAMS)) for row in rates],
        ),
    }


if __name__ == "__main__":
    main()
