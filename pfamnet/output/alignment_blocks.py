"""An alignment in the blocks in which hmmscan's report shows it."""

from ..hits import Domain
from .writer import as_bytes as _bytes

_LEAST = 40  # columns in a block, however narrow the lines shall be


def alignment_blocks(target: bytes, query: bytes, domain: Domain, width: int) -> bytes:
    """hmmscan's lines for the alignment of a domain.

    Arguments:
        target, query: the names to show.
        domain: with its alignment.
        width: of lines; 0 for one block.
    """
    lines = domain.alignment
    names = max(len(target), len(query))
    ends = (domain.hmm_from, domain.hmm_to, domain.ali_from, domain.ali_to)
    digits = max(len(str(end)) for end in ends)
    length = len(lines.model)
    columns = max(width - names - 2 * digits - 5, _LEAST) if width else length
    if width and width - names - 2 * digits - 5 >= length:
        columns = length
    indent = b" " * (names + digits + 3)
    blocks, k, i = [], domain.hmm_from, domain.ali_from
    for start in range(0, length, columns):
        part = slice(start, start + columns)
        model, sequence = lines.model[part], lines.sequence[part]
        states, residues = len(model) - model.count("."), len(sequence) - sequence.count("-")
        block = [
            _annotation(indent, text[part], label)
            for text, label in ((lines.structure, b"CS"), (lines.reference, b"RF"), (lines.mask, b"MM"))
        ]
        block += [
            _row(target, names, k, k + states - 1, digits, model),
            indent + b" " + _bytes(lines.match[part]) + b"\n",
            _row(query, names, i, i + residues - 1, digits, sequence),
            _annotation(indent, lines.posterior[part], b"PP"),
        ]
        blocks.append(b"".join(block))
        k, i = k + states, i + residues
    return b"\n".join(blocks)


def _annotation(indent, text, label):
    return indent + b" " + _bytes(text) + b" " + label + b"\n" if text else b""


def _row(name, width, first, last, digits, text):
    if last < first:  # of the query: nothing but deletions
        return b"  %*s %*s %s %*s\n" % (width, name, digits, b"-", _bytes(text), digits, b"-")
    return b"  %*s %*d %s %-*d\n" % (width, name, digits, first, _bytes(text), digits, last)
