"""The table of architectures.json (see `tables.py`)."""


def architectures(results):
    """A row for each variant of the light network; speeds that are the first one's are left out."""
    header = [
        "variant",
        *(f"% among the first {n}" for n in first(results[0])["among_first"]),
        "mean place",
        "% named rightly",
        "weights",
        "MFLOP a residue",
        "fp32, residues/s",
        "int8, residues/s",
        "training, CPU s",
    ]
    rows = [
        [
            name,
            *(f"{100 * share:.1f}" for share in row["among_first"].values()),
            f"{row['mean_rank']:.1f}",
            f"{100 * row['accuracy']:.1f}",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['mflop_a_residue']:.2f}",
            *speeds(row),
            f"{row['train_cpu_s']:.0f}",
        ]
        for result in results
        for name, row in result["variants"].items()
    ]
    return header, rows


def first(result):
    return next(iter(result["variants"].values()))


def speeds(row):
    if "int8_residues_per_cpu_s" not in row:  # of the first one's shape
        return "–", "–"
    return f"{row['fp32_residues_per_cpu_s']:,}", f"{row['int8_residues_per_cpu_s']:,}"


def caption(results):
    """What each result was trained on, measured on, and by which machine."""
    return "".join(
        f"\n{r['machine']['cpu']}, one thread, torch {r['machine']['torch']}, onnxruntime "
        f"{r['machine']['onnxruntime']}; {r['families_learnt']:,} families, {r['train_sequences']:,} train sequences, "
        f"{r['options']['residues']:,} residues in steps of {r['options']['batch']:,}; "
        f"{first(r)['domains']:,} dev domains.\n"
        for r in results
    )
