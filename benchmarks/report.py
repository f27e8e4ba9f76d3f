"""Pastes the tables of benchmarks/results into the documentation, and draws the figures.

Every result (`results/VERSION/*.json`) carries its own tables. A page marks the place of one:

    <!-- table:NAME -->          the tables of that name of the newest version that has one
    <!-- table:NAME 1.0.0 -->    those of this version
    <!-- /table -->

Tables of one name and one header (several splits, several models) are joined in the order of their files.

    python benchmarks/report.py            paste and draw
    python benchmarks/report.py --check    change nothing; status 1 if a page is out of date

The figures need matplotlib (`pip install 'pfamnet[explore]'`).
"""

import json
import re
import sys
from pathlib import Path

import click
from common import ROOT

BLOCK = re.compile(r"(<!-- table:([\w-]+)(?: ([\w.]+))? -->\n)(.*?)(<!-- /table -->)", re.DOTALL)
RESULTS, FIGURES = ROOT / "benchmarks/results", ROOT / "benchmarks/figures"


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; status 1 if a page is out of date.")
@click.option("--results", default=RESULTS, type=click.Path(file_okay=False, path_type=Path))
@click.option("--figures", default=FIGURES, type=click.Path(file_okay=False, path_type=Path))
@click.argument("pages", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(check, results, figures, pages):
    """Paste tables into PAGES  [README.md and the Markdown files below benchmarks, data and docs]."""
    loaded, stale = load(results), False
    for page in pages or (
        ROOT / "README.md",
        *sorted(path for name in ("benchmarks", "data", "docs") for path in (ROOT / name).rglob("*.md")),
    ):
        text = page.read_text(encoding="utf-8")
        pasted = paste(text, loaded)
        if pasted != text:
            stale = True
            print(f"{page}: {'out of date' if check else 'written'}")
            if not check:
                page.write_text(pasted, encoding="utf-8")
    if not check:
        draw(loaded, figures)
    sys.exit(1 if check and stale else 0)


# -- tables


def load(folder: Path) -> dict[str, list[dict]]:
    """The results of each version, the newest version first, in the order of their file names."""
    number = lambda path: [int(part) if part.isdigit() else -1 for part in path.name.split(".")]
    return {
        version.name: [
            json.loads(path.read_text(encoding="utf-8")) for path in sorted(version.glob("*.json"))
        ]
        for version in sorted(folder.iterdir(), key=number, reverse=True)
        if version.is_dir()
    }


def paste(text: str, results: dict[str, list[dict]]) -> str:
    """A page with its tables made new.

    Raises:
        click.ClickException: no result has a table of that name.
    """

    def block(match):
        for version in [match[3]] if match[3] else results:
            tables = [r["tables"][match[2]] for r in results.get(version, ()) if match[2] in r["tables"]]
            if tables:
                return match[1] + join(tables) + match[5]
        raise click.ClickException(f"no result has a table '{match[2]}'")

    return BLOCK.sub(block, text)


def join(tables: list[str]) -> str:
    """Tables of one header as one, and below them what stands below each, once.

    >>> print(join(["| a |\\n|---|\\n| 1 |\\n\\nHere.\\n", "| a |\\n|---|\\n| 2 |\\n\\nHere.\\n"]), end="")
    | a |
    |---|
    | 1 |
    | 2 |
    <BLANKLINE>
    Here.
    """
    rows, below = {}, {}
    for table in tables:
        head, _, rest = table.partition("\n\n")
        first, second, *body = head.splitlines()
        rows.setdefault((first, second), []).extend(body)
        below[rest.rstrip("\n")] = None
    parts = ["\n".join([*header, *body]) for header, body in rows.items()]
    return "\n\n".join([*parts, *filter(None, below)]) + "\n"


# -- figures


def draw(results: dict[str, list[dict]], folder: Path) -> None:
    """Draw each figure from the newest version that has the results for it."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "pfamnet",  # the same bytes each time
        "axes.grid": True,
        "grid.color": "#eee",
        "legend.frameon": False,
        "legend.fontsize": 8,
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": matplotlib.cycler(color=matplotlib.colormaps["tab20"].colors),
    }
    folder.mkdir(exist_ok=True)
    for name, (kind, key, panel) in PANELS.items():
        having = (
            [r for r in version if r["benchmark"] == kind and r.get(key)] for version in results.values()
        )
        found = next(filter(None, having), None)
        if not found:
            continue
        figure, axes = pyplot.subplots(
            1, len(found), figsize=(2.2 + 4.2 * len(found), 4.4), squeeze=False, sharey=True
        )
        for place, result in zip(axes[0], found):
            panel(place, result)
            place.set_title(result.get("split", ""))
            place.label_outer()
        named = {}
        for place in axes[0]:
            named |= dict(zip(*reversed(place.get_legend_handles_labels())))
        figure.legend(named.values(), named, loc="outside lower center", ncols=2 * len(found))
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
        print(f"{name}.svg")


def speed_by(key, measure, across, up):
    """A measure of each program against the number of families, or the length of the proteins."""

    def panel(axes, result):
        points = {}
        for level in result[key]:
            for name, row in level["programs"].items():
                points.setdefault(name, []).append((level.get("length", level.get("families")), measure(row)))
        for name, some in points.items():
            axes.loglog(*zip(*some), "o-", label=name, markersize=4)
        axes.set(xlabel=across, ylabel=up)

    return panel


def recall_speed(axes, result):
    """Fraction found against speed, a point for each number of candidates."""
    points = [(row["residues_per_s"], row["identical"]["percent"]) for row in result["curve"]]
    axes.semilogx(*zip(*points), "o-", markersize=4, label="pfamnet, by candidates per 1,024 residues")
    for row, point in zip(result["curve"], points):
        axes.annotate(f"{row['candidates']:,}", point, xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.plot(
        result["hmmsearch"]["residues_per_s"], 100, "s", color="#c1121f", label="hmmsearch, every profile"
    )
    axes.set(xlabel="residues per second", ylabel="% of the domains above the gathering threshold")


def accuracy_curves(axes, result):
    """Rows that are not found, or wrong, against false calls on decoys."""
    for name, points in result["curves"].items():
        across = [1000 * calls for calls, _ in points]
        axes.loglog(across, [max(100 - found, 0.1) for _, found in points], "o-", markersize=3, label=name)
    axes.set(xlabel="false calls per 1,000 decoys", ylabel="% of the test rows not found, or wrong")


def accuracy_bins(field, across):
    """Errors in bins of training rows or identity; 0 has a place on the axis."""

    def panel(axes, result):
        for name, errors in result["errors"].items():
            bins = [(bin, row["percent"]) for bin, row in errors[field].items() if row["of"]]
            axes.plot(*zip(*bins), "o-", markersize=3, label=name)
        axes.set_yscale("symlog", linthresh=1)
        axes.tick_params(axis="x", labelsize=7)
        axes.set(xlabel=across, ylabel="% errors")

    return panel


def accuracy_evalues(axes, result):
    """Calls per decoy that were observed at an E-value, against those that are expected."""
    for name, kinds in result["evalues"].items():
        for (kind, rows), style in zip(kinds.items(), ("o-", "x:")):
            seen = [(row["nominal"], row["observed"]) for row in rows if row["observed"] > 0]
            if seen:
                axes.loglog(*zip(*seen), style, markersize=4, label=f"{name}, {kind}")
    ends = [1e-5, 10]
    axes.loglog(ends, ends, color="#999", linewidth=1)
    axes.fill_between(ends, [x / 2 for x in ends], [x * 2 for x in ends], color="#999", alpha=0.15)
    axes.set(xlabel="E-value", ylabel="calls per decoy")


cpu_ms = lambda row: 1000 * row["cpu_s"] / row["proteins"]
rate = lambda row: row["residues_per_s"]
# figure -> (benchmark, the key of a result that the figure needs, what draws a panel)
PANELS = {
    "speed_families": ("speed", "families", speed_by("families", cpu_ms, "families", "CPU ms per protein")),
    "speed_lengths": (
        "speed",
        "lengths",
        speed_by("lengths", rate, "residues per protein", "residues per second"),
    ),
    "recall_speed": ("recall", "curve", recall_speed),
    "accuracy_curves": ("accuracy", "curves", accuracy_curves),
    "accuracy_rows": ("accuracy", "errors", accuracy_bins("by_rows", "training rows of the family")),
    "accuracy_identity": (
        "accuracy",
        "errors",
        accuracy_bins("by_identity", "% identity, nearest training row"),
    ),
    "accuracy_evalues": ("accuracy", "evalues", accuracy_evalues),
}


if __name__ == "__main__":
    main()
