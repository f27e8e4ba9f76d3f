"""All output files of a scan: written query by query, whole or marked as not.

A run that fails leaves no table that looks whole: hmmscan's formats then lack
their trailer, and the others end in a line that says so.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import time
from pathlib import Path

import click

from .. import __version__  # formats that few ask for are imported when they are
from ..cli.common import os_reason
from ..errors import PfamnetError
from .hmmscan_tables import DomtblWriter, PfamtblWriter, TblWriter, TsvWriter
from .table_headers import Trailer

FILES = ("out", "tblout", "domtblout", "pfamtblout", "gff3", "json_lines")


class Outputs:
    """The files that the options of a scan ask for.

    Arguments:
        options: of the command line.
        query, target: the sequence file, and the model's name, for trailers.
        thresholds: of the scan.
        families: of the model.

    Raises:
        PfamnetError: a file cannot be written.
        click.UsageError: a file is named twice, or is the one to be read.
    """

    def __init__(self, options: dict, query: str, target: str, thresholds, families: list):
        self.all_at_once = options["line_buffered"]
        check_paths([query], [options[name] for name in FILES if options[name]])
        self.live = options["out"] is None and is_live(sys.stdout)
        self.writers = []
        dated = not options["no_date"]
        trailer = make_trailer(query, target, dated)
        kinds = {
            "tblout": lambda path: TblWriter(path, trailer),
            "domtblout": lambda path: DomtblWriter(path, trailer),
            "pfamtblout": lambda path: PfamtblWriter(path, trailer, thresholds.inclusion_by_score),
            "gff3": lambda path: gff3_writer(path, dated),
            "json_lines": json_lines_writer,
        }
        try:
            self.main = main_writer(options, query, target, thresholds, families)
            self.writers.append(self.main)
            for name, make in kinds.items():
                if options[name]:
                    self.writers.append(make(options[name]))
        except BaseException as error:
            self.abandon(error)
            raise

    def write(self, record, hits) -> None:
        """Write one query to all of them."""
        for writer in self.writers:
            writer.write(record, hits)
            if self.all_at_once or self.live and hits and writer is self.main:
                writer.flush()

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind, error, _) -> None:
        if kind is not None:
            return self.abandon(error)
        try:
            # None is whole before all of them are.
            for step in ("flush", "end", "finish"):
                for writer in self.writers:
                    getattr(writer, step)()
        except BaseException as error:
            self.abandon(error)
            raise

    def abandon(self, error: BaseException) -> None:
        """Close everything as not whole, and say why."""
        for writer in self.writers:
            writer.abandon(reason(error))


def reason(error: BaseException) -> str:
    """Why a run ended, in a few words."""
    if isinstance(error, OSError):
        return os_reason(error)
    if isinstance(error, PfamnetError):
        return str(error)
    return {"KeyboardInterrupt": "interrupted"}.get(type(error).__name__, type(error).__name__.lower())


def main_writer(options: dict, query: str, target: str, thresholds, families: list):
    """The main table, the report, or the page."""
    out = main_stream(options["out"])
    if options["report"] == "tsv":
        return TsvWriter(out, header=options["header"])
    if options["report"] == "html":
        return page_writer(options, out, query, target, families)
    from .hmmscan_report import WIDTH, ReportWriter

    head = [
        ("query sequence file", query),
        ("target HMM database", target),
        ("written by", f"pfamnet-scan {__version__}"),
        ("option settings", command_line()),
    ]
    every = options["mode"] == "profiles"
    Z = (
        thresholds.Z or len(families),
        (
            "as set by --Z on cmdline"
            if thresholds.Z
            else "actual number of targets"
            if every
            else "families in the model"
        ),
    )
    width = 0 if options["notextw"] else options["textw"] or WIDTH
    return ReportWriter(out, head, thresholds, Z, options["acc"], not options["noali"], width)


def gff3_writer(path: str, dated: bool):
    from .gff3 import Gff3Writer, today

    return Gff3Writer(path, today() if dated else None)


def json_lines_writer(path: str):
    from .json_lines import JsonLinesWriter

    return JsonLinesWriter(path)


def page_writer(options: dict, out: str, query: str, target: str, families: list):
    """The web page."""
    from .html import HtmlWriter

    about = [
        ("Sequences", query),
        ("Model", f"{target} ({len(families):,} families)"),
        ("Written by", f"pfamnet-scan {__version__}"),
        ("Command", command_line()),
    ]
    about += [] if options["no_date"] else [("Date", time.strftime("%d %B %Y, %H:%M"))]
    title = "stdin" if query == "-" else Path(query).name
    return HtmlWriter(out, title, about, [family.clan for family in families])


def main_stream(out: str | None):
    """Where the main table goes: a file name, or stdout."""
    if out is not None:
        return out
    if sys.stdout is None:
        raise PfamnetError("stdout is closed; -o names a file for the main table")
    return "-"


def is_live(stream) -> bool:
    """Whether someone may be reading along: a terminal, a pipe, a socket."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # None, where stdout is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def check_paths(inputs: list[str], outputs: list[str]) -> None:
    """Raise click.UsageError where an output would overwrite another, or an input."""
    seen = {identity(path): path for path in inputs if path != "-"}
    for path in outputs:
        if Path(path).exists() and not Path(path).is_file():
            continue  # /dev/null, a named pipe: as often as one likes
        if identity(path) in seen:
            raise click.UsageError(f"{path}: named twice, and one would overwrite the other")
        seen[identity(path)] = path


def identity(path: str) -> str:
    return os.path.realpath(path)


def make_trailer(query: str, target: str, with_date: bool = True) -> Trailer:
    """What the last lines of hmmscan's tables say."""
    where = (str(Path.cwd()), time.ctime()) if with_date else (None, None)
    return Trailer("pfamnet-scan", __version__, query, target, command_line(), *where)


def command_line() -> str:
    return shlex.join(["pfamnet-scan", *sys.argv[1:]])
