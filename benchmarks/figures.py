"""Draws the figures of benchmarks/figures from benchmarks/results, as PNG and SVG.

    python benchmarks/figures.py

Needs matplotlib (`pip install 'pfamnet[figures]'`).
"""

import json
from pathlib import Path

import click
import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "pfamnet"  # the same bytes each time
import figures_accuracy  # noqa: E402
from matplotlib import pyplot  # noqa: E402

HERE = Path(__file__).resolve().parent
COLOURS = {
    "pfamnet-scan default": "#0b6e4f",
    "pfamnet-scan fast": "#6bbf59",
    "pyhmmer hmmsearch": "#c1121f",
    "pyhmmer hmmscan": "#f4a261",
    "hmmscan": "#6c757d",
}


@click.command()
@click.option("--results", default=HERE / "results", type=click.Path(file_okay=False, path_type=Path))
@click.option("--out", default=HERE / "figures", type=click.Path(file_okay=False, path_type=Path))
def main(results, out):
    """Draw every figure whose results are there."""
    out.mkdir(exist_ok=True)
    speed = results / "speed.json"
    if speed.exists():
        result = json.loads(speed.read_text())
        by_families(result, out)
        by_length(result, out)
    recall = {
        mode: results / name
        for mode, name in (
            ("fast", "recall.fast.json"),
            ("default", "recall.json"),
            ("sensitive", "recall.sensitive.json"),
        )
    }
    rows = {mode: json.loads(path.read_text()) for mode, path in recall.items() if path.exists()}
    if rows:
        candidates(rows, out)
    accuracy = [json.loads(path.read_text()) for path in sorted(results.glob("accuracy.*.json"))]
    if accuracy:
        figures_accuracy.draw(accuracy, out, finish)


def by_families(result, out):
    """CPU milliseconds for each protein, against the number of families."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    for name, colour in COLOURS.items():
        points = [
            (level["families"], 1000 * row["cpu_s"] / row["proteins"])
            for level in result["families"]
            for program, row in level["programs"].items()
            if program == name
        ]
        axes.loglog(*zip(*points), "o-", color=colour, label=name, markersize=4)
    axes.axvline(result["model"]["families"], color="#bbb", linewidth=1, linestyle=":")
    axes.set(
        xlabel="families (beyond the dotted line: padded with shuffled profiles)",
        ylabel="CPU ms for each protein, start-up included",
    )
    finish(figure, axes, out / "speed_families")


def by_length(result, out):
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    for name, colour in COLOURS.items():
        points = [
            (level["length"], row["residues_per_s"])
            for level in result.get("lengths", ())
            for program, row in level["programs"].items()
            if program == name
        ]
        if points:
            axes.loglog(*zip(*points), "o-", color=colour, label=name, markersize=4)
    axes.set(xlabel="residues of each protein", ylabel="residues a second")
    finish(figure, axes, out / "speed_lengths")


def candidates(rows, out):
    """Share of the domains whose family is among the first n candidates, and what each mode finds."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    curve = next(iter(rows.values()))["among_first"]
    axes.semilogx(
        [int(n) for n in curve],
        [share["percent"] for share in curve.values()],
        "o-",
        color="#0b6e4f",
        markersize=4,
        label="family among the first n",
    )
    for (mode, row), style in zip(rows.items(), (":", "--", "-.")):
        axes.axhline(
            row["identical"]["percent"],
            color="#555",
            linewidth=1,
            linestyle=style,
            label=f"{mode}: {row['identical']['percent']:.2f} %, "
            f"{row['speed']['pfamnet']['residues_per_s']:,} residues/s",
        )
    axes.set(xlabel="n", ylabel="% of the domains that every profile finds at GA")
    finish(figure, axes, out / "recall_candidates")


def finish(figure, axes, path):
    axes.grid(True, which="major", color="#eee")
    if not figure.legends:
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    pyplot.close(figure)
    print(path.name)


if __name__ == "__main__":
    main()
