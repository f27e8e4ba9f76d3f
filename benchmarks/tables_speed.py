"""The tables of speed.json, runtimes.json and candidates.json (see `tables.py`)."""

BEST = ("pyhmmer hmmsearch", "pyhmmer hmmscan")


def families(results):
    """Residues a second by number of families, and how many times the better of pyhmmer's two."""
    rows = []
    for result in results:
        for level in result["families"]:
            padded = f" ({level['padded']:,} padded)" if level["padded"] else ""
            base = max(level["programs"][name]["residues_per_s"] for name in BEST)
            rows += [
                [
                    f"{level['families']:,}{padded}",
                    name,
                    f"{row['proteins']:,}",
                    row["wall_s"],
                    row["cpu_s"],
                    row["peak_mib"],
                    f"{row['residues_per_s']:,}",
                    f"{row['residues_per_s'] / base:.2f}",
                ]
                for name, row in level["programs"].items()
            ]
        if "mmseqs" in result:
            row = result["mmseqs"]
            rows.append(
                [
                    f"{result['model']['families']:,}",
                    "MMseqs2, s 7.5",
                    f"{row['proteins']:,}",
                    row["wall_s"],
                    row["cpu_s"],
                    "–",
                    f"{row['residues_per_s']:,}",
                    "–",
                ]
            )
    return [
        "families",
        "program",
        "proteins",
        "wall s",
        "CPU s",
        "peak MiB",
        "residues/s",
        "times the better of pyhmmer",
    ], rows


SHOWN = ("pfamnet-scan default", "pfamnet-scan fast", "pyhmmer hmmsearch", "hmmscan")


def families_short(results):
    """Residues a second of the programs, one row for each number of families."""
    rows = [
        [f"{level['families']:,}", *(f"{level['programs'][name]['residues_per_s']:,}" for name in SHOWN)]
        for result in results
        for level in result["families"]
    ]
    return ["families, residues/s", *SHOWN], rows


def lengths(results):
    rows = [
        [
            f"{level['length']:,}",
            name,
            row["proteins"],
            row["wall_s"],
            row["cpu_s"],
            row["peak_mib"],
            f"{row['residues_per_s']:,}",
        ]
        for result in results
        for level in result.get("lengths", ())
        for name, row in level["programs"].items()
    ]
    return [
        "residues of each protein",
        "program",
        "proteins",
        "wall s",
        "CPU s",
        "peak MiB",
        "residues/s",
    ], rows


def files(results):
    rows = [
        [
            f"{level['proteins']:,}",
            row["wall_s"],
            row["cpu_s"],
            row["peak_mib"],
            row["first_row_s"],
            f"{row['proteins_per_s']:,}",
            f"{row['residues_per_s']:,}",
        ]
        for result in results
        for level in result["files"]
        for row in level["programs"].values()
    ]
    return [
        "proteins in the file",
        "wall s",
        "CPU s",
        "peak MiB",
        "first row after s",
        "proteins/s",
        "residues/s",
    ], rows


def runtimes(results):
    rows = [
        [name, row["import_s"], row["open_s"], f"{row['residues_per_s']:,}", f"{100 * row['agreement']:.1f}"]
        for result in results
        for name, row in result["runtimes"].items()
    ]
    return [
        "runtime",
        "import s",
        "open s",
        "residues/s, one thread",
        "% of the first 32 families as in float32",
    ], rows


def candidates(results):
    rows = [
        [f"{result['model']['families']:,}", rule, *row.values()]
        for result in results
        for rule, row in result["candidates_a_protein"].items()
    ]
    shares = next(iter(results[0]["candidates_a_protein"].values()))
    return ["families", "rule", *(f"{100 * float(share):g} %" for share in shares)], rows


def curve(results):
    rows = []
    for result in results:
        base = result["hmmsearch"]
        rows.append(
            [
                f"{result['model']['families']:,}",
                "hmmsearch, every profile",
                "100.00",
                base["cpu_s"],
                f"{base['residues_per_s']:,}",
                "1.00",
            ]
        )
        rows += [
            [
                f"{result['model']['families']:,}",
                f"at most {row['candidates']:,}",
                f"{row['identical']['percent']:.2f}",
                row["cpu_s"],
                f"{row['residues_per_s']:,}",
                f"{row['residues_per_s'] / base['residues_per_s']:.2f}",
            ]
            for row in result["pfamnet"]
        ]
    return [
        "families",
        "candidates for each 1,024 residues",
        "% of the domains at GA",
        "CPU s",
        "residues/s",
        "times hmmsearch",
    ], rows


def besides(results):
    """Domains that every profile under HMMER's filters does not give, and a sensitive scan does."""
    rows = [
        [
            result["model"]["families"],
            row["protein"],
            row["family"],
            f"{row['from']}-{row['to']}",
            row["score"],
            f"{row['i_evalue']:.1e}",
            row["source"],
            ", ".join(row["overlaps"]) or "–",
        ]
        for result in results
        if result.get("thresholds", "GA") == "GA"
        for row in result.get("besides_list", ())
    ]
    return [
        "families",
        "protein",
        "family",
        "residues",
        "bits",
        "i-Evalue",
        "source",
        "overlaps, at GA",
    ], rows
