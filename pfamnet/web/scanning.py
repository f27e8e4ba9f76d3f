"""What the web app does with sequences that someone gives it, without the web.

All of the input is read and checked before anything is scanned: what is wrong
with it is said once, in one line, and nothing comes of half of it.
"""

from __future__ import annotations

import html
import io
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..cli.scan import make_scanner, open_any
from ..errors import PfamnetError
from ..io.fasta import text_chunks
from ..io.sequences import no_nucleotides, read_sequences
from ..output.gff3 import Gff3Writer, today
from ..output.hmmscan_tables import DomtblWriter, PfamtblWriter, TblWriter, TsvWriter
from ..output.html import HtmlWriter
from ..output.json_lines import JsonLinesWriter
from ..output.table_headers import Trailer
from ..profiles.search import Thresholds
from ..records import Record, shown
from ..scan.scanner import MODES
from ..scan.workers import in_order

LIMIT = 2_000_000  # bytes of sequences taken at once, inflated: about 5,000 proteins
KEPT = 20  # results whose files stay, for downloads
PASTED = "the pasted text"


@dataclass(frozen=True)
class Result:
    """What came of a scan: the files, the page first of them, and a line about it."""

    files: list[str]
    summary: str

    @property
    def page(self) -> str:
        return Path(self.files[0]).read_text(encoding="ascii")


def read_input(text: str | None, path: str | None) -> list[Record]:
    """The sequences that were pasted or uploaded; either, not both.

    Raises PfamnetError: none, both, more than `LIMIT`, or not to be read.
    """
    text = text or ""
    if path and text.strip():
        raise PfamnetError("there is pasted text and a file: take one of them away")
    if not (path or text.strip()):
        raise PfamnetError("no sequences: paste some as FASTA, or choose a file")
    name = shown(Path(path).name) if path else PASTED
    with open(path, "rb") if path else io.BytesIO(text.encode("utf-8", "replace")) as stream:
        size = os.path.getsize(path) if path else stream.getbuffer().nbytes
        try:
            records = list(read_sequences("-", stdin=io.BytesIO(limited(stream, size, name))))
        except PfamnetError as error:
            raise PfamnetError(
                f"{name}:{str(error)[2:]}" if str(error).startswith("-:") else str(error)
            ) from None
    if not records:
        raise PfamnetError(f"{name}: no sequences")
    return records


def limited(stream, size: int, name: str) -> bytes:
    """All of a stream, inflated; raises PfamnetError as soon as it is over the limit."""
    data = bytearray()
    for chunk in text_chunks("-", stream) if size <= LIMIT else ():
        data += chunk
        size = max(size, len(data))
        if size > LIMIT:
            break
    if size > LIMIT:
        raise PfamnetError(
            f"{name} is longer than the {LIMIT // 1_000_000} MB that this page takes at once; "
            "pfamnet-scan takes any amount"
        )
    return bytes(data)


class WebScanner:
    """Scans what comes in with one model, each sensitivity's networks opened when first wanted.

    Arguments:
        path: of a model directory or an HMM database.
        threads: for each scan.
        folder: where results are kept, the last `KEPT` of them.
    """

    def __init__(self, path: Path, threads: int, folder: Path):
        self.model = open_any(path, {"mode": "hybrid", "which": None, "top": False})
        self.threads, self.folder = threads, folder
        self._scanners, self._kept, self._lock = {}, deque(), threading.Lock()

    def scan(self, records: list[Record], effort: str) -> Iterator[int | Result]:
        """Scan; yields how many proteins are done, at last the `Result`."""
        begun, found, warnings = time.monotonic(), 0, []
        folder = self._new_folder()
        thresholds, scan_some = Thresholds(), self._scanner(effort)
        checked = no_nucleotides(records, "input", warnings.append)
        with ExitStack() as stack:
            # left by an error, or because nobody waits any more, they are not whole
            writers = [stack.enter_context(writer) for writer in self._writers(folder, effort, thresholds)]
            for number, (record, hits) in enumerate(in_order(checked, scan_some, self.threads), 1):
                for writer in writers:
                    writer.write(record, hits)
                found += sum(
                    domain.included for hit in hits if hit.reported for domain in hit.reported_domains
                )
                yield number
        files = [writer.path for writer in writers]
        summary = (
            f"{len(records):,} protein{'s' * (len(records) != 1)}, {found:,} domain{'s' * (found != 1)}, "
            f"{time.monotonic() - begun:.1f} s."
        )
        yield Result(files, " ".join([summary, *warnings]))

    def _scanner(self, effort):
        """The function that scans sequences with this sensitivity."""
        if effort not in MODES:
            raise PfamnetError(f"sensitivity {shown(str(effort))}: it is one of {', '.join(MODES)}")
        with self._lock:
            if effort not in self._scanners:
                options = {
                    "mode": "hybrid",
                    "which": None,
                    "device": None,
                    "clan_overlaps": "all",
                    "report": "html",
                    "top": False,
                    "fast": effort == "fast",
                    "sensitive": effort == "sensitive",
                }
                self._scanners[effort] = make_scanner(self.model, options, Thresholds())
            return self._scanners[effort]

    def _new_folder(self):
        """A folder for a result; the oldest one goes where there are many."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with self._lock:
            self._kept.append(folder)
            old = self._kept.popleft() if len(self._kept) > KEPT else None
        if old:
            shutil.rmtree(old, ignore_errors=True)
        return folder

    def _writers(self, folder, effort, thresholds):
        """Every output, the page first."""
        command = " ".join(
            ["pfamnet-scan", *([] if effort == "default" else [f"--{effort}"]), self.model.name, "query.fa"]
        )
        trailer = Trailer("pfamnet-scan", __version__, "query.fa", self.model.name, command)
        about = [
            ("Model", f"{self.model.name} ({len(self.model.families):,} families)"),
            ("Sensitivity", effort),
            ("Written by", f"pfamnet {__version__}"),
            ("Command for the same", command),
            ("Date", time.strftime("%d %B %Y, %H:%M")),
        ]
        named = lambda end: str(folder / f"pfamnet.{end}")
        yield HtmlWriter(
            named("html"), "your proteins", about, [family.clan for family in self.model.families]
        )
        yield TsvWriter(named("tsv"))
        yield DomtblWriter(named("domtblout"), trailer)
        yield TblWriter(named("tblout"), trailer)
        yield PfamtblWriter(named("pfamtblout"), trailer, thresholds.inclusion_by_score)
        yield Gff3Writer(named("gff3"), today())
        yield JsonLinesWriter(named("jsonl"))


def framed(page: str) -> str:
    """A whole page as a frame within another one, which it cannot reach.

    Braces and dollars are escaped too: the page that takes it in may be a template.
    """
    inert = html.escape(page).translate({ord(character): f"&#{ord(character)};" for character in "{}$`"})
    return (
        f'<iframe title="Domains" sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox" '
        f'style="width:100%;height:82vh;border:0;border-radius:10px" srcdoc="{inert}"></iframe>'
    )


def told(message: str, failed: bool = False) -> str:
    """A line for the user as HTML: whatever it quotes is text."""
    kind = 'class="pfamnet-failed" role="alert"' if failed else 'class="pfamnet-told" role="status"'
    return f"<p {kind}>{html.escape(message)}</p>"
