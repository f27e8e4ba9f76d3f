"""The table of rates.json (see `tables.py`)."""

HEADER = [
    "recipe",
    "before the first step, % of dev right",
    "trained",
    "joined with the discriminant (95 % interval)",
    "CPU s",
]


def rates(results):
    """A row for each recipe."""
    return HEADER, [
        [
            name,
            *(f"{row[part]['percent']:.1f}" for part in ("before", "after")),
            interval(row["joined"]),
            f"{row['cpu_s']:.0f}",
        ]
        for result in results
        for name, row in result["rows"].items()
    ]


def interval(right):
    return f"{right['percent']:.1f} ({right['interval'][0]:.1f} to {right['interval'][1]:.1f})"


def caption(results):
    """What the rows were trained on, and by which machine."""
    return "".join(
        f"\n{r['machine']['cpu']}, 1 core, torch {r['machine']['torch']}; {r['base']}, {r['families']} families of "
        f"{r['data']}, {r['residues']:,} residues in steps of {r['batch']:,}; {first(r)['after']['of']} dev domains.\n"
        for r in results
    )


def first(result):
    return next(iter(result["rows"].values()))
