"""Open reading frames of nucleotides, as proteins that know where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count

from pyhmmer.easel import Alphabet, GeneticCode

from ..errors import PfamnetError
from ..records import Origin, Record, shown

CODES = (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 16, 21, 22, 23, 24, 25)  # NCBI's numbers that Easel knows
LEAST = 30  # codons that say which residue they stand for
_NUCLEOTIDES = "ACGTURYSWKMBDHVN"
_COMPLEMENT = str.maketrans(_NUCLEOTIDES, "TGCAAYRSWMKVHDBN")
_OTHER = re.compile(f"[^{_NUCLEOTIDES}]")
_DNA, _AMINO = Alphabet.dna(), Alphabet.amino()


def translated(records: Iterable[Record], code: int, where: object) -> Iterator[Record]:
    """Yield the open reading frames of both strands of each record, by start, named NAME_orf1 and so on.

    A frame lies between two stop codons, or the ends of the sequence, and has at least `LEAST` codons
    without ambiguity. It need not begin with a start codon. `code` is one of `CODES`.

    Raises:
        PfamnetError: a record has a letter that is no nucleotide; the message names it.
    """
    table, numbers = GeneticCode(code), count(1)
    for record in records:
        if bad := _OTHER.search(record.sequence):
            place = f"{where}: record {record.number} '{shown(record.name)}'"
            raise PfamnetError(f"{place}: {bad[0]!r} at position {bad.start() + 1} is no nucleotide")
        for rank, (start, end, strand, protein) in enumerate(sorted(frames(record.sequence, table)), 1):
            origin = Origin(record.name, len(record.sequence), start, end, strand)
            about = f"source={record.name} coords={start + 1}..{end} strand={strand} {record.description}"
            yield Record(f"{record.name}_orf{rank}", about.strip(), protein, next(numbers), origin=origin)


def frames(sequence: str, table: GeneticCode) -> Iterator[tuple[int, int, str, str]]:
    """Start and end on the forward strand, 0-based half-open, strand and protein of each open frame."""
    length = len(sequence)
    for strand in "+-":
        text = sequence if strand == "+" else sequence.translate(_COMPLEMENT)[::-1]
        for shift in range(min(3, length)):
            codons = (length - shift) // 3
            residues = table.translate(_DNA.encode(text[shift : shift + 3 * codons])) if codons else b""
            for part in re.finditer("[^*]+", _AMINO.decode(residues) if codons else ""):
                if len(part[0]) - part[0].count("X") < LEAST:
                    continue
                start, end = (shift + 3 * place for place in part.span())
                place = (start, end) if strand == "+" else (length - end, length - start)
                yield *place, strand, part[0]
