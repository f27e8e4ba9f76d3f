"""A scan of some files with the options of `pfamnet-scan`, on the Python API."""

from __future__ import annotations

import contextlib
import gc
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from .. import __version__
from ..errors import PfamnetError
from ..signals import stopping_in_order
from .progress import Progress, plain_size, wanted
from .scan_settings import as_output_options, as_scan_options, inputs_of, outputs_of


def scan_files(
    model_path: str | None, files: list[str], options: dict, threads: int, warn: Callable[[str], None]
) -> None:
    """Scan sequence files; `warn` takes lines for the user."""
    from ..api import Model
    from ..model.hmm_database import find_database
    from ..output.journal import forget
    from ..scan.opening import needs_network

    say = warn if options["verbose"] else lambda text: None
    scan_options = as_scan_options(options, threads, warn)
    if model_path and needs_network(scan_options) and find_database(Path(model_path)):
        raise click.UsageError(f"{model_path} is an HMM database and has no network")
    model = Model(model_path, warn)
    gc.freeze()
    gc.enable()
    mode = model.mode(scan_options)
    chosen = f"mode {mode}" + (", chosen by --mode auto" if options["mode"] == "auto" else "")
    say(f"model {model.path}: {len(model.families)} families; {chosen}; {threads} threads")
    begun, done = time.monotonic(), Done()
    journal = journal_of(options, files, model)
    if journal and journal.queries:
        warn(f"note: resuming after {journal.queries:,} sequences")
    progress = Progress(plain_size(files)) if wanted(options["quiet"], options["out"] is None) else None
    settings = {"format": options["qformat"], "strict": options["strict_empty"], "processes": True}
    code = 1 if options["genetic_code"] is None else options["genetic_code"]
    settings["genetic_code"] = code if options["translate"] else None
    settings["skip"] = journal.queries if journal else 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopping_in_order())
        scan = stack.enter_context(model.start(files, scan_options, threads, **settings))
        outputs = stack.enter_context(scan.outputs(as_output_options(options, files, scan.exact)))
        if progress:
            stack.callback(progress.clear)
        if options["out"] is not None and not journal:
            forget(options["out"])
        if journal:
            stack.enter_context(journal.kept(outputs.writers))
        for protein in scan:
            record, hits = protein.record, protein.hits
            with journal.entered() if journal else contextlib.nullcontext():
                outputs.write(record, hits)
            done.add(record, hits)
            if progress:
                progress.add(record.name, record.description, len(record.sequence))
    if journal:
        journal.remove()
    say(f"{done} in {time.monotonic() - begun:.1f} s")


@dataclass
class Done:
    """What was scanned and found."""

    sequences: int = 0
    residues: int = 0
    hits: int = 0

    def add(self, record, hits) -> None:
        self.sequences, self.residues = self.sequences + 1, self.residues + len(record.sequence)
        self.hits += sum(hit.reported for hit in hits)

    def __str__(self) -> str:
        return f"{self.sequences} sequences, {self.residues} residues, {self.hits} hits"


def journal_of(options: dict, files: list[str], model):
    """The `Journal` of --resume; without it None."""
    from ..model.directory import description_digest
    from ..output.journal import Journal
    from ..output.outputs import KINDS

    outputs = outputs_of(options)
    if not options["resume"]:
        return None
    for kind, out in outputs:
        if out == "-":
            raise click.UsageError("--resume needs a file for the main output: -o is missing")
        if not KINDS[kind].lasting:
            raise click.UsageError(f"--resume cannot go on with an output of {kind}")
    words = [word for word in sys.argv[1:] if word != "--resume"]
    read = [*inputs_of(options, files), *database_files(model.path)]
    digest = description_digest(model.description)
    identity = [__version__, model.name, digest, *words, *map(state_of, read)]
    return Journal(options["out"], identity)


def database_files(path: Path) -> list[str]:
    """What is read of an HMM database; nothing of a model directory, whose digest tells it from others."""
    from ..model.hmm_database import dat_beside, find_database

    database = find_database(path)
    return [str(database), dat_beside(database) or ""] if database else []


def state_of(path: str) -> str:
    """What changes with the content of a file; nothing of what is no regular file."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return f"{status.st_size} {status.st_mtime_ns}"
    return "-"


def check_files(outputs: Iterable[str], inputs: Sequence[str]) -> None:
    """Raise click.UsageError if an output would destroy a file."""
    from ..output.overwriting import check_outputs

    try:
        check_outputs(outputs, inputs)
    except PfamnetError as error:
        raise click.UsageError(str(error)) from None
