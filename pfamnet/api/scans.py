"""A scan under way: an iterator of proteins, which are found as they are taken."""

from __future__ import annotations

import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields
from typing import BinaryIO

from ..errors import PfamnetError, os_reason
from ..output.outputs import KINDS, SUFFIXES, OutputOptions, Outputs
from ..output.overwriting import check_outputs
from ..profiles.search import SearchedHits
from ..records import Record
from ..scan.opening import ScanOptions
from .frames import to_arrow, to_pandas, to_polars
from .results import Protein

SHOWN = 10  # proteins that a notebook shows
SETTINGS = {field.name for field in fields(OutputOptions)} - {"tables"}


class Scan(Iterator[Protein]):
    """Iterates once over the proteins in the order of the input.

    Each is handed on as soon as it and those before it are scanned. A mistake in the input is
    raised after the proteins before it. Closed early, as a context manager too, it stops the work.
    `options` are those of the scan.
    """

    def __init__(
        self,
        model,
        options: ScanOptions,
        pairs: Iterator[tuple[Record, SearchedHits]],
        resources: ExitStack,
        inputs: list[str],
        callback: Callable[[Protein], object] | None = None,
    ):
        self.model, self.options, self.inputs = model, options, inputs
        self._pairs, self._resources, self._callback = pairs, resources, callback
        self._ahead: deque[Protein] = deque()
        self._lock, self._ended = threading.RLock(), False
        self._failure: PfamnetError | None = None  # met by looking ahead, to be raised in its place

    def __next__(self) -> Protein:
        with self._lock:
            try:
                protein = self._ahead.popleft() if self._ahead else self._scanned()
            except BaseException:  # the end, too
                self.close()
                raise
        if self._callback is not None:
            self._callback(protein)
        return protein

    def _scanned(self) -> Protein:
        if self._failure is not None:
            raise self._failure
        return Protein(*next(self._pairs), self.model.families)

    def close(self) -> None:
        """Stop the scan, and free what it uses."""
        with self._lock:
            self._ended = True
            self._ahead.clear()
            try:
                self._pairs.close()
            finally:
                self._resources.close()

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            self.close()

    def _once(self) -> Scan:
        """This scan, if it was not read already: a table of nothing would look like no hits."""
        if self._ended:
            raise PfamnetError("this scan was read already; scan again, or keep list(scan)")
        return self

    def to_pandas(self):
        """The domains as a pandas DataFrame, one row each.

        Raises PfamnetError, as `to_polars` and `to_arrow` do, if the library is not installed or the scan was
        read already.
        """
        return to_pandas(self._once())

    def to_polars(self):
        """The domains as a polars DataFrame."""
        return to_polars(self._once())

    def to_arrow(self):
        """The domains as a pyarrow Table."""
        return to_arrow(self._once())

    def write(
        self,
        path: str | bytes | os.PathLike | BinaryIO | None = None,
        format: str | None = None,
        **more: object,
    ) -> int:
        """Write the proteins that are left to files, and return their number.

        Arguments:
            path: a file or a binary stream; a file whose name ends in ".gz" is compressed.
            format: one of `pfamnet.output.outputs.KINDS`; by default the one of the file's ending.
            more: further files by format, as in `gff3="hits.gff3"`, and fields of `OutputOptions`
                other than `tables`.

        Raises:
            PfamnetError: a file cannot be written or would destroy an input; a format is not known; a stream
                is not binary.
        """
        tables = [] if path is None else [(format or format_of(path), path)]
        settings = {name: more.pop(name) for name in list(more) if name in SETTINGS}
        tables += more.items()
        files = [(kind, out if hasattr(out, "write") else os.fsdecode(out)) for kind, out in tables]
        if any(isinstance(out, io.TextIOBase) for _, out in files):
            raise PfamnetError("a text stream cannot be written: open it in binary mode")
        check_outputs([out for _, out in files if isinstance(out, str)], self.inputs)
        query = settings.pop("query", " ".join(self.inputs) or "sequences")
        settings = {"command": "pfamnet.Model.scan", "exact": self.exact, **settings}
        written = 0
        try:
            with self._once(), self.outputs(OutputOptions(query, tables=files, **settings)) as outputs:
                for protein in self:
                    outputs.write(protein.record, protein.hits)
                    written += 1
        except OSError as error:
            raise PfamnetError(os_reason(error)) from error
        return written

    def outputs(self, options: OutputOptions) -> Outputs:
        """Files for what this scan finds; PfamnetError if a format needs alignments that the scan lacks."""
        for kind, _ in options.tables if not self.options.alignments else ():
            if kind in KINDS and KINDS[kind].aligned:
                raise PfamnetError(f"{kind}: needs a scan with alignments=True")
        return Outputs(options, self.model.name, self.options.thresholds, self.model.families)

    @property
    def exact(self) -> bool:
        """Whether every profile is searched."""
        return self.model.mode(self.options) == "profiles"

    def _repr_html_(self) -> str:
        """The first proteins for a notebook; they stay to be iterated over."""
        from .notebook import as_html

        with self._lock:
            while not (self._ended or self._failure) and len(self._ahead) <= SHOWN:
                try:
                    self._ahead.append(self._scanned())
                except StopIteration:
                    break
                except PfamnetError as error:
                    self._failure = error
            return as_html([*self._ahead][:SHOWN], len(self._ahead) > SHOWN, self._ended)


def format_of(path: object) -> str:
    """The format that the ending of a file's name stands for; PfamnetError if that is not known."""
    name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    ending = os.path.splitext(name.removesuffix(".gz"))[1]
    if ending not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise PfamnetError(f"{name or 'a stream'}: name its format; endings known are {known}")
    return SUFFIXES[ending]
