"""What the recipes gave: reads finished model directories, and trains nothing.

    python benchmarks/recipes.py MODEL ... --out FILE

Everything stands in each model's directory: plan, options and machine in `model.json`,
time in `training.tsv`.  Dev rows are those that the recipe's families have.
"""

import csv
import json
import shlex
from pathlib import Path, PurePath

import click
from common import machine, save, share

from pfamnet.cli.build import build
from pfamnet.trainset.recipes import RECIPES, with_defaults

PATHS = ("base", "domains", "families", "hmm", "light_from")


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(models, out):
    """Collect what models that were built by recipes took and are."""
    rows = sorted(
        (collected(Path(model)) for model in models), key=lambda row: list(RECIPES).index(row["recipe"])
    )
    save({"benchmark": "recipes", "read_on": machine(1), "models": rows}, out)


def collected(folder: Path) -> dict:
    """What stands in the table of one model.

    Raises click.UsageError for a directory that is no model, or of a build without a recipe.
    """
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        made = description["provenance"]
        plan = made["plan"]
        with open(folder / "training.tsv", encoding="utf-8", newline="") as file:
            log = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, ValueError, KeyError) as error:
        raise click.UsageError(f"{folder}: is no model of pfamnet-build ({error})") from None
    if not plan:
        raise click.UsageError(f"{folder}: was built without --recipe")
    return {
        "recipe": plan["recipe"],
        "families": plan["families"],
        "rows": plan["rows"],
        "plan": plan,
        "machine": made.get("machine"),
        "command": command(made["options"]),
        "networks": {
            name: figures(network["dev"], trained(name, log))
            for name, network in description["networks"].items()
        },
    }


def figures(dev: dict, training: dict) -> dict:
    """Accuracy over dev rows with its interval, macro-F1, and what the training took."""
    count = dev["regions"]
    return {
        "accuracy": share(round(dev["accuracy"] * count), count),
        "macro_f1": dev.get("macro_f1"),
        "mean_of_families": dev["family_mean"],
        "dev_families": dev.get("families"),
        **training,
    }


def trained(network: str, log: list[dict]) -> dict:
    """Minutes and residues of a network's training, by the last line of its log."""
    last = [line for line in log if line["network"] == network][-1:]
    return {
        "minutes": round(float(last[0]["seconds"]) / 60, 1) if last else 0.0,
        "residues": int(last[0]["residues"]) if last else 0,
    }


def command(options: dict) -> str:
    """The command line that these options came from, with the names of files alone."""
    asked = {param.name: param for param in build.params if isinstance(param, click.Option)}
    usual = with_defaults(
        build.make_context(build.name, ["MODEL"]).params | {"recipe": options.get("recipe")}
    )
    words = ["pfamnet-build"]
    for name, param in asked.items():
        value = options.get(name)
        if value is None or name not in options or value == usual[name] and name != "recipe":
            continue
        words.append(param.opts[0])
        if not param.is_flag:
            words.append(
                PurePath(value).name if name in PATHS and not is_hub_name(name, value) else str(value)
            )
    return shlex.join([*words, "MODEL", *(PurePath(path).name for path in options["trainsets"])])


def is_hub_name(option: str, value: str) -> bool:
    """Whether a base is ORG/NAME, not a directory."""
    return option == "base" and value.count("/") == 1


if __name__ == "__main__":
    main()
