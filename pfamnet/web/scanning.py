"""What the web app does with sequences, without the web.

All input is read and checked before anything is scanned: an error is one line, and no results.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..api import Model
from ..errors import PfamnetError
from ..io.sequences import read_sequences
from ..io.signatures import COMPRESSED
from ..io.textfile import text_chunks
from ..output.outputs import KINDS, OutputOptions
from ..records import Record, shown

LIMIT = 2_000_000  # bytes of sequences that are taken at once, inflated: about 5,000 proteins
KEPT = 20  # results whose files are kept for downloads
AT_ONCE = 8  # proteins; when nobody waits any more, these are still finished
PASTED = "the pasted text"
TABLES = ("html", "tsv", "domtblout", "tblout", "pfamtblout", "gff3", "json_lines")


@dataclass(frozen=True)
class Result:
    """The result of a scan: its files, the page first, and a line about it."""

    files: list[str]
    summary: str

    @property
    def page(self) -> str:
        return Path(self.files[0]).read_text(encoding="ascii")


def read_input(text: str | None, path: str | None) -> list[Record]:
    """The sequences pasted or uploaded; a pasted sequence may lack its name.

    Raises PfamnetError if both, none, more than `LIMIT`, or not readable.
    """
    text = text or ""
    if is_bare(text):
        text = f">pasted\n{text}"
    if path and text.strip():
        raise PfamnetError("pasted text and a file were given: remove one of them")
    if not (path or text.strip()):
        raise PfamnetError("no sequences: paste some as FASTA, or choose a file")
    name = shown(Path(path).name) if path else PASTED
    with open(path, "rb") if path else io.BytesIO(text.encode("utf-8", "replace")) as stream:
        size = os.path.getsize(path) if path else stream.getbuffer().nbytes
        records = list(read_sequences(name, stdin=io.BytesIO(limited(stream, size, name))))
    if not records:
        raise PfamnetError(f"{name}: no sequences")
    return records


def is_bare(text: str) -> bool:
    """Whether a text is one sequence without a name."""
    letters = "".join(text.split())
    return len(letters) >= 10 and letters.isascii() and letters.removesuffix("*").isalpha()


def limited(stream, size: int, name: str) -> bytes:
    """All of a stream, inflated.

    Raises PfamnetError as soon as it exceeds the limit, or if what was compressed is compressed.
    """
    data = bytearray()
    for chunk in text_chunks(name, stream) if size <= LIMIT else ():
        data += chunk
        if len(data) > LIMIT:
            break
    if max(size, len(data)) > LIMIT:
        megabytes = f"{LIMIT // 1_000_000} MB"
        raise PfamnetError(f"{name} exceeds the {megabytes} of this page; pfamnet-scan takes any amount")
    if data.startswith(tuple(COMPRESSED)):
        raise PfamnetError(f"{name}: compressed twice; unpack it first")
    return bytes(data)


class WebScanner:
    """Scans with one model; the networks of a sensitivity are opened when first needed.

    The last `KEPT` results are kept in `folder`; `warn` takes lines for who runs the app. `command` gives the
    words of a command line that does the same, for a sensitivity, gathering cutoffs and the best of clans.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        folder: Path,
        warn: Callable[[str], None],
        command: Callable[[str, bool, bool], list[str]],
    ):
        self.command = command
        self.model = Model(path, warn)
        self.model.at_once = AT_ONCE
        self.threads, self.folder = threads, folder
        self._kept, self._lock = deque(), threading.Lock()

    def scan(
        self, records: list[Record], sensitivity: str, gathering: bool = False, best: bool = False
    ) -> Iterator[int | Result]:
        """Scan; yields how many proteins are done, at last the `Result`.

        Arguments:
            gathering: apply the gathering cutoffs.
            best: report only the best of overlapping domains of a clan.
        """
        begun, found, warnings = time.monotonic(), 0, []
        settings = {"sensitivity": sensitivity, "cpus": self.threads, "warn": warnings.append}
        settings["bit_cutoffs"] = "gathering" if gathering else None
        settings["clan_overlaps"] = "best" if best else "all"
        scan = self.model.scan(records, **settings)
        options = self._outputs(self.command(sensitivity, gathering, best))
        try:
            with scan, scan.outputs(options) as outputs:
                for number, protein in enumerate(scan, 1):
                    outputs.write(protein.record, protein.hits)
                    found += sum(domain.included for domain in protein.domains)
                    yield number
        except BaseException:  # an error, or nobody waits any more
            shutil.rmtree(Path(options.tables[0][1]).parent, ignore_errors=True)
            raise
        counts = [(len(records), "protein"), (found, "domain")]
        parts = [f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts]
        summary = f"{', '.join(parts)}, {time.monotonic() - begun:.1f} s."
        yield Result([path for _, path in options.tables], " ".join([summary, *warnings]))

    def _outputs(self, words: list[str]) -> OutputOptions:
        """Every output, in a new folder; the oldest folder is removed if there are too many."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with self._lock:
            self._kept.append(folder)
            old = self._kept.popleft() if len(self._kept) > KEPT else None
        if old:
            shutil.rmtree(old, ignore_errors=True)
        paths = [(kind, str(folder / f"pfamnet{KINDS[kind].endings[0]}")) for kind in TABLES]
        return OutputOptions("query.fa", " ".join([*words, self.model.name, "query.fa"]), paths)


def framed(page: str) -> str:
    """A complete page as a frame within another one, which it cannot reach.

    Braces and dollars are escaped too: the other page may be a template.
    """
    inert = html.escape(page).translate({ord(character): f"&#{ord(character)};" for character in "{}$`"})
    allowed = "allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox"
    look = "width:100%;height:calc(100vh - 150px);min-height:420px;border:0;border-radius:10px"
    return f'<iframe title="Domains" sandbox="{allowed}" style="{look}" srcdoc="{inert}"></iframe>'


def message(text: str, failed: bool = False) -> str:
    """A line for the user as HTML: whatever it quotes is text."""
    kind = 'class="pfamnet-failed" role="alert"' if failed else 'class="pfamnet-told" role="status"'
    return f"<p {kind}>{html.escape(text)}</p>"
