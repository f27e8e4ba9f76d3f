"""All output files of a scan, written query by query: complete, or marked as incomplete.

If a run fails, no table looks complete: hmmscan's formats then lack their trailer, and the
others end in a line that gives the reason.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .. import __version__
from ..errors import PfamnetError, os_reason
from ..families import Family
from ..hits import Hit
from ..profiles.thresholds import Thresholds
from ..records import Record, shown
from .architectures import ArchitectureWriter, PfamscanWriter
from .family_alignments import AlignmentWriter
from .gff3 import Gff3Writer, today
from .hmmscan_report import WIDTH, ReportWriter
from .hmmscan_tables import DomtblWriter, PfamtblWriter, TblWriter, Trailer
from .json_lines import JsonLinesWriter
from .tsv import TsvWriter
from .writer import Writer


@dataclass(frozen=True)
class OutputOptions:
    """What a scan writes, and where."""

    query: str  # the sequence files, as outputs state them
    command: str  # the command line, as outputs state it
    # (kind, file) of each output; "-" is stdout, and a binary stream is left open
    tables: Sequence[tuple[str, str | BinaryIO]] = ()
    title: str | None = None  # of the page
    header: bool = True  # the tab-separated table begins with column names
    date: bool = True  # outputs state the date
    directory: str | None = None  # that hmmscan's tables state
    acc: bool = False  # the text report prefers accessions
    noali: bool = False  # the text report has no alignments
    width: int = WIDTH  # of the text report; 0 is unlimited
    exact: bool = False  # every profile is searched


class Outputs:
    """The outputs of one scan with a model, `target`, as a context manager.

    Raises:
        PfamnetError: a file cannot be written, or a kind is not one of `KINDS`.
    """

    def __init__(
        self, options: OutputOptions, target: str, thresholds: Thresholds, families: Sequence[Family]
    ):
        self.options, self.target, self.thresholds, self.families = options, target, thresholds, families
        self.live: list[Writer] = []  # what someone may read along
        self.writers: list[Writer] = []
        try:
            for kind, out in options.tables:
                self.writers.append(self.writer(kind, out))
                if out == "-" and is_live(sys.stdout):
                    self.live.append(self.writers[-1])
        except BaseException as error:
            self.abandon(error)
            raise

    def writer(self, kind: str, out: str | BinaryIO) -> Writer:
        """What writes one output."""
        if out == "-" and sys.stdout is None:
            raise PfamnetError("stdout is closed: the main output needs a file")
        if kind not in KINDS:
            raise PfamnetError(f"{shown(kind)}: not one of the formats {', '.join(KINDS)}")
        return KINDS[kind].make(self, out)

    def table(self, out: str | BinaryIO) -> Writer:
        """The tab-separated table, whose columns are aligned on a terminal."""
        return TsvWriter(out, self.options.header, out == "-" and sys.stdout.isatty())

    def features(self, out: str | BinaryIO) -> Writer:
        """GFF3."""
        return Gff3Writer(out, today() if self.options.date else None)

    def columns(self, out: str | BinaryIO) -> Writer:
        """Parquet."""
        from .parquet import ParquetWriter

        return ParquetWriter(out, self.families)

    def report(self, out: str | BinaryIO) -> Writer:
        """hmmscan's text report."""
        options, Z = self.options, self.thresholds.Z
        head = [
            ("query sequence file", options.query),
            ("target HMM database", self.target),
            ("written by", f"pfamnet-scan {__version__}"),
            ("option settings", options.command),
        ]
        counted = "actual number of targets" if options.exact else "families in the model"
        comparisons = (Z, "as set by --Z on cmdline") if Z else (len(self.families), counted)
        look = options.acc, not options.noali, options.width
        return ReportWriter(out, head, self.thresholds, comparisons, *look)

    def page(self, out: str | BinaryIO) -> Writer:
        """The web page."""
        from .html import HtmlWriter

        options, query = self.options, self.options.query
        about = [
            ("Sequences", query),
            ("Model", f"{self.target} ({len(self.families):,} families)"),
            ("Written by", f"pfamnet-scan {__version__}"),
            ("Command", options.command),
        ]
        about += [("Date", time.strftime("%d %B %Y, %H:%M"))] if options.date else []
        title = options.title or ("stdin" if query == "-" else Path(query).name)
        return HtmlWriter(out, title, about, self.families)

    def trailer(self) -> Trailer:
        """What hmmscan's tables end in."""
        options = self.options
        date = time.ctime() if options.date else None
        run = options.query, self.target, options.command, options.directory, date
        return Trailer("pfamnet-scan", __version__, *run)

    def write(self, record: Record, hits: Sequence[Hit]) -> None:
        """Write one query to all outputs."""
        for writer in self.writers:
            writer.write(record, hits)
        for writer in self.live if hits else ():
            writer.flush()

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


@dataclass(frozen=True)
class Kind:
    """A kind of output.

    make     its writer for an `Outputs` and a file
    endings  of the names of its files
    aligned  it needs domains with alignments
    lasting  each query's part stands for itself, so that a scan that was stopped can go on
    """

    make: Callable[[Outputs, str | BinaryIO], Writer]
    endings: tuple[str, ...]
    aligned: bool = False
    lasting: bool = True


KINDS = {
    "tsv": Kind(Outputs.table, (".tsv",)),
    "text": Kind(Outputs.report, (".txt",), aligned=True),
    "html": Kind(Outputs.page, (".html",), lasting=False),
    "tblout": Kind(lambda outputs, out: TblWriter(out, outputs.trailer()), (".tblout",)),
    "domtblout": Kind(lambda outputs, out: DomtblWriter(out, outputs.trailer()), (".domtblout",)),
    "pfamtblout": Kind(
        lambda outputs, out: PfamtblWriter(out, outputs.trailer(), outputs.thresholds.inclusion_by_score),
        (".pfamtblout",),
    ),
    "architecture": Kind(lambda outputs, out: ArchitectureWriter(out, outputs.families), (".architecture",)),
    "pfamscan": Kind(lambda outputs, out: PfamscanWriter(out, outputs.families), (".pfamscan",)),
    "gff3": Kind(Outputs.features, (".gff3", ".gff")),
    "json_lines": Kind(lambda outputs, out: JsonLinesWriter(out, outputs.target), (".jsonl",)),
    "parquet": Kind(Outputs.columns, (".parquet",), lasting=False),
    "stockholm": Kind(
        lambda outputs, out: AlignmentWriter(out, outputs.families), (".sto",), aligned=True, lasting=False
    ),
}
SUFFIXES = {ending: name for name, kind in KINDS.items() for ending in kind.endings}
