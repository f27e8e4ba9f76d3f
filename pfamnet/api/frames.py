"""The domains of a scan as a table of pandas, polars or Arrow, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from ..errors import PfamnetError
from ..output.rows import COLUMNS, VALUES, arrow_schema, clean
from .results import Protein

DTYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool"}  # pandas'


def columns_of(proteins: Iterable[Protein]) -> dict[str, list]:
    """The columns `COLUMNS`, a row for each domain. Bytes that are not UTF-8 become U+FFFD."""
    rows = [
        (protein.name, protein.length, *VALUES(domain)) for protein in proteins for domain in protein.domains
    ]
    columns = dict(zip(COLUMNS, map(list, zip(*rows)))) if rows else {name: [] for name in COLUMNS}
    for name, kind in COLUMNS.items():
        if kind == "str":
            columns[name] = list(map(clean, columns[name]))
    return columns


def imported(name: str):
    """A library that is not needed otherwise."""
    try:
        return import_module(name)
    except ImportError:
        raise PfamnetError(f"{name} is not installed; pip install {name}") from None


def to_pandas(proteins: Iterable[Protein]):
    pandas = imported("pandas")
    columns = columns_of(proteins)
    return pandas.DataFrame(
        {name: pandas.Series(columns[name], dtype=DTYPES[kind]) for name, kind in COLUMNS.items()}
    )


def to_polars(proteins: Iterable[Protein]):
    polars = imported("polars")
    types = {"str": polars.String, "int": polars.Int64, "float": polars.Float64, "bool": polars.Boolean}
    return polars.DataFrame(columns_of(proteins), {name: types[kind] for name, kind in COLUMNS.items()})


def to_arrow(proteins: Iterable[Protein]):
    arrow = imported("pyarrow")
    return arrow.table(columns_of(proteins), schema=arrow_schema(arrow))
