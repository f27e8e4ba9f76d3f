"""hmmscan 3.4's three tables, to the byte.

The header comes once, with the first query; the rows of each query have column widths of
their own; a trailer ending in ``# [ok]`` marks the table as complete. Everything is
formatted as bytes, because C counts names in bytes when it pads them.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import BinaryIO, NamedTuple

from ..hits import Domain, Hit
from ..records import Record
from .tsv import domain_fields
from .writer import Writer, as_bytes

_DOMAIN_HEADER = (
    b"#%*s  --- full sequence --- -------------- this domain -------------   hmm coord   ali coord"
    b"   env coord\n",
    b"#%-*s %-*s  tlen %-*s %-*s  qlen   E-value  score  bias   #  of  c-Evalue  i-Evalue  score  bias"
    b"  from    to  from    to  from    to  acc description of target\n",
    b"#%*s %*s ----- %*s %*s ----- --------- ------ ----- --- --- --------- --------- ------ -----"
    b" ----- ----- ----- ----- ----- ----- ---- ---------------------\n",
)
_TARGET_HEADER = (
    b"#%*s --- full sequence ---- --- best 1 domain ---- --- domain number estimation ----\n",
    b"#%-*s %-*s %-*s %-*s   E-value  score  bias   E-value  score  bias   exp reg clu  ov env dom rep inc"
    b" description of target\n",
    b"#%*s %*s %*s %*s --------- ------ ----- --------- ------ -----   --- --- --- --- --- --- --- ---"
    b" ---------------------\n",
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
    b"%-*s %-*s %5d %-*s %-*s %5d %9.2g %6.1f %5.1f %3d %3d %9.2g %9.2g "
    b"%6.1f %5.1f %5d %5d %5d %5d %5d %5d %4.2f %s\n"
)
_TARGET_ROW = (
    b"%-*s %-*s %-*s %-*s %9.2g %6.1f %5.1f %9.2g %6.1f %5.1f %5.1f %3d %3d %3d %3d %3d %3d %3d %s\n"
)
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
    directory, date   where and when (as C's ctime has it); None leaves the
                      line out, so that equal results make equal files
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
        # A line end in a file name must not make a line of its own.
        text = "".join(
            f"# {name + ':':<16} {' '.join(value.splitlines())}\n"
            for name, value in fields
            if value is not None
        )
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
                target, accession, length, query, query_accession, *rest = domain_fields(hit, domain, rank)
                names = widths.target, target, widths.accession, accession, length
                names += widths.query, query, widths.query_accession, query_accession
                rows.append(_DOMAIN_ROW % (*names, *rest, _description(hit)))
        return b"".join(rows)


class TblWriter(_HmmscanWriter):
    """hmmscan's --tblout: one row for each family."""

    def _rows(self, record: Record, hits: Sequence[Hit]) -> bytes:
        widths = _widths(record, hits)
        rows = [_header(_TARGET_HEADER, widths, 2)] if self._queries == 1 else []
        for hit in hits:
            if hit.reported:
                texts = (
                    hit.target_name,
                    hit.target_accession or "-",
                    hit.query_name,
                    hit.query_accession or "-",
                )
                names = _padded(widths, map(as_bytes, texts))
                rows.append(_TARGET_ROW % (*names, *_SEQUENCE(hit), _description(hit)))
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
        width = _widths(record, hits).target
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


class _Widths(NamedTuple):
    target: int
    accession: int
    query: int
    query_accession: int


def _widths(record: Record, hits: Sequence[Hit]) -> _Widths:
    """Column widths for a query: of all its hits, the unreported ones too."""
    return _Widths(
        target=max(20, *(len(as_bytes(hit.target_name)) for hit in hits), 0),
        accession=max(10, *(len(as_bytes(hit.target_accession)) for hit in hits), 0),
        query=max(20, len(as_bytes(record.name))),
        query_accession=max(10, len(as_bytes(record.accession))),
    )


def _padded(widths, texts) -> list:
    """Each width with its text, as printf takes them."""
    return [field for pair in zip(widths, texts) for field in pair]


def _header(lines: tuple[bytes, bytes, bytes], widths: _Widths, more: int) -> bytes:
    """The three header lines; the first column gives one place to the #, groups begin after `more` places."""
    columns = widths._replace(target=widths.target - 1)
    groups, names, rules = lines
    return (
        groups % (sum(widths) + more, b"")
        + names % tuple(_padded(columns, _NAMES))
        + rules % tuple(_padded(columns, _RULES))
    )


def _description(hit: Hit) -> bytes:
    """The last column; hmmscan's formats have no other place for the source."""
    mark = "[network] " if hit.source == "network" else ""
    return as_bytes(mark + (hit.target_description or "-"))
