"""What does a way to train cost, and what does it give?  Runs pfamnet-build once for each variant.

Every variant is a name and the options in which it differs; all else is the same.

    python benchmarks/training.py --name precision --work DIR --out FILE \\
        --variant fp32 "--precision fp32" --variant bf16 "--precision bf16" -- \\
        --base ESM2 --esm-residues 400000 --light-residues 1000000 --cpu 1 SPLIT

The same command continues where it was interrupted, and builds the variants that were added.
"""

import csv
import json
import shlex
import subprocess
from pathlib import Path

import click
from common import machine, markdown, percent, program, rates, read_model, run, save, share

from pfamnet.io.fasta import read_fasta


@click.command()
@click.option("--name", default="training", show_default=True, help="of the table")
@click.option("--variant", "variants", nargs=2, multiple=True, required=True, metavar="NAME OPTIONS")
@click.option(
    "--work", required=True, type=click.Path(file_okay=False, path_type=Path), help="for the models"
)
@click.option("--proteins", type=click.Path(exists=True, dir_okay=False), help="time each network's scan")
@click.option("--cpu", default=1, show_default=True, help="threads of these scans")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="JSON file for the results")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def main(name, variants, work, proteins, cpu, out, arguments):
    """Compare variants of a build; ARGUMENTS are the options and train sets that all of them have."""
    result = begun(out, {"benchmark": "training", "name": name, "arguments": shown(arguments)})
    result["machine"] = machine(cpu, ("numpy", "pyhmmer", "onnxruntime", "torch"))
    work.mkdir(parents=True, exist_ok=True)
    for variant, options in variants:
        if "networks" not in result["variants"].get(variant, {}):
            folder = work / "".join(c if c.isalnum() else "_" for c in variant)
            row = {"options": options, **built(folder, [*shlex.split(options), *arguments])}
            if proteins and "networks" in row:
                row["scan"] = scanned(folder, proteins, cpu)
            result["variants"][variant] = row
        save(result | {"tables": {name: table(result)}}, out)


def begun(out: str, result: dict) -> dict:
    """The result so far.

    Raises:
        click.ClickException: it was made with other arguments.
    """
    if not Path(out).exists():
        return result | {"variants": {}}
    before = json.loads(Path(out).read_text(encoding="utf-8"))
    if any(before[key] != result[key] for key in result):
        raise click.ClickException(f"{out}: was made with other arguments: {before['arguments']}")
    return before


def shown(arguments) -> str:
    """Arguments as text, with the names of files alone."""
    return shlex.join(Path(word).name if Path(word).exists() else word for word in arguments)


def built(folder: Path, arguments: list[str]) -> dict:
    """Build a model, or continue an interrupted build; what it took and what it gave."""
    cost = {}
    if not folder.exists():
        resume = ["--resume"] if folder.with_name(f"{folder.name}.work").exists() else []
        with open(f"{folder}.log", "ab") as log:
            try:
                cost = run([*program("pfamnet-build"), *resume, folder, *arguments], log=log)
            except subprocess.CalledProcessError:
                lines = Path(f"{folder}.log").read_text(encoding="utf-8").splitlines()
                return {"left_out": lines[-1] if lines else "no message"}
        if resume:
            cost = {}  # of a part of the build
    return {**cost, **collected(folder)}


def collected(folder: Path) -> dict:
    """What a model directory says of its training and of its validation set."""
    model, last = read_model(folder), {}
    with open(folder / "training.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            last[row["network"]] = {"residues": int(row["residues"]), "seconds": float(row["seconds"])}
    networks = {}
    for name, network in model.description["networks"].items():
        dev = network["dev"]
        networks[name] = {
            **last.get(name, {"residues": 0, "seconds": 0.0}),
            "accuracy": share(round(dev["accuracy"] * dev["regions"]), dev["regions"]),
            "macro_f1": dev.get("macro_f1"),
            "recall": dev["recall"],
        }
    errors = {name: fitted["errors"] for name, fitted in (model.description.get("combination") or {}).items()}
    return {"families": len(model.families), "networks": networks, "errors_of_top": errors}


def scanned(folder: Path, proteins: str, cpu: int) -> dict:
    """`pfamnet-scan --mode network` with the light network: run once before it counts."""
    command = [*program("pfamnet-scan"), "--mode", "network", "--network", "light", "--cpu", cpu]
    run([*command, "-o", "/dev/null", folder, proteins])
    return rates(run([*command, "-o", "/dev/null", folder, proteins]), list(read_fasta(proteins)))


def table(result: dict) -> str:
    """A row for each network of each variant; for those left out, the reason."""
    rows = []
    for name, variant in result["variants"].items():
        if "left_out" in variant:
            rows.append([name, f"not measured: {variant['left_out']}", *["–"] * 7])
        for network, row in variant.get("networks", {}).items():
            speed = f"{row['residues'] / row['seconds']:,.0f}" if row["seconds"] else "–"
            scan = (
                f"{variant['scan']['residues_per_s']:,}" if "scan" in variant and network == "light" else "–"
            )
            rows.append(
                [
                    name,
                    network,
                    f"{row['residues']:,}",
                    speed,
                    f"{variant['peak_mib']:,.0f}" if "peak_mib" in variant else "–",
                    f"{row['accuracy']['of']:,}",
                    percent(row["accuracy"]),
                    "–" if row["macro_f1"] is None else f"{row['macro_f1']:.3f}",
                    scan,
                ]
            )
    header = ["variant", "network", "residues trained on", "residues/s", "peak MiB", "validation domains"]
    header += ["% correct (95 % interval)", "macro-F1", "scan, residues/s"]
    return markdown(header, rows, result) + f"\nAll: `{result['arguments']}`\n"


if __name__ == "__main__":
    main()
