"""Renders the tables of README.md and benchmarks/README.md from benchmarks/results.

A table stands between `<!-- table:NAME -->` and `<!-- /table -->`; everything
between is replaced by what the results say.

    python benchmarks/tables.py           write
    python benchmarks/tables.py --check   say whether they are current (status 1: no)
"""

import json
import re
import sys
from pathlib import Path

import click
import tables_accuracy
import tables_architectures
import tables_efficiency
import tables_rates
import tables_recipes
import tables_speed
from common import percent

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- table:([\w-]+) -->\n)(.*?)(<!-- /table -->)", re.DOTALL)
NOTHING = "*(not measured yet)*\n"


@click.command()
@click.option("--check", is_flag=True, help="change nothing; status 1 if a table is not current")
@click.option("--results", default=ROOT / "benchmarks/results", type=click.Path(file_okay=False))
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False))
def main(check, results, files):
    """Render or check the tables of FILES  [the READMEs here, in benchmarks/ and data/]."""
    loaded, stale = load(results), 0
    for path in map(
        Path, files or (ROOT / "README.md", ROOT / "benchmarks/README.md", ROOT / "data/README.md")
    ):
        text = path.read_text(encoding="utf-8")
        rendered = render(text, loaded)
        if rendered != text:
            stale += 1
            print(f"{path.name}: {'not current' if check else 'written'}")
            if not check:
                path.write_text(rendered, encoding="utf-8")
    sys.exit(1 if check and stale else 0)


