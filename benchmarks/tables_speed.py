"""The tables of speed.json, runtimes.json and candidates.json (see `tables.py`)."""

BEST = ("pyhmmer hmmsearch", "pyhmmer hmmscan")


def families(results):
    """Residues a second by number of families, and how many times the better of pyhmmer's two."""
    rows = []
    for result in results:
        for level in result["families"]:
            padded = f" ({level['padded']:,} padded)" if level["padded"] else ""
            base = max(level["programs"][name]["residues_per_s"] for name in BEST)
            rows += [[f"{level['families']:,}{padded}", name, f"{row['proteins']:,}", row["wall_s"], row["cpu_s"],
                      row["peak_mib"], f"{row['residues_per_s']:,}", f"{row['residues_per_s'] / base:.2f}"]
                     for name, row in level["programs"].items()]
        if "mmseqs" in result:
            row = result["mmseqs"]
            rows.append([f"{result['model']['families']:,}", "MMseqs2, s 7.5", f"{row['proteins']:,}", row["wall_s"],
                         row["cpu_s"], "–", f"{row['residues_per_s']:,}", "–"])
    return ["families", "program", "proteins", "wall s", "CPU s", "peak MiB", "residues/s",
            "times the better of pyhmmer"], rows


def lengths(results):
    rows = [[f"{level['length']:,}", name, row["proteins"], row["wall_s"], row["cpu_s"], row["peak_mib"],
             f"{row['residues_per_s']:,}"]
            for result in results for level in result.get("lengths", ())
            for name, row in level["programs"].items()]
    return ["residues of each protein", "program", "proteins", "wall s", "CPU s", "peak MiB", "residues/s"], rows


def files(results):
    rows = [[f"{level['proteins']:,}", row["wall_s"], row["cpu_s"], row["peak_mib"], row["first_row_s"],
             f"{row['proteins_per_s']:,}", f"{row['residues_per_s']:,}"]
            for result in results for level in result["files"]
            for row in level["programs"].values()]
    return ["proteins in the file", "wall s", "CPU s", "peak MiB", "first row after s", "proteins/s",
            "residues/s"], rows


def runtimes(results):
    rows = [[name, row["import_s"], row["open_s"], f"{row['residues_per_s']:,}", f"{100 * row['agreement']:.1f}"]
            for result in results for name, row in result["runtimes"].items()]
    return ["runtime", "import s", "open s", "residues/s, one thread", "% of the first 32 families as in float32"], rows


def candidates(results):
    rows = [[f"{result['model']['families']:,}", rule, *row.values()] for result in results
            for rule, row in result["candidates_a_protein"].items()]
    shares = next(iter(results[0]["candidates_a_protein"].values()))
    return ["families", "rule", *(f"{100 * float(share):g} %" for share in shares)], rows
