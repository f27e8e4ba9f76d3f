"""The page of an exploration: pictures and the first rows of its tables, in one file."""

from html import escape
from pathlib import Path

from pfamnet import __version__
from pfamnet.explore import tables as tabled
from pfamnet.explore.powerlaw import chance
from pfamnet.explore.statistics import NEAR, NEAR_MOST, Exploration
from pfamnet.explore.svg import Chart

PAGE = "index.html"
SHOWN = 20  # rows of a table on the page
STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --dim: #5c6b7a; --rule: #d8dfe6; --paper: #fff; --mark: #1f6feb; --law: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e9ef; --dim: #9aa8b5; --rule: #33404d; --paper: #141a20; --mark: #6ea8fe; --law: #fb923c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .15rem .7rem .15rem 0; text-align: right; white-space: nowrap; }
th { color: var(--dim); font-weight: 500; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
p.note { color: var(--dim); }
svg { width: 100%; max-width: 760px; display: block; font-size: 11px; }
svg text { fill: var(--dim); }
.grid { stroke: var(--rule); } .bar, .dot { fill: var(--mark); } .dot { fill-opacity: .7; }
.line { stroke: var(--law); stroke-width: 2; }
"""


def write_exploration(folder, found: Exploration) -> list[str]:
    """Write the page and its tables into a directory that is there; returns their names."""
    tables = tabled.tables(found)
    files = {PAGE: page(found, tables)} | {name: tabled.as_text(rows) for name, rows in tables.items()}
    for name, text in files.items():
        (Path(folder) / name).write_text(text, encoding="utf-8", errors="replace", newline="\n")
    return list(files)


def page(found: Exploration, tables: dict[str, list[tuple]]) -> str:
    """The whole page as text."""
    parts = [
        overview(found, tables),
        family_sizes(found, tables),
        sequence_lengths(found, tables),
        twins(found, tables),
        conflicts(found, tables),
        clans(found, tables),
        alphabet(found, tables),
    ]
    title = "Train set: " + ", ".join(Path(path).name for path in found.paths)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + f'\n<p class="note">pfamnet {__version__}</p></body></html>\n'
    )


def overview(found, tables) -> str:
    head = ("fold", "rows", "residues", "domains", "families")
    rows = [
        (
            fold,
            len(entries),
            int(found.lengths[fold].sum()),
            sum(found.domains[fold].values()),
            len(found.domains[fold]),
        )
        for fold, entries in found.rows.items()
    ]
    total = ("together", *(sum(row[i] for row in rows) for i in (1, 2, 3)), len(found.families))
    untrained = tabled.missing(found)
    notes = [f"{untrained:,} families have rows, but none in train."] if untrained else []
    return table([head, *rows, total]) + notes_of(notes + found.warnings)


def family_sizes(found, tables) -> str:
    rows = tables["sizes.tsv"][1:]
    chart = Chart(
        (1, max(row[0] for row in rows)),
        (1, len(found.families)),
        "domains of a family",
        "families of at least so many",
        True,
        True,
        "Sizes of the families",
    )
    for size, count, least in rows:
        chart.dot(size, least, f"{least:,} families have {size:,} domains or more; {count:,} have {size:,}")
    says, law = "Too few families for a power law.", found.law
    if law:
        top = max(row[0] for row in rows)
        xs = [law.xmin * (top / law.xmin) ** (i / 40) for i in range(41)]
        chart.line(
            [(x, max(law.tail * float(chance(law, x)), 1)) for x in xs], f"x to the power of -{law.alpha:.2f}"
        )
        verdict = (
            "no good account of the sizes" if law.p < 0.1 else "an account of the sizes that is not refused"
        )
        says = (
            f"Power law, discrete, of greatest likelihood (Clauset, Shalizi and Newman 2009): exponent {law.alpha:.3f} "
            f"± {law.error:.3f} from {law.xmin:,} domains on ({law.tail:,} of {law.count:,} families); distance "
            f"{law.distance:.4f} (Kolmogorov-Smirnov), P {law.p:.2f} of {law.draws} sets drawn from the law: {verdict}."
        )
    sizes = sorted(found.sizes.values())
    fewer = ", ".join(f"{sum(size < n for size in sizes):,} fewer than {n}" for n in (2, 5, 10, 50))
    return (
        section("Sizes of the families")
        + chart.svg()
        + note(says)
        + note(
            f"{len(sizes):,} families; median {sizes[len(sizes) // 2]:,} domains, largest {sizes[-1]:,}; {fewer}."
        )
        + first("families.tsv", tables)
    )


def sequence_lengths(found, tables) -> str:
    rows = tables["histogram.tsv"]
    place = rows[0].index("together")
    chart = Chart(
        (0, len(rows) - 1),
        (0, max(row[place] for row in rows[1:])),
        "residues (bins of unequal width)",
        "rows",
        title="Lengths of the rows",
        marks=[(i, str(row[0])) for i, row in enumerate(rows[1:])],
    )
    for i, row in enumerate(rows[1:]):
        chart.bar(i, i + 1, row[place], f"{row[place]:,} rows of {row[0]:,} to {row[1] - 1:,} residues")
    return (
        section("Lengths")
        + chart.svg()
        + table(tables["lengths.tsv"])
        + note("What a limit on the length would cut off:")
        + table(tables["limits.tsv"])
    )


def twins(found, tables) -> str:
    counts = [
        ("fold", "later fold", "of the same", "rows"),
        *((one, other, what, count) for (what, one, other), count in tabled.twin_counts(found).items()),
    ]
    repeats = [
        ("fold", "rows whose sequence came before", "whose name too"),
        *((fold, *pair) for fold, pair in found.repeats.items()),
    ]
    near = (
        f"Near twins share over {NEAR:.0%} of the words of 5 residues of the one with fewer, and at least ten."
        if found.near
        else f"Near twins were not looked for: there are over {NEAR_MOST:,} residues."
    )
    return (
        section("Duplicates, and twins in two folds")
        + table(repeats)
        + (table(counts) if len(counts) > 1 else note("One fold alone."))
        + note(near)
        + first("twins.tsv", tables)
    )


def conflicts(found, tables) -> str:
    kinds = {kind: sum(c.kind == kind for c in found.conflicts) for kind in ("sequence", "near", "overlap")}
    return (
        section("Label conflicts")
        + note(f"{kinds['sequence']:,} pairs of rows have one sequence and two families.")
        + (
            note(f"{kinds['near']:,} rows are in great part a row of another family (nested domains, say).")
            if found.near
            else ""
        )
        + note(
            f"{kinds['overlap']:,} pairs of domains of two families share at least half of the residues of each."
        )
        + first("conflicts.tsv", tables)
    )


def clans(found, tables) -> str:
    rows = tables["clans.tsv"]
    without = next((row for row in rows[1:] if row[0] == "-"), ("-", 0, 0))
    return (
        section("Clans")
        + note(
            f"{len(rows) - 1 - (without[1] > 0):,} clans; {without[1]:,} families "
            f"({without[2]:,} domains) have none."
        )
        + first("clans.tsv", tables, [row for row in rows[1:] if row[0] != "-"])
    )


def alphabet(found, tables) -> str:
    rows = tables["alphabet.tsv"][1:]
    total = sum(row[2] for row in rows) or 1
    chart = Chart(
        (0, len(rows)),
        (0, 100 * rows[0][2] / total),
        "letter",
        "percent",
        title="Composition",
        marks=[(i + 0.5, row[0]) for i, row in enumerate(rows)],
    )
    for i, (letter, _, count, percent) in enumerate(rows):
        chart.bar(i, i + 1, 100 * count / total, f"{letter}: {count:,} ({percent} %)")
    odd = [f"{letter} {count:,}" for letter, known, count, _ in rows if known == "no"]
    says = (
        f"Letters that are no amino acid, in {found.odd:,} rows: {', '.join(odd)}."
        if odd
        else "The twenty amino acids, and no other letter."
    )
    return section("Letters") + chart.svg() + note(says)


def section(title) -> str:
    return f"<h2>{escape(title)}</h2>"


def note(text) -> str:
    return f'<p class="note">{escape(text)}</p>'


def notes_of(texts) -> str:
    return "".join(map(note, texts))


def first(name, tables, rows=None) -> str:
    """The first rows of a table, and where the others are."""
    every = tables[name][1:] if rows is None else rows
    if not every:
        return ""
    more = (
        f"The first {SHOWN} of {len(every):,}; all are in {name}."
        if len(every) > SHOWN
        else f"Also in {name}."
    )
    return table([tables[name][0], *every[:SHOWN]]) + note(more)


def table(rows) -> str:
    """Rows as a table, the header first."""

    def cell(value, tag="td"):
        return f"<{tag}>{escape(f'{value:,}' if isinstance(value, int) else str(value))}</{tag}>"

    head = "".join(cell(str(value).replace("_", " "), "th") for value in rows[0])
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows[1:])
    return f"<table><tr>{head}</tr>{body}</table>"