def load(folder):
    """The results by benchmark, each a list in the order of the file names."""
    results = {}
    for path in sorted(Path(folder).glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        kind = result.get("benchmark", "profiles" if "aligners" in result else path.stem)
        results.setdefault(kind, []).append(result)
    return results


def render(text, results):
    """A text with all its tables made anew."""

    def table(match):
        if match[2] not in TABLES:
            raise click.ClickException(f"no table is named '{match[2]}'")
        kind, make = TABLES[match[2]]
        body = make(results[kind]) if results.get(kind) else NOTHING
        return f"{match[1]}{body}{match[4]}"

    return BLOCK.sub(table, text)


def markdown(header, rows):
    """A Markdown table; every column but the first is set to the right.

    >>> print(markdown(["a", "b"], [["x", 1]]), end="")
    | a | b |
    |---|--:|
    | x | 1 |
    """
    lines = [header, None, *rows]
    cells = [
        "|---" + "|--:" * (len(header) - 1) + "|"
        if line is None
        else "| " + " | ".join(map(str, line)) + " |"
        for line in lines
    ]
    return "\n".join(cells) + "\n"


def thousands(number):
    return f"{number:,}"


def where(result):
    """What a result was measured on, as a caption."""
    on = result["machine"]
    versions = ", ".join(f"{name} {on[name]}" for name in ("pyhmmer", "onnxruntime") if on.get(name))
    return f"\n{on['cpu']}, {on['cores_used']} core(s), {versions}.\n"


def scanned(result):
    by = result.get("thresholds", "GA")
    return f"{result['model']['families']} families, {result['mode']}" + ("" if by == "GA" else f", {by}")


def recall(results):
    rows = [
        [
            scanned(r),
            thousands(r["proteins"]["count"]),
            thousands(r["identical"]["of"]),
            percent(r["identical"]),
            percent(r["best_of_clans"], False),
            r["domains"]["lost"],
            r["besides"],
            r["network_calls"]["domains"],
        ]
        for r in results
    ]
    return markdown(
        [
            "model, mode",
            "proteins",
            "domains",
            "% identical (95 % interval)",
            "% of best in clan",
            "lost",
            "besides",
            "network alone (default E)",
        ],
        rows,
    ) + where(results[0])


def recall_by(field):
    def table(results):
        bins = list(dict.fromkeys(name for r in results for name in r[field]))
        rows = [[scanned(r), *(cell(r[field].get(name)) for name in bins)] for r in results]
        return markdown(["model, mode", *bins], rows)

    def cell(share):
        return f"{share['percent']:.1f} of {share['of']}" if share else "–"

    return table


def lost(results):
    reasons = sorted({name for r in results for name in r["lost"]["why"]})
    rows = [
        [
            scanned(r),
            r["lost"]["domains"],
            *(r["lost"]["why"].get(name, 0) for name in reasons),
            r["lost"]["overlapped_by_another_family"],
        ]
        for r in results
    ]
    return markdown(["model, mode", "lost", *reasons, "overlapped by another family"], rows)


def among_first(results):
    numbers = list(results[0]["among_first"])
    rows = [[scanned(r), *(percent(r["among_first"][n], False) for n in numbers)] for r in results]
    return markdown(["model, mode", *numbers], rows)


def speed(results):
    rows = [row for r in results for row in speed_rows(r)]
    return markdown(
        [
            "",
            "wall s",
            "CPU s",
            "proteins/s",
            "residues/s",
            "start-up s",
            "residues/s with start-up",
            "times",
        ],
        rows,
    ) + where(results[0])


def speed_rows(result):
    base = result["speed"]["pyhmmer"]["wall_s"]
    for name, label in (("pyhmmer", "pyhmmer hmmsearch, every profile"), ("pfamnet", "pfamnet")):
        row = result["speed"][name]
        yield [
            f"{label} ({scanned(result)})",
            row["wall_s"],
            row["cpu_s"],
            row["proteins_per_s"],
            thousands(row["residues_per_s"]),
            row["startup"]["wall_s"],
            thousands(row["residues_per_s_with_startup"]),
            f"{base / row['wall_s']:.2f}",
        ]


def programs(results):
    rows = [
        [
            f"{name} ({scanned(r)})",
            r["programs"]["proteins"],
            r["programs"][name]["wall_s"],
            r["programs"][name]["cpu_s"],
        ]
        for r in results
        if "programs" in r
        for name in ("hmmscan", "pfamnet-scan")
        if name in r["programs"]
    ]
    return markdown(["whole command", "proteins", "wall s", "CPU s"], rows)


def gathering(results):
    rows = [
        [
            r["fold"],
            name,
            percent(counts["found"]),
            *(thousand(counts[kind], r["families"]) for kind in ("others", "reversed", "shuffled")),
        ]
        for r in results
        for name, counts in r["rules"].items()
    ]
    return markdown(
        ["fold", "calls by", "% found (95 % interval)", "other families", "reversed", "shuffled"], rows
    ) + where(results[0])


def thousand(share, families):
    """Calls of a thousand sequences that are searched with so many families."""
    return f"{1000 * families * share['count'] / share['of']:.2f}"


def startup(results):
    rows = [
        [
            f"`{name}`",
            r["model"]["families"],
            row["wall_s"],
            row["wall_least_s"],
            row["wall_most_s"],
            row["cpu_s"],
        ]
        for r in results
        for name, row in r["commands"].items()
    ]
    return markdown(["command", "families", "wall s (median)", "least", "most", "CPU s"], rows) + where(
        results[0]
    )


def imports(results):
    rows = [[name, ms] for name, ms in results[0]["imports_of_scan"]["packages_ms"].items()]
    return markdown(["package", "ms"], rows)


def profiles(results):
    rows = [
        [
            r["fold"],
            name,
            a["build_cpu_s"],
            *(
                f"{a[p]['percent']:.2f} ({a[p]['interval'][0]:.2f} to {a[p]['interval'][1]:.2f})"
                for p in ("one_pass", "two_passes")
            ),
        ]
        for r in results
        for name, a in r["aligners"].items()
    ]
    return markdown(["fold", "aligner", "build, CPU s", "% errors, one pass", "% errors, two passes"], rows)


def hmmscan_rows(results):
    rows = [
        [
            f"{r['profiles']} profiles, {r['proteins']} proteins",
            " ".join([kind, *options]),
            thousands(t["rows"]),
            thousands(t["fields"]),
            t["rows that differ"],
            t["fields that differ"],
            "yes" if t["lines identical with blanks and headers"] else "no",
        ]
        for r in sorted(results, key=lambda r: r["model"] is not None)
        for name, options in (("default", []), ("cut_ga", ["--cut_ga"]))
        for kind, t in r["profiles mode"][name].items()
    ]
    return markdown(
        [
            "",
            "table",
            "rows",
            "fields",
            "rows that differ",
            "fields that differ",
            "headers and blanks the same",
        ],
        rows,
    ) + where(results[0])


def hmmscan_hybrid(results):
    rows = [
        [
            kind + (" --domZ" if name == "domZ" else ""),
            thousands(t["rows of hmmscan"]),
            thousands(t["rows that both report"]),
            thousands(t["fields compared"]),
            columns_that_differ(t),
            t["rows of the network alone"],
            t["other rows that hmmscan lacks"],
        ]
        for r in results
        for name, tables in r.get("hybrid mode", {}).items()
        for kind, t in tables.items()
    ]
    return markdown(
        [
            "table",
            "rows of hmmscan",
            "reported by both",
            "their fields",
            "fields that differ",
            "by the network alone",
            "else besides",
        ],
        rows,
    )


def columns_that_differ(table):
    """How many fields differ, and in which columns."""
    columns = table["fields that differ, by column"]
    return ", ".join(f"{count} in column {column}" for column, count in columns.items()) or 0


def rendered(make):
    """A table of `tables_speed` as Markdown, with its caption."""
    return lambda results: markdown(*make(results)) + where(results[0])


def efficiency(results):
    return markdown(*tables_efficiency.efficiency(results)) + tables_efficiency.caption(results)


def rates(results):
    return markdown(*tables_rates.rates(results)) + tables_rates.caption(results)


def recipes(results):
    return markdown(*tables_recipes.recipes(results)) + tables_recipes.commands(results)


def architectures(results):
    return markdown(*tables_architectures.architectures(results)) + tables_architectures.caption(results)


def accuracy(make):
    """A table of `tables_accuracy`, of the splits in this order."""
    order = ("random", "clustered", "reduced")
    return lambda results: (
        markdown(*make(sorted(results, key=lambda r: order.index(r["split"])))) + where(results[0])
    )


TABLES = {
    "accuracy": ("accuracy", accuracy(tables_accuracy.errors)),
    "accuracy-by-rows": ("accuracy", accuracy(tables_accuracy.by("by_rows"))),
    "accuracy-by-identity": ("accuracy", accuracy(tables_accuracy.by("by_identity"))),
    "accuracy-by-length": ("accuracy", accuracy(tables_accuracy.by("by_length"))),
    "accuracy-curves": ("accuracy", accuracy(tables_accuracy.curves)),
    "accuracy-evalues": ("accuracy", accuracy(tables_accuracy.evalues)),
    "accuracy-left-out": ("accuracy", accuracy(tables_accuracy.left_out)),
    "accuracy-few": ("accuracy", accuracy(tables_accuracy.few)),
    "accuracy-phmmer": ("accuracy", accuracy(tables_accuracy.phmmer)),
    "accuracy-reliability": ("accuracy", accuracy(tables_accuracy.reliability)),
    "architectures": ("architectures", architectures),
    "speed-families": ("speed", rendered(tables_speed.families)),
    "speed-short": ("speed", rendered(tables_speed.families_short)),
    "speed-lengths": ("speed", rendered(tables_speed.lengths)),
    "speed-files": ("speed", rendered(tables_speed.files)),
    "runtimes": ("runtimes", rendered(tables_speed.runtimes)),
    "curve": ("curve", rendered(tables_speed.curve)),
    "recall-besides": ("recall", rendered(tables_speed.besides)),
    "candidates": ("candidates", rendered(tables_speed.candidates)),
    "efficiency": ("efficiency", efficiency),
    "gathering": ("gathering", gathering),
    "hmmscan-rows": ("hmmscan_rows", hmmscan_rows),
    "hmmscan-hybrid": ("hmmscan_rows", hmmscan_hybrid),
    "rates": ("rates", rates),
    "recipes": ("recipes", recipes),
    "recall": ("recall", recall),
    "recall-by-rows": ("recall", recall_by("by_rows")),
    "recall-by-length": ("recall", recall_by("by_length")),
    "recall-lost": ("recall", lost),
    "recall-among-first": ("recall", among_first),
    "speed": ("recall", speed),
    "programs": ("recall", programs),
    "startup": ("startup", startup),
    "imports": ("startup", imports),
    "profiles": ("profiles", profiles),
}

if __name__ == "__main__":
    main()
