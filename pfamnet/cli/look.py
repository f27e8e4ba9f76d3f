"""`pfamnet-build` without building: `--plan` and `--explore`, and what goes together with what."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryFile

import click
from click.core import ParameterSource

from ..errors import PfamnetError

# "cpu" and "device" are idle, and do no harm
EXPLORES = {"explore", "domains", "families", "model_out", "trainsets", "cpu", "device"}


def check_choices(trainsets, options, plan) -> None:
    """See that the options of a build go together.

    Raises click.UsageError where they do not.
    """
    if not trainsets:
        raise click.UsageError("Missing argument '<trainset> ...'.")
    if options["recipe"] and options["top"]:
        raise click.UsageError("--recipe says which families are taken: not together with --top")
    if plan and not options["recipe"]:
        raise click.UsageError("--plan prints the plan of a recipe: --recipe is missing")
    for name in ("lora", "freeze", "checkpoint_activations"):
        if options[name] and not options["base"]:
            raise click.UsageError(f"--{name.replace('_', '-')} is for fine-tuning ESM-2: --base is missing")
    if options["cut_domains"] and not options["domains"]:
        raise click.UsageError("--cut-domains needs a table of domains: --domains")


def print_plan(options) -> None:
    """What a build of these options would take, on stdout."""
    from ..build.inputs import planned, read_inputs

    trainset, _ = read_inputs(options)
    _, _, plan = planned(trainset, options)
    for warning in trainset.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print("\n".join(plan.lines()))


def explore_into(folder: str, trainsets, options) -> None:
    """Look at train sets, and write a page and tables of them into a directory.

    Raises click.UsageError for an option that only a build has; PfamnetError where
    the directory cannot be written to, and for what is wrong in the input.
    """
    from ..explore.page import PAGE, write_exploration
    from ..explore.statistics import explore

    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) == ParameterSource.COMMANDLINE
        if given and parameter.name not in EXPLORES:
            raise click.UsageError(f"--explore reads what is there: not together with {parameter.opts[0]}")
    made = opened(folder)
    try:
        found = explore(trainsets, options["domains"], options["families"])
        write_exploration(folder, found)
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
    """Make a directory where there is none, and see that it can be written to.

    Returns whether it was made. Raises PfamnetError where it is a file or not writable.
    """
    try:
        made = not os.path.isdir(folder)
        os.makedirs(folder, exist_ok=True)
        with TemporaryFile(dir=folder):
            return made
    except FileExistsError:
        raise PfamnetError(f"{folder}: exists, and is no directory") from None
    except OSError as error:
        raise PfamnetError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
