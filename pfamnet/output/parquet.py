"""Parquet: the columns of data frames, written in parts. It needs pyarrow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO

from ..errors import PfamnetError
from ..families import Family
from ..hits import Hit, reported
from ..records import Record
from .rows import VALUES, arrow_schema, clean, protein_domain
from .writer import Writer

ROWS = 50_000  # of a row group


class ParquetWriter(Writer):
    """Writes the table. The file of a run that failed has no footer, and so no reader takes it.

    Raises PfamnetError if there is no pyarrow.
    """

    def __init__(self, out: str | BinaryIO, families: Sequence[Family]) -> None:
        try:
            import pyarrow
            from pyarrow.parquet import ParquetWriter as Arrow
        except ImportError:
            raise PfamnetError("pyarrow is not installed; pip install 'pfamnet[table]'") from None
        super().__init__(out)
        self._families, self._written, self._waiting = families, Sink(), []
        self._table, self._schema = pyarrow.table, arrow_schema(pyarrow)
        self._arrow = Arrow(self._written, self._schema)

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        for hit, domain in reported(hits):
            row = protein_domain(hit, domain, self._families[hit.family].clan)
            self._waiting.append((record.name, len(record.sequence), *VALUES(row)))
        return self._group() if len(self._waiting) >= ROWS else b""

    def _group(self) -> bytes:
        """The bytes of the rows that wait."""
        if self._waiting:
            columns = [[clean(value) for value in column] for column in zip(*self._waiting)]
            self._arrow.write_table(self._table(columns, schema=self._schema))
            self._waiting.clear()
        return self._written.taken()

    def _end(self) -> bytes:
        begin = self._group()
        self._arrow.close()
        return begin + self._written.taken()

    def _mark(self, reason: str) -> bytes:
        return b""


class Sink(io.RawIOBase):
    """A file that hands on what is written to it; what was written stays to be taken when it is closed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
