"""The table of efficiency.json (see `tables.py`)."""

HEADER = [
    "",
    "residues/s",
    "residues/CPU s",
    "% padding",
    "peak MiB",
    "before training",
    "weights trained",
    "% of dev right (95 % interval)",
]


def efficiency(results):
    """A row for each way to train, also for those left out, with the reason in place of figures."""
    rows = []
    for result in results:
        for name, row in result["rows"].items():
            name = name if len(results) == 1 else f"{name}, {result['device']}"
            rows.append([name, *figures(row)])
    return HEADER, rows


def figures(row):
    if "left_out" in row:
        return [f"not measured here: {row['left_out']}", *["–"] * (len(HEADER) - 2)]
    right = row["dev_accuracy"]
    return [
        f"{row['residues_per_s']:,}",
        f"{row['residues_per_cpu_s']:,}",
        row["padding_percent"],
        f"{row['memory_peak_mib']:,.0f}",
        f"{row['memory_before_mib']:,.0f}",
        f"{row['parameters_trained']:,}",
        f"{right['percent']:.1f} ({right['interval'][0]:.1f} to {right['interval'][1]:.1f})",
    ]


def caption(results):
    """What each result was measured on, and how much it trained; and that there was no GPU."""
    without = (
        ""
        if any(r["device"] != "CPU" for r in results)
        else "\nNo GPU was there: its rows are not measured here.\n"
    )
    return (
        "".join(
            f"\n{r['machine']['cpu'] if r['device'] == 'CPU' else r['device']}, {r['machine']['cores_used']} core(s), "
            f"torch {r['machine']['torch']}; {r['base']}, {r['steps']} steps of {r['batch']:,} residues, "
            f"{r['families']} families.{before(r['rows'])}\n"
            for r in results
        )
        + without
    )


def before(rows):
    """What the head alone has right, where that was measured."""
    shares = [row["dev_accuracy_before"]["percent"] for row in rows.values() if "dev_accuracy_before" in row]
    return f" Before the steps {shares[0]:.1f} % of dev are right." if shares else ""
