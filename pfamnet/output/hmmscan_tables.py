"""hmmscan 3.4's three tables, to the byte.

The header comes once, with the first query; the rows of each query have column widths of
their own; a trailer ending in ``# [ok]`` marks the table as complete. Everything is
formatted as bytes, because C counts names in bytes when it pads them.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import BinaryIO

from ..hits import Domain, Hit
from ..records import Record
from .tsv import domain_fields
from .writer import Writer, as_bytes, description_of

_DOMAIN_HEADER = (
    b"#%s  --- full sequence --- -------------- this domain -------------   hmm coord   ali coord"
    b"   env coord\n"
    b"#%s %s  tlen %s %s  qlen   E-value  score  bias   #  of  c-Evalue  i-Evalue  score  bias"
    b"  from    to  from    to  from    to  acc description of target\n"
    b"#%s %s ----- %s %s ----- --------- ------ ----- --- --- --------- --------- ------ -----"
    b" ----- ----- ----- ----- ----- ----- ---- ---------------------\n"
)
_TARGET_HEADER = (
    b"#%s --- full sequence ---- --- best 1 domain ---- --- domain number estimation ----\n"
    b"#%s %s %s %s   E-value  score  bias   E-value  score  bias   exp reg clu  ov env dom rep inc"
    b" description of target\n"
    b"#%s %s %s %s --------- ------ ----- --------- ------ -----   --- --- --- --- --- --- --- ---"
    b" ---------------------\n"
)
_PFAM_TARGETS = (
    b"# Sequence scores\n# ---------------\n#\n"
    b"# %-*s   bits   E-value   n   exp  bias    description\n"
    b"# %*s ------ --------- --- ----- -----    ---------------------\n"
)
_PFAM_DOMAINS = (
    b"\n# Domain scores\n# -------------\n#\n"
    b"# %-*s   bits   E-value   hit  bias env-st env-en ali-st ali-en hmm-st hmm-en     description\n"
    b"# %*s ------ --------- ----- ----- ------ ------ ------ ------ ------ ------"
    b"      ---------------------\n"
)
_NAMES = (b" target name", b"accession", b"query name", b"accession")
_RULES = tuple(b"-" * size for size in (19, 10, 20, 10))
_DOMAIN_ROW = (
    b"%s %s %5d %s %s %5d %9.2g %6.1f %5.1f %3d %3d %9.2g %9.2g "
    b"%6.1f %5.1f %5d %5d %5d %5d %5d %5d %4.2f %s\n"
)
_TARGET_ROW = b"%s %s %s %s %9.2g %6.1f %5.1f %9.2g %6.1f %5.1f %5.1f %3d %3d %3d %3d %3d %3d %3d %s\n"
_PFAM_TARGET_ROW = b"%-*s  %6.1f %9.2g %3d %5.1f %5.1f    %s\n"
_PFAM_DOMAIN_ROW = b"%-*s  %6.1f %9.2g %5d %5.1f %6d %6d %6d %6d %6d %6d     %s\n"
_SEQUENCE = attrgetter(
    *("evalue", "score", "bias", "best_domain.i_evalue", "best_domain.score", "best_domain.bias"),
    *("expected", "regions", "clustered", "overlaps", "envelopes", "n_domains", "n_reported", "n_included"),
)
_ENDS = attrgetter("env_from", "env_to", "ali_from", "ali_to", "hmm_from", "hmm_to")


@dataclass(frozen=True)
class Trailer:
    """What the last lines of hmmscan's tables say of the run.

    program, version  of the program that ran
    query, target     the sequence file and the database as the user gave them
    options           the command line
    directory, date   where and when (as C's ctime has it); None omits the line
    """

    program: str
    version: str
    query: str
    target: str
    options: str
    directory: str | None = None
    date: str | None = None

    def lines(self, mode: str) -> bytes:
        """The trailer's bytes; `mode` is hmmscan's pipeline mode."""
        program, version, *others = astuple(self)
        names = "Program", "Version", "Pipeline mode", "Query file", "Target file", "Option settings"
        fields = zip((*names, "Current dir", "Date"), (program, version, mode, *others))
        # a line end in a file name must not make a line of its own
        known = [(f"{name}:", " ".join(value.splitlines())) for name, value in fields if value is not None]
        text = "".join(f"# {name:<16} {value}\n" for name, value in known)
        return as_bytes(f"#\n{text}# [ok]\n")


class _HmmscanWriter(Writer):
    """What the tables have in common: a trailer."""

    mode = "SCAN"

    def __init__(self, out: str | BinaryIO, trailer: Trailer) -> None:
        super().__init__(out)
        self._trailer = trailer

    def _end(self) -> bytes:
        return self._trailer.lines(self.mode)

    def _mark(self, reason: str) -> bytes:
        return b""


class DomtblWriter(_HmmscanWriter):
    """hmmscan's --domtblout: one row for each domain."""

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        widths = _widths(record, hits)
        rows = [_header(_DOMAIN_HEADER, widths, 14)] if self._queries == 1 else []
        for hit in hits:
            for rank, domain in enumerate(hit.reported_domains, 1) if hit.reported else ():
                fields = list(domain_fields(hit, domain, rank))
                for place, width in zip((0, 1, 3, 4), widths):
                    fields[place] = fields[place].ljust(width)
                rows.append(_DOMAIN_ROW % (*fields, _description(hit)))
        return b"".join(rows)


class TblWriter(_HmmscanWriter):
    """hmmscan's --tblout: one row for each family."""

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        widths = _widths(record, hits)
        rows = [_header(_TARGET_HEADER, widths, 2)] if self._queries == 1 else []
        for hit in hits:
            if hit.reported:
                names = (
                    hit.target_name,
                    hit.target_accession or "-",
                    hit.query_name,
                    hit.query_accession or "-",
                )
                texts = map(bytes.ljust, map(as_bytes, names), widths)
                rows.append(_TARGET_ROW % (*texts, *_SEQUENCE(hit), _description(hit)))
        return b"".join(rows)


class PfamtblWriter(_HmmscanWriter):
    """hmmscan's --pfamtblout: families, then domains, for each query.

    `by_score` sorts the domains by score instead of E-value, as hmmscan does if inclusion
    goes by score (`Thresholds.inclusion_by_score`).
    """

    mode = "SEARCH"  # a slip of hmmscan 3.4's, kept

    def __init__(self, out: str | BinaryIO, trailer: Trailer, by_score: bool = False) -> None:
        super().__init__(out, trailer)
        self._by_score = by_score

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        width = _widths(record, hits)[0]
        hits = [hit for hit in hits if hit.reported]
        rows = [_PFAM_TARGETS % (width - 1, b"name", width - 1, _RULES[0])]
        for hit in hits:
            numbers = hit.score, hit.evalue, hit.n_domains, hit.expected, hit.bias
            rows.append(_PFAM_TARGET_ROW % (width, as_bytes(hit.target_name), *numbers, _description(hit)))
        rows.append(_PFAM_DOMAINS % (width - 1, b" name", width - 1, _RULES[0]))
        ranked = [(hit, domain, rank) for hit in hits for rank, domain in enumerate(hit.reported_domains, 1)]
        for hit, domain, rank in sorted(ranked, key=self._domain_order):
            numbers = domain.score, domain.i_evalue, rank, domain.bias, *_ENDS(domain)
            rows.append(_PFAM_DOMAIN_ROW % (width, as_bytes(hit.target_name), *numbers, _description(hit)))
        return b"".join(rows)

    def _domain_order(self, item: tuple[Hit, Domain, int]) -> tuple:
        hit, domain, _ = item
        worth = -domain.score if self._by_score else domain.log_p
        backward = domain.ali_from >= domain.ali_to  # one residue counts as backward
        return worth, as_bytes(hit.target_name), backward, domain.ali_from


def _widths(record: Record, hits: Sequence[Hit]) -> list[int]:
    """Widths of the target's name and accession and the query's: of all its hits, the unreported ones too."""
    names, accessions = [hit.target_name for hit in hits], [hit.target_accession for hit in hits]
    columns = (20, names), (10, accessions), (20, [record.name]), (10, [record.accession])
    return [max(least, *(len(as_bytes(text)) for text in texts), 0) for least, texts in columns]


def _header(lines: bytes, widths: list[int], more: int) -> bytes:
    """The three header lines; the first column gives one place to the #, groups begin after `more` places."""
    columns = [widths[0] - 1, *widths[1:]]
    names, rules = map(bytes.ljust, _NAMES, columns), map(bytes.rjust, _RULES, columns)
    return lines % (b" " * (sum(widths) + more), *names, *rules)


def _description(hit: Hit) -> bytes:
    """The last column."""
    return as_bytes(description_of(hit) + ("" if hit.target_description else "-"))
