"""All output files of a scan, written query by query: complete, or marked as incomplete.

If a run fails, no table looks complete: hmmscan's formats then lack their trailer, and the
others end in a line that gives the reason.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..errors import PfamnetError, os_reason
from ..families import Family
from ..hits import Hit
from ..profiles.thresholds import Thresholds
from ..records import Record
from .gff3 import Gff3Writer, today
from .hmmscan_report import WIDTH, ReportWriter
from .hmmscan_tables import DomtblWriter, PfamtblWriter, TblWriter, Trailer
from .json_lines import JsonLinesWriter
from .tsv import TsvWriter
from .writer import Writer


@dataclass(frozen=True)
class OutputOptions:
    """What a scan writes, and where."""

    query: str  # the sequence file, as outputs state it
    command: str  # the command line, as outputs state it
    out: str | None = None  # file of the main output; None: stdout
    report: str = "tsv"  # what the main output is: tsv, text or html
    # files of further outputs, by kind: tsv, tblout, domtblout, pfamtblout, gff3, json_lines
    tables: dict[str, str] = field(default_factory=dict)
    header: bool = True  # the main table begins with column names
    date: bool = True  # outputs state the date
    directory: str | None = None  # that hmmscan's tables state
    acc: bool = False  # the text report prefers accessions
    alignments: bool = True  # the text report has alignments
    width: int = WIDTH  # of the text report; 0 is unlimited
    exact: bool = False  # every profile is searched


class Outputs:
    """The outputs of one scan with a model, `target`, as a context manager.

    Raises:
        PfamnetError: a file cannot be written.
    """

    def __init__(
        self, options: OutputOptions, target: str, thresholds: Thresholds, families: Sequence[Family]
    ):
        self.options, self.target, self.thresholds, self.families = options, target, thresholds, families
        self.live = options.out is None and is_live(sys.stdout)
        self.writers: list[Writer] = []
        try:
            self.writers.append(self.main_writer())
            for kind, path in options.tables.items():
                self.writers.append(self.table(kind, path))
        except BaseException as error:
            self.abandon(error)
            raise

    def main_writer(self) -> Writer:
        """What writes the main output."""
        options, Z = self.options, self.thresholds.Z
        if options.out is None and sys.stdout is None:
            raise PfamnetError("stdout is closed: the main output needs a file")
        out = "-" if options.out is None else options.out
        if options.report == "tsv":
            return TsvWriter(out, options.header)
        if options.report == "html":
            return self.page(out)
        head = [
            ("query sequence file", options.query),
            ("target HMM database", self.target),
            ("written by", f"pfamnet-scan {__version__}"),
            ("option settings", options.command),
        ]
        counted = "actual number of targets" if options.exact else "families in the model"
        comparisons = (Z, "as set by --Z on cmdline") if Z else (len(self.families), counted)
        shown = options.acc, options.alignments, options.width
        return ReportWriter(out, head, self.thresholds, comparisons, *shown)

    def page(self, out: str) -> Writer:
        """The web page."""
        from .html import HtmlWriter

        query = self.options.query
        about = [
            ("Sequences", query),
            ("Model", f"{self.target} ({len(self.families):,} families)"),
            ("Written by", f"pfamnet-scan {__version__}"),
            ("Command", self.options.command),
        ]
        about += [("Date", time.strftime("%d %B %Y, %H:%M"))] if self.options.date else []
        title = "stdin" if query == "-" else Path(query).name
        return HtmlWriter(out, title, about, [family.clan for family in self.families])

    def table(self, kind: str, path: str) -> Writer:
        """What writes another table."""
        if kind == "gff3":
            return Gff3Writer(path, today() if self.options.date else None)
        if kind in ("tsv", "json_lines"):
            return TsvWriter(path) if kind == "tsv" else JsonLinesWriter(path)
        options = self.options
        date = time.ctime() if options.date else None
        run = options.query, self.target, options.command, options.directory, date
        trailer = Trailer("pfamnet-scan", __version__, *run)
        if kind == "pfamtblout":
            return PfamtblWriter(path, trailer, self.thresholds.inclusion_by_score)
        return {"tblout": TblWriter, "domtblout": DomtblWriter}[kind](path, trailer)

    def write(self, record: Record, hits: Sequence[Hit]) -> None:
        """Write one query to all outputs."""
        for writer in self.writers:
            writer.write(record, hits)
        if self.live and hits:
            self.writers[0].flush()

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind, error, _) -> None:
        if kind is not None:
            return self.abandon(error)
        try:
            for step in ("flush", "end", "finish"):  # all complete, or none
                for writer in self.writers:
                    getattr(writer, step)()
        except BaseException as error:
            self.abandon(error)
            raise

    def abandon(self, error: BaseException) -> None:
        """Close all outputs as incomplete, with the reason in a few words."""
        name = type(error).__name__
        why = "interrupted" if name in ("KeyboardInterrupt", "GeneratorExit") else name.lower()
        if isinstance(error, OSError | PfamnetError):
            why = os_reason(error) if isinstance(error, OSError) else str(error)
        for writer in self.writers:
            writer.abandon(why)


def is_live(stream) -> bool:
    """Whether someone may be reading along: a terminal, a pipe, a socket."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # None if stdout is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
