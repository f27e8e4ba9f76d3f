"""Figures of accuracy.py's results, a panel for each split."""

from matplotlib import pyplot
from tables_accuracy import label

COLOURS = {
    "esm": "#1d4e89",
    "light": "#7fb3d5",
    "one pass": "#f4a261",
    "two passes": "#c1121f",
    "esm and candidates": "#0b6e4f",
    "esm and all": "#6bbf59",
    "light and candidates": "#a3b18a",
    "light and all": "#dad7cd",
    "neighbour, fine-tuned": "#6d597a",
    "neighbour, frozen": "#b8a9c9",
    "words": "#adb5bd",
}
MAIN = ("esm", "light", "one pass", "two passes", "esm and candidates", "light and candidates")


def draw(results, out, finish):
    """Draw every figure; `finish` saves one (figure, axes, path)."""
    tested = [r for r in results if r["errors"]]
    panels(
        tested,
        out / "accuracy_curves",
        curve,
        finish,
        "false calls a thousand decoys",
        "% of test rows not found, or wrong",
    )
    panels(tested, out / "accuracy_rows", bins("by_rows"), finish, "train rows of the family", "% errors")
    panels(
        tested,
        out / "accuracy_identity",
        bins("by_identity"),
        finish,
        "% identity to the nearest train row",
        "% errors",
    )
    panels(tested, out / "accuracy_evalues", evalues, finish, "nominal E-value", "calls a decoy")
    panels(
        tested,
        out / "accuracy_reliability",
        reliability,
        finish,
        "probability of the first family",
        "share right",
    )
    panels(tested, out / "accuracy_confusions", confusions, finish, "right family, by clan", "family named")
    panels(
        tested,
        out / "accuracy_training",
        training,
        finish,
        "residues, million",
        "loss (lines), 10 × dev error (dashed)",
    )


def panels(results, path, one, finish, across, up):
    figure, axes = pyplot.subplots(
        1, len(results), figsize=(4.6 * len(results), 4), layout="constrained", squeeze=False
    )
    for place, result in zip(axes[0], results):
        one(place, result)
        place.set(title=result["split"], xlabel=across, ylabel=up)
        place.grid(True, which="major", color="#eee")
    named = {}
    for place in axes[0]:
        named |= dict(zip(*reversed(place.get_legend_handles_labels())))
    figure.legend(
        named.values(),
        named,
        loc="outside lower center",
        ncols=2 * len(results) - 1,
        frameon=False,
        fontsize=8,
    )
    finish(figure, axes[0][0], path)


def curve(axes, result):
    for name, points in result["curves"].items():
        axes.loglog(
            [1000 * calls for calls, _ in points],
            [max(100 - found, 0.1) for _, found in points],
            "o-",
            markersize=3,
            color=COLOURS.get(name),
            label=label(name),
        )


def bins(field):
    def one(axes, result):
        shown = [name for name in MAIN if name in result["errors"]]
        names = list(next(iter(result["errors"].values()))[field])
        for number, name in enumerate(shown):
            shares = result["errors"][name][field]
            places = [i + (number - len(shown) / 2) * 0.8 / len(shown) for i in range(len(names))]
            axes.bar(
                places,
                [shares[b]["percent"] for b in names],
                0.8 / len(shown),
                align="edge",
                color=COLOURS[name],
                label=label(name),
            )
        axes.set_xticks(range(len(names)), names, fontsize=7)

    return one


def evalues(axes, result):
    for name, kinds in result["evalues"].items():
        for (kind, rows), style in zip(kinds.items(), ("-", ":")):
            seen = [(row["nominal"], row["observed"]) for row in rows if row["observed"] > 0]
            if seen:
                axes.loglog(
                    *zip(*seen),
                    style,
                    marker="o",
                    markersize=3,
                    color=COLOURS[name],
                    label=f"{label(name)}, {kind}",
                )
    ends = [1e-5, 10]
    axes.loglog(ends, ends, color="#999", linewidth=1)
    axes.fill_between(ends, [x / 2 for x in ends], [x * 2 for x in ends], color="#999", alpha=0.15)


def reliability(axes, result):
    axes.plot([0, 1], [0, 1], color="#999", linewidth=1)
    for name, view in result["reliability"].items():
        axes.plot(
            [s for s, _, _ in view["bins"]],
            [r for _, r, _ in view["bins"]],
            "o-",
            markersize=4,
            color=COLOURS[name],
            label=label(name),
        )


def confusions(axes, result):
    clans = [clan for _, _, clan in result["families"]]
    order = {
        family: place for place, family in enumerate(sorted(range(len(clans)), key=lambda i: (clans[i], i)))
    }
    for name, marker in (("esm", "o"), ("one pass", "x")):
        view = result["confusions"].get(name)
        if view is None:
            continue
        for within, colour in ((True, "#0b6e4f"), (False, "#c1121f")):
            pairs = [(order[a], order[b], n) for a, b, n in view["pairs"] if (clans[a] == clans[b]) == within]
            if pairs:
                x, y, n = zip(*pairs)
                axes.scatter(
                    x,
                    y,
                    [6 * k for k in n],
                    color=colour,
                    marker=marker,
                    linewidths=0.8,
                    alpha=0.6,
                    label=f"{label(name)}, {'within' if within else 'between'} clans: {sum(n)}",
                )


def training(axes, result):
    for name in ("esm", "light"):
        rows = [row for row in result["training"] if row[0] == name]
        if rows:
            across = [row[1] / 1e6 for row in rows]
            axes.plot(
                across, [row[2] for row in rows], "-", color=COLOURS[name], label=f"{label(name)}, loss"
            )
            axes.plot(
                across,
                [10 * (1 - row[3]) for row in rows],
                "--",
                color=COLOURS[name],
                label=f"{label(name)}, dev error × 10",
            )
