"""A sequence, and how its name is shown in a message."""

from typing import NamedTuple


class Record(NamedTuple):
    """One sequence of a FASTA file.

    ``name`` and ``description`` are text; bytes that are not UTF-8 are kept
    as surrogates (``errors="surrogateescape"``), so that they can be written
    as they came. ``sequence`` is upper case and without white space, and may
    hold ``* . _ ~``, which count as residues. ``number`` is 1 for the first
    record of the input. Only other formats than FASTA have accessions.
    """

    name: str
    description: str
    sequence: str
    number: int
    accession: str = ""


def shown(text, limit=60):
    """Return ``text`` fit for a one-line message: printable and not long."""
    text = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text[: limit + 1]
    )
    return text if len(text) <= limit else text[:limit] + "..."
