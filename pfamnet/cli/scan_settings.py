"""What the options of `pfamnet-scan` come to: files, thresholds, and how to scan and to write."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from .scan_checks import CUTOFFS, LIMITS


def outputs_of(options: dict) -> list[tuple[str, str]]:
    """The kind and the file of each output, the main one first."""
    from ..output.outputs import KINDS

    main = options["report"], "-" if options["out"] is None else options["out"]
    return [main, *((kind, options[kind]) for kind in KINDS if options.get(kind))]


def journals_of(options: dict) -> list[str]:
    """The file that --resume keeps beside the main output."""
    from ..output.journal import ENDING

    return [f"{options['out']}{ENDING}"] if options["resume"] and options["out"] else []


def inputs_of(options: dict, files: Sequence[str]) -> list[str]:
    """The files that the command line names to be read, and model directories or databases."""
    families = options["families"]
    return [*files, families] if is_list(families) else list(files)


def is_list(families: str | None) -> bool:
    """Whether --families names a file of them."""
    return families is not None and os.path.exists(families) and not os.path.isdir(families)


def words_of(given: str | None, warn: Callable[[str], None]) -> tuple[str, ...] | None:
    """The families of --families: separated by commas, or the first words of a file's lines."""
    if not is_list(given):
        return given and tuple(filter(None, map(str.strip, given.split(","))))
    from ..io.textfile import numbered_lines

    lines = (line.split() for _, line in numbered_lines(given, True, warn))
    return tuple(words[0] for words in lines if words and not words[0].startswith("#"))


def as_thresholds(options: dict):
    """The `Thresholds` of the profile stage."""
    from ..profiles.thresholds import Thresholds

    names = (*LIMITS, "Z", "domZ", "seed", "F1", "F2", "F3")
    thresholds = Thresholds(
        bit_cutoffs=next((CUTOFFS[name] for name in CUTOFFS if options[name]), None),
        bias_filter=not options["nobias"],
        null2=not options["nonull2"],
        **{name: options[name] for name in names if options[name] is not None},
    )
    return thresholds.unfiltered() if options["max"] else thresholds


def as_scan_options(options: dict, threads: int, warn: Callable[[str], None]):
    """How to scan, as `ScanOptions`."""
    from ..scan.opening import ScanOptions

    return ScanOptions(
        sensitivity="fast" if options["fast"] else "sensitive" if options["sensitive"] else "default",
        device=options["device"] or "cpu",
        alignments=options["report"] == "text" or bool(options["stockholm"]),
        threads=threads,
        families=words_of(options["families"], warn),
        thresholds=as_thresholds(options),
        **{name: options[name] for name in ("mode", "network", "top", "clan_overlaps")},
    )


def as_output_options(options: dict, files: list[str], exact: bool):
    """What to write, as `OutputOptions`."""
    from ..output.outputs import OutputOptions

    words = ["pfamnet-scan", *sys.argv[1:]]
    if options["no_date"]:
        files, words = list(map(without_folder, files)), without_folders(words)
    return OutputOptions(
        " ".join(files),
        shlex.join(words),
        outputs_of(options),
        date=not options["no_date"],
        directory=None if options["no_date"] else here(),
        width=0 if options["notextw"] else options["textw"] or 120,
        exact=exact,
        title=options["title"] or (" ".join(map(os.path.basename, files)) if len(files) > 1 else None),
        **{name: options[name] for name in ("header", "acc", "noali")},
    )


def here() -> str | None:
    """The working directory; None if it was removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def without_folders(words: Sequence[str]) -> list[str]:
    """The words of a command line, those that name files without their folders; a title stays."""
    is_title = lambda option: len(option) > 3 and "--title".startswith(option)  # or what is typed of it
    titles = (is_title(before) or is_title(word.partition("=")[0]) for before, word in pairwise(["", *words]))
    return [word if title else without_folder(word) for word, title in zip(words, titles)]


def without_folder(word: str) -> str:
    """A word of the command line with only the name of a file, not its folder."""
    option, value = word.partition("=")[::2] if word.startswith("--") else ("", word)
    if word.startswith("-") and not option:  # -oFILE
        option, value = word[:2], word[2:]
    name = value if value.startswith("hf:") else os.path.basename(value.rstrip("/"))
    return f"{option}={name}" if word.startswith("--") and value else option + name
