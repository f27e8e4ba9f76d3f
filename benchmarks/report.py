"""Pastes the tables of benchmarks/results into the documentation, and draws the figures.

Every result (`results/VERSION/*.json`) carries its own tables. A page marks the place of one:

    <!-- table:NAME -->          the tables of that name of the newest version that has one
    <!-- table:NAME 1.0.0 -->    those of this version
    <!-- table:NAME+OTHER -->    both, joined where they have one header
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
from common import ROOT, wilson

BLOCK = re.compile(r"(<!-- table:([\w+-]+)(?: ([\w.]+))? -->\n)(.*?)(<!-- /table -->)", re.DOTALL)
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
            tables = [
                r["tables"][name]
                for name in match[2].split("+")
                for r in results.get(version, ())
                if name in r["tables"]
            ]
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
    colours = [*matplotlib.colormaps["tab10"].colors, "#000000"]
    matplotlib.rcParams |= {
        "svg.hashsalt": "pfamnet",  # the same bytes each time
        "font.size": 11,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "grid.color": "#e6e6e6",
        "axes.prop_cycle": matplotlib.cycler(color=colours),
    }
    folder.mkdir(exist_ok=True)
    for name, (kind, key, panel) in PANELS.items():
        having = (
            [r for r in version if r["benchmark"] == kind and len(r.get(key) or ()) > 1]
            for version in results.values()
        )
        found = next(filter(None, having), None)
        if not found:
            continue
        # as wide as a page of text, so that it is not made smaller
        figure, axes = pyplot.subplots(len(found), 1, figsize=(8.4, 4.1 * len(found)), squeeze=False)
        figure.subplots_adjust(
            left=0.12, right=0.67, hspace=0.36, top=1 - 0.4 / (4.1 * len(found)), bottom=0.13
        )
        for place, result in zip(axes[:, 0], found):
            lines = panel(place, result)
            if which := result.get("split") or result.get("name"):
                place.set_title(f"{which}: {place.get_title(loc='left')}", loc="left")
            name_lines(place, lines)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
        print(f"{name}.svg")


def name_lines(axes, lines: dict) -> None:
    """Write the name of each line to the right of where it ends, in its colour, none over another."""
    least = 0.062  # of the height of the axes
    axes.figure.canvas.draw()
    ends = []
    for name, line in lines.items():
        across, up = axes.transAxes.inverted().transform(axes.transData.transform(line.get_xydata()[-1]))
        ends.append([min(max(up, 0), 1), across, name, line.get_color()])
    ends.sort(key=lambda end: end[0])
    places = [end[0] for end in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + least)
    over = max(0, places[-1] - 1) if places else 0
    for i in reversed(range(len(places))):
        places[i] = min(places[i] - over if i == len(places) - 1 else places[i], 1)
        if i + 1 < len(places):
            places[i] = min(places[i], places[i + 1] - least)
    for place, (up, across, name, colour) in zip(places, ends):
        axes.plot(
            [across, 1.02, 1.05],
            [up, place, place],
            transform=axes.transAxes,
            color=colour,
            lw=0.7,
            clip_on=False,
        )
        axes.text(1.06, place, name, transform=axes.transAxes, color=colour, va="center", fontsize=10)


def speed_by(key, measure, across, up):
    """A measure of each program against the number of families, or the length of the proteins."""

    def panel(axes, result):
        points, lines = {}, {}
        for level in result[key]:
            for name, row in level["programs"].items():
                points.setdefault(name, []).append((level.get("length", level.get("families")), measure(row)))
        for name, some in points.items():
            (lines[name],) = axes.loglog(*zip(*some), "o-", markersize=4)
        counts = {row["proteins"] for level in result[key] for row in level["programs"].values()}
        axes.set(xlabel=across, ylabel=up)
        axes.set_title(f"one run of {min(counts):,} to {max(counts):,} proteins a point", loc="left")
        return lines

    return panel


def recall_speed(axes, result):
    """Fraction found against speed, a point for each number of candidates."""
    points = [(row["residues_per_s"], row["identical"]["percent"]) for row in result["curve"]]
    (line,) = axes.semilogx(*zip(*points), "o-", markersize=4)
    intervals(axes, points, [row["identical"] for row in result["curve"]], line)
    for row, point in zip(result["curve"], points):
        axes.annotate(f"{row['candidates']:,}", point, xytext=(5, 5), textcoords="offset points", fontsize=9)
    (square,) = axes.plot(result["hmmsearch"]["residues_per_s"], 100, "s", color="#c1121f")
    axes.set(xlabel="residues per second", ylabel="% of the domains found")
    domains = result["curve"][0]["identical"]["of"]
    axes.set_title(
        f"{domains:,} domains of {result['proteins']['count']:,} proteins, by candidates; 95 % intervals",
        loc="left",
    )
    near = {"textcoords": "offset points", "fontsize": 10}
    axes.annotate("hmmsearch", square.get_xydata()[0], xytext=(-8, -16), color=square.get_color(), **near)
    axes.annotate("pfamnet", points[len(points) // 2], xytext=(-62, -4), color=line.get_color(), **near)
    return {}


def intervals(axes, points, shares, line):
    """The 95 % interval of each point of a line, in percent."""
    heights = [
        [max(0, up - share["interval"][0]) for (_, up), share in zip(points, shares)],
        [max(0, share["interval"][1] - up) for (_, up), share in zip(points, shares)],
    ]
    axes.errorbar(*zip(*points), yerr=heights, fmt="none", ecolor=line.get_color(), elinewidth=0.8, alpha=0.6)


def accuracy_curves(axes, result):
    """Rows that are not found, or wrong, against false calls on decoys."""
    lines, rows = {}, result["rows"]["test"]
    for name, points in result["curves"].items():
        across = [1000 * calls for calls, _ in points]
        lost = [100 - found for _, found in points]
        (lines[name],) = axes.loglog(across, [max(some, 0.1) for some in lost], "o-", markersize=3)
        bounds = [wilson(round(some * rows / 100), rows) for some in lost]
        low, high = ([max(100 * bound[side], 0.1) for bound in bounds] for side in (0, 1))
        axes.fill_between(across, low, high, color=lines[name].get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel="false calls per 1,000 decoys", ylabel="% not found, or wrong")
    axes.set_title(
        f"{rows:,} test rows, {sum(result['decoys'].values()):,} decoys; 95 % intervals", loc="left"
    )
    return lines


def accuracy_bins(field, across):
    """Errors in bins of training rows or identity; 0 has a place on the axis."""

    def panel(axes, result):
        lines, sizes = {}, {}
        for name, errors in result["errors"].items():
            bins = {bin: row for bin, row in errors[field].items() if row["of"]}
            sizes |= {bin: max(row["of"], sizes.get(bin, 0)) for bin, row in bins.items()}
            places = [(list(sizes).index(bin), row["percent"]) for bin, row in bins.items()]
            (lines[name],) = axes.plot(*zip(*places), "o-", markersize=3)
            intervals(axes, places, list(bins.values()), lines[name])
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(len(sizes)), [f"{bin}\n{size:,}" for bin, size in sizes.items()], fontsize=9)
        axes.set(xlabel=f"{across}; below, the number of rows", ylabel="% errors")
        axes.set_title("95 % intervals", loc="left")
        return lines

    return panel


def accuracy_evalues(axes, result):
    """Calls per decoy that were observed at an E-value, against those that are expected."""
    lines = {}
    for (name, kinds), colour in zip(result["evalues"].items(), ("C0", "C1", "C2", "C3", "C4")):
        for kind, style in zip(("shuffled", "reversed"), ("o-", "x:")):
            number = result["decoys"][kind]
            seen = [(row["nominal"], row["observed"]) for row in kinds.get(kind, ()) if row["observed"] > 0]
            if not seen:
                continue
            (line,) = axes.loglog(*zip(*seen), style, markersize=4, color=colour)
            spread = [1.96 * (calls / number) ** 0.5 for _, calls in seen]
            low = [max(calls - half, calls / 10) for (_, calls), half in zip(seen, spread)]
            high = [calls + half for (_, calls), half in zip(seen, spread)]
            axes.fill_between([x for x, _ in seen], low, high, color=colour, alpha=0.12, linewidth=0)
            lines.setdefault(name, line)
    ends = [1e-5, 10]
    axes.loglog(ends, ends, color="#999", linewidth=1)
    axes.fill_between(ends, [x / 2 for x in ends], [x * 2 for x in ends], color="#999", alpha=0.15)
    axes.set(xlabel="E-value", ylabel="calls per decoy")
    shuffled, reverse = (result["decoys"][kind] for kind in ("shuffled", "reversed"))
    axes.set_title(f"{shuffled:,} shuffled (lines), {reverse:,} reversed (dots); 95 % intervals", loc="left")
    return lines


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
