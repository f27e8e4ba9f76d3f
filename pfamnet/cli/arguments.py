"""Which arguments of `pfamnet-scan` are the model and which are sequence files."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import PfamnetError
from ..io.signatures import ALIGNMENTS, PROFILES, SEQUENCES
from ..io.textfile import EmptyFile, file_chunks

FASTA = {".fa", ".fasta", ".faa", ".fas", ".fsa", ".aa", ".pep"}  # how FASTA files of proteins are named


def model_and_files(words: Sequence[str], format: str | None = None) -> tuple[str | None, list[str]]:
    """The model (None: the one that ships), and the sequence files, which are of `format` if one is given.

    Raises click.UsageError if a model stands where a sequence file must, or if there is none.
    """
    kinds = [kind_of(word, format) for word in words]
    if len(words) == 1:
        if kinds[0] == "model":
            raise click.UsageError(f"{words[0]} is a model: the sequence file is missing")
        return None, list(words)
    for word, kind in zip(words[1:], kinds[1:]):
        if kind == "model":
            order = f"the model comes before the sequence files: pfamnet-scan {word} {words[0]}"
            raise click.UsageError(f"{word} is a model; {order}")
    return (None, list(words)) if kinds[0] == "sequences" else (words[0], list(words[1:]))


def kind_of(path: str, format: str | None = None) -> str | None:
    """Whether a path is a "model" or holds "sequences", as far as its first bytes show; else None.

    What is empty holds sequences if it is named as FASTA files are.
    """
    if path == "-":
        return "sequences"
    if path.startswith("hf:") or os.path.isdir(path):
        return "model"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe can be read only once
            return None
        with contextlib.closing(file_chunks(path, lambda text: None)) as chunks:
            text = next(chunks).lstrip()
    except EmptyFile:
        text = b""
    except (OSError, PfamnetError):  # what is wrong comes out when it is read
        return None
    if text.startswith(PROFILES):
        return "model"
    is_empty = not text and not FASTA.isdisjoint(Path(path).suffixes)
    return "sequences" if format or is_empty or text.startswith((*SEQUENCES, *ALIGNMENTS)) else None
