"""How a notebook shows a scan: a table without scripts, which every notebook displays."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from .results import Protein

_COLUMNS = ("protein", "family", "accession", "start", "end", "E-value", "bits", "source", "description")


def as_html(proteins: Sequence[Protein], more: bool, ended: bool) -> str:
    """A table of the domains of some proteins, and whether there are others."""
    if ended:
        return "<p>pfamnet: this scan was read already.</p>"
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "\n".join(row for protein in proteins for row in rows_of(protein))
    note = f"<p>The first {len(proteins)} proteins; iterate over the scan for all.</p>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>{note}"


def rows_of(protein: Protein) -> Iterator[str]:
    """A row for each domain; domains that are not included are grey."""
    if not protein.domains:
        yield row("", protein.name, "-", "", "", "", "", "", "", "no domains")
    for domain in protein.domains:
        numbers = domain.start, domain.end, f"{domain.evalue:.2g}", f"{domain.score:.1f}"
        about = domain.family, domain.accession, *numbers, domain.source, domain.description
        yield row("" if domain.included else ' style="color: grey"', protein.name, *about)


def row(style: str, *cells: object) -> str:
    return f"<tr{style}>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>"
