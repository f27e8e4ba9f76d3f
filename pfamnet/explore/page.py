"""The page of an exploration: pictures, and the first rows of its tables, in one file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from .. import __version__
from ..errors import PfamnetError
from ..io.replacing import replacing
from .statistics import NEAR, NEAR_KMERS, NEAR_MOST, Exploration
from .tables import shared_counts, tables, untrained

PAGE, MARK = "index.html", b"<p>pfamnet "  # by the mark a page of ours is recognised
SHOWN = 20  # rows of a table on the page
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8884; padding-top: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid #8884; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; max-width: 760px; display: block; }
@media (prefers-color-scheme: dark) { svg { filter: invert(1) hue-rotate(180deg); } }
"""
TSV = {"sep": "\t", "index": False, "lineterminator": "\n", "quoting": csv.QUOTE_NONE}
TSV |= {"na_rep": "-", "float_format": "%.6g"}
SVG = {"svg.fonttype": "none", "svg.hashsalt": "pfamnet", "text.parse_math": False}
NEAR_TEXT = (
    f"Near-duplicates share over {NEAR:.0%} of the 5-mers of the row with fewer, and at least {NEAR_KMERS}."
)
NOT_SEARCHED = f"Near-duplicates were not searched: the train set has over {NEAR_MOST:,} residues."


def write_exploration(folder: str | Path, found: Exploration, inputs: Iterable[str | Path] = ()) -> None:
    """Write the page and its tables into an existing directory, over those of an earlier exploration.

    Raises:
        PfamnetError: another file would be overwritten, or one of the `inputs`.
        OSError: something cannot be written; what was not there before is removed.
    """
    folder, every = Path(folder), tables(found)
    check_names(folder, [PAGE, *every], [path for path in inputs if Path(path).exists()])
    texts = {name: table.to_csv(**TSV) for name, table in every.items()} | {PAGE: page(found, every)}
    made = []
    try:
        for path, text in ((folder / name, text) for name, text in texts.items()):
            made += [] if path.exists() else [path]
            with replacing(path) as partial:
                partial.write_text(text, encoding="utf-8", newline="\n")
    except BaseException:
        for path in made:  # without the page they would not be known as ours
            path.unlink(missing_ok=True)
        raise


def check_names(folder: Path, names: Iterable[str], inputs: list[str | Path]) -> None:
    """Raise PfamnetError if a file of these names is an input, or was not written by an exploration."""
    explored = (folder / PAGE).is_file() and MARK in (folder / PAGE).read_bytes()
    for file in (folder / name for name in names):
        if file.exists() and not (explored and not any(file.samefile(path) for path in inputs)):
            raise PfamnetError(f"{file}: exists and would be overwritten; choose another directory")


def page(found: Exploration, every: dict[str, pd.DataFrame]) -> str:
    """The complete page as text."""
    title = escape("Train set: " + ", ".join(Path(path).name for path in found.paths))
    notes = [f"{untrained(found):,} families have rows, but none in train."] if untrained(found) else []
    sizes, counts = found.families["domains"], shared_counts(found)
    small = ", ".join(f"{(sizes < n).sum():,} have fewer than {n}" for n in (2, 5, 10, 50))
    kinds = found.conflicts["kind"].value_counts().reindex(["sequence", "near", "overlap"], fill_value=0)
    clans = every["clans.tsv"].set_index("clan", drop=False).drop("-", errors="ignore")
    letters = every["alphabet.tsv"]
    odd = [f"{letter} {n:,}" for letter, known, n, _ in letters.itertuples(index=False) if known == "no"]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>
<h1>{title}</h1>
{html_table(every["summary.tsv"])}
{"".join(f"<p>{escape(note)}</p>" for note in notes + found.warnings)}
<h2>Family sizes</h2>
{picture("Family sizes", draw_sizes, every["sizes.tsv"])}
<p>{len(sizes):,} families; median {sizes.median():,.0f} domains, largest {sizes.max():,}; {small}.</p>
{first_rows("families.tsv", found.families)}
<h2>Lengths</h2>
{picture("Lengths of the rows", draw_lengths, every["histogram.tsv"])}
{html_table(every["lengths.tsv"])}
<p>A limit on the length would cut off:</p>
{html_table(every["limits.tsv"].query("longer > 0"))}
<h2>Rows shared between folds</h2>
{"<p>There is only one fold.</p>" if counts.empty else html_table(counts)}
<p>{NEAR_TEXT if found.near else NOT_SEARCHED}</p>
{first_rows("shared.tsv", found.shared)}
<h2>Label conflicts</h2>
<p>{kinds["sequence"]:,} pairs of isolated domains have one sequence and two families.</p>
{f"<p>{kinds['near']:,} rows are largely part of a row of another family, or contain it.</p>" * found.near}
<p>{kinds["overlap"]:,} pairs of domains of two families share at least half of the residues of each.</p>
{first_rows("conflicts.tsv", found.conflicts)}
<h2>Clans</h2>
<p>{len(clans):,} clans; {(found.families["clan"] == "-").sum():,} families have none.</p>
{first_rows("clans.tsv", clans)}
<h2>Letters</h2>
{picture("Composition", draw_letters, letters)}
<p>{"Letters that are no amino acids: " + ", ".join(odd) if odd else "Only the twenty amino acids occur"}.</p>
<p>pfamnet {__version__}</p>
</body></html>
"""


def draw_sizes(axes: Axes, sizes: pd.DataFrame) -> None:
    axes.step(sizes["domains"], sizes["families_of_at_least"])
    axes.set(xscale="log", yscale="log", xlabel="domains", ylabel="families with at least so many")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(LogFormatter())
        axis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    axes.grid(alpha=0.3)


def draw_lengths(axes: Axes, histogram: pd.DataFrame) -> None:
    counts = histogram.set_index(histogram["from"].astype(str) + "–" + (histogram["below"] - 1).astype(str))
    counts = counts.drop(columns=["from", "below", "total"])
    (100 * counts / counts.sum()).plot.bar(ax=axes, width=0.85, rot=45, ylabel="percent", xlabel="residues")


def draw_letters(axes: Axes, letters: pd.DataFrame) -> None:
    axes.bar(letters["letter"], letters["percent"])
    axes.set(xlabel="letter", ylabel="percent")


def picture(title: str, draw: Callable[[Axes, pd.DataFrame], None], table: pd.DataFrame) -> str:
    """A picture of a table as SVG text, drawn by `draw`."""
    with rc_context(SVG):
        figure = Figure((7.6, 3.6), layout="constrained")
        draw(figure.subplots(), table)
        text = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=no_metadata)
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def first_rows(name: str, table: pd.DataFrame) -> str:
    """The first rows of a table, and where the others are."""
    if table.empty:
        return ""
    more = f"The first {SHOWN} of {len(table):,}; all are in" if len(table) > SHOWN else "Also in"
    return f"{html_table(table[:SHOWN])}<p>{more} {name}.</p>"


def html_table(table: pd.DataFrame) -> str:
    """A table in HTML, its numbers with thousands separators."""
    table = table.rename(columns=lambda name: name.replace("_", " "))
    whole = dict.fromkeys(table.select_dtypes("integer"), "{:,}".format)
    return table.to_html(index=False, border=0, na_rep="-", formatters=whole, float_format="{:,.6g}".format)
