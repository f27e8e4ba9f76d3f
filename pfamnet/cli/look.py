"""`pfamnet-build` without building (`--plan`, `--explore`), and which options exclude or need each other."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryFile

import click

from ..build.options import BuildOptions
from ..errors import PfamnetError, reason
from .common import refuse_others

# "cpu" and "device" have no effect, and do no harm
EXPLORES = {"explore", "domains", "families", "model_out", "trainsets", "cpu", "device"}


def check_choices(trainsets: tuple[str, ...], options: dict, plan: bool) -> None:
    """Raise click.UsageError if the options of a build do not go together."""
    if options["proteins"] and not options["hmm"]:
        raise click.UsageError("--proteins are searched with given profiles: --hmm is missing")
    if not (trainsets or options["hmm"]):
        raise click.UsageError("Missing argument '<trainset> ...', or profiles: --hmm.")
    if options["domains"] and not trainsets:
        raise click.UsageError("--domains is for full-length proteins: a <trainset> is missing")
    if not (trainsets or options["proteins"]):
        if options["recipe"]:
            raise click.UsageError("--recipe chooses among rows: a <trainset> or --proteins is missing")
        if not options["emit"]:
            raise click.UsageError("--emit 0 leaves nothing to learn from: no <trainset>, no --proteins")
    if plan and options["proteins"]:
        raise click.UsageError("--plan searches nothing: not together with --proteins")
    if options["recipe"] and options["max_families"]:
        raise click.UsageError("--recipe chooses the families: not together with --max-families")
    if plan and not options["recipe"]:
        raise click.UsageError("--plan prints the plan of a recipe: --recipe is missing")
    for name in ("lora", "freeze", "cache"):
        if options[name] and not options["base"]:
            raise click.UsageError(f"--{name} is for fine-tuning ESM-2: --base is missing")
    if options["cache"] and not options["freeze"]:
        raise click.UsageError("--cache keeps what frozen layers give: --freeze is missing")
    if options["cache"] and options["lora"]:
        raise click.UsageError("--lora trains adapters in all layers: not together with --cache")
    if options["cut_domains"] and not (options["domains"] or options["proteins"]):
        raise click.UsageError("--cut-domains needs a table of domains, --domains, or --proteins")
    if options["light_width"] and options["light_from"]:
        raise click.UsageError("--light-width is for a new network: not together with --light-from")
    if not (options["light_residues"] or options["light_from"]):
        raise click.UsageError("--light-residues 0 needs a model to take the network from: --light-from")


def print_plan(options: BuildOptions) -> None:
    """Print the plan of a recipe to stdout."""
    from ..build.inputs import read_inputs

    found = read_inputs(options)
    for warning in found.trainset.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print("\n".join(found.plan.lines()))


def explore_into(folder: str, trainsets: tuple[str, ...], options: dict) -> None:
    """Write a page and tables about train sets to a directory; refuse options that only a build has."""
    from ..explore.page import PAGE, write_exploration
    from ..explore.statistics import explore

    refuse_others(EXPLORES, "--explore builds nothing")
    made = opened(folder)
    try:
        found = explore(trainsets, options["domains"], options["families"])
        write_exploration(folder, found, filter(None, (*trainsets, options["domains"], options["families"])))
    except BaseException:
        if made and not os.listdir(folder):
            os.rmdir(folder)
        raise
    print(
        f"{Path(folder) / PAGE}: {len(found.rows):,} rows, {len(found.families):,} families; "
        f"{len(found.shared):,} rows shared between folds, {len(found.conflicts):,} label conflicts",
        file=sys.stderr,
    )


def opened(folder: str) -> bool:
    """Make a directory if there is none, and return whether it was made; it must be writable."""
    try:
        made = not os.path.isdir(folder)
        os.makedirs(folder, exist_ok=True)
        with TemporaryFile(dir=folder):
            return made
    except FileExistsError:
        raise PfamnetError(f"{folder}: exists and is no directory") from None
    except OSError as error:
        raise PfamnetError(f"{folder}: {reason(error)}") from None
