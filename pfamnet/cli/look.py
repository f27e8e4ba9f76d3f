"""`pfamnet-build` without building: `--plan` and `--explore`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryFile

from ..build.options import BuildOptions
from ..errors import PfamnetError, reason
from .common import refuse_others

# "cpu" and "device" have no effect, and do no harm
EXPLORES = {"explore", "domains", "families", "model_out", "trainsets", "cpu", "device"}


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
