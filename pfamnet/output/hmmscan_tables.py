"""Write hits as tables: tab-separated, and the three formats of hmmscan 3.4.

The latter are hmmscan's to the byte: the header comes once, with the first
query; each query's rows have column widths of their own; a trailer ending in
``# [ok]`` says that the table is whole. Everything is formatted as bytes,
because C counts names in bytes when it pads them.
"""

from typing import BinaryIO, NamedTuple

from .table_headers import Trailer, domain_header, pfam_domain_header, pfam_target_header, target_header
from .writer import Writer
from .writer import as_bytes as _bytes

TSV_COLUMNS = [
    "target_name",
    "target_accession",
    "tlen",
    "query_name",
    "query_accession",
    "qlen",
    "evalue",
    "score",
    "bias",
    "domain",
    "of",
    "c_evalue",
    "i_evalue",
    "domain_score",
    "domain_bias",
    "hmm_from",
    "hmm_to",
    "ali_from",
    "ali_to",
    "env_from",
    "env_to",
    "acc",
    "description",
    "source",
]

_DOMAIN_ROW = (
    b"%-*s %-*s %5d %-*s %-*s %5d %9.2g %6.1f %5.1f %3d %3d %9.2g %9.2g "
    b"%6.1f %5.1f %5d %5d %5d %5d %5d %5d %4.2f %s\n"
)
_TARGET_ROW = (
    b"%-*s %-*s %-*s %-*s %9.2g %6.1f %5.1f %9.2g %6.1f %5.1f %5.1f %3d %3d %3d %3d %3d %3d %3d %s\n"
)
_TSV_ROW = (
    b"%s\t%s\t%d\t%s\t%s\t%d\t%.2g\t%.1f\t%.1f\t%d\t%d\t%.2g\t%.2g\t"
    b"%.1f\t%.1f\t%d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%s\t%s\n"
)


class TsvWriter(Writer):
    """The main table: domtblout's columns and ``source``, between tabs.

    Numbers are printed as in domtblout, without its padding. Arguments: as
    for every table, and ``header=False`` to leave out the header line.
    """

    def __init__(self, out: str | BinaryIO, header: bool = True) -> None:
        super().__init__(out)
        self._header = header

    def _rows(self, record, hits):
        return self._head() + b"".join(
            _TSV_ROW
            % (*_domain_fields(hit, domain, rank), _flat(hit.target_description), hit.source.encode())
            for hit in hits
            if hit.reported
            for rank, domain in enumerate(hit.reported_domains, 1)
        )

    def _end(self):
        return self._head()

    def _mark(self, reason):
        # With its header still to come, an empty table looks like none.
        return b"" if self._header else b"# incomplete: " + _bytes(reason) + b"\n"

    def _head(self):
        """The header line, the first time."""
        line = b"#" + "\t".join(TSV_COLUMNS).encode() + b"\n" if self._header else b""
        self._header = False
        return line


class _HmmscanWriter(Writer):
    """What hmmscan's tables have in common: a trailer."""

    mode = "SCAN"

    def __init__(self, out: str | BinaryIO, trailer: Trailer) -> None:
        super().__init__(out)
        self._trailer = trailer

    def _end(self):
        return self._trailer.lines(self.mode)


class DomtblWriter(_HmmscanWriter):
    """hmmscan's --domtblout: one row for each domain."""

    def _rows(self, record, hits):
        widths = _widths(record, hits)
        rows = [domain_header(*widths)] if self._queries == 1 else []
        for hit in hits:
            if hit.reported:
                for rank, domain in enumerate(hit.reported_domains, 1):
                    fields = _domain_fields(hit, domain, rank)
                    rows.append(
                        _DOMAIN_ROW
                        % (
                            widths.target,
                            fields[0],
                            widths.accession,
                            fields[1],
                            fields[2],
                            widths.query,
                            fields[3],
                            widths.query_accession,
                            *fields[4:],
                            _description(hit),
                        )
                    )
        return b"".join(rows)


class TblWriter(_HmmscanWriter):
    """hmmscan's --tblout: one row for each family."""

    def _rows(self, record, hits):
        widths = _widths(record, hits)
        rows = [target_header(*widths)] if self._queries == 1 else []
        for hit in hits:
            if hit.reported:
                best = hit.best_domain
                rows.append(
                    _TARGET_ROW
                    % (
                        widths.target,
                        _bytes(hit.target_name),
                        widths.accession,
                        _bytes(hit.target_accession or "-"),
                        widths.query,
                        _bytes(hit.query_name),
                        widths.query_accession,
                        _bytes(hit.query_accession or "-"),
                        hit.evalue,
                        hit.score,
                        hit.bias,
                        best.i_evalue,
                        best.score,
                        best.bias,
                        hit.expected,
                        hit.regions,
                        hit.clustered,
                        hit.overlaps,
                        hit.envelopes,
                        hit.n_domains,
                        hit.n_reported,
                        hit.n_included,
                        _description(hit),
                    )
                )
        return b"".join(rows)


class PfamtblWriter(_HmmscanWriter):
    """hmmscan's --pfamtblout: families, then domains, for each query.

    ``by_score`` sorts the domains by score instead of E-value, as hmmscan
    does where inclusion goes by score (`Thresholds.inclusion_by_score`).
    """

    mode = "SEARCH"  # a slip of hmmscan 3.4's, kept

    def __init__(self, out: str | BinaryIO, trailer: Trailer, by_score: bool = False) -> None:
        super().__init__(out, trailer)
        self._by_score = by_score

    def _rows(self, record, hits):
        width = _widths(record, hits).target
        hits = [hit for hit in hits if hit.reported]
        rows = [pfam_target_header(width)]
        for hit in hits:
            rows.append(
                b"%-*s  %6.1f %9.2g %3d %5.1f %5.1f    %s\n"
                % (
                    width,
                    _bytes(hit.target_name),
                    hit.score,
                    hit.evalue,
                    hit.n_domains,
                    hit.expected,
                    hit.bias,
                    _description(hit),
                )
            )
        rows.append(pfam_domain_header(width))
        ranked = [(hit, domain, rank) for hit in hits for rank, domain in enumerate(hit.reported_domains, 1)]
        for hit, domain, rank in sorted(ranked, key=self._domain_order):
            rows.append(
                b"%-*s  %6.1f %9.2g %5d %5.1f %6d %6d %6d %6d %6d %6d     %s\n"
                % (
                    width,
                    _bytes(hit.target_name),
                    domain.score,
                    domain.i_evalue,
                    rank,
                    domain.bias,
                    domain.env_from,
                    domain.env_to,
                    domain.ali_from,
                    domain.ali_to,
                    domain.hmm_from,
                    domain.hmm_to,
                    _description(hit),
                )
            )
        return b"".join(rows)

    def _domain_order(self, item):
        hit, domain, _ = item
        worth = -domain.score if self._by_score else domain.log_p
        backward = domain.ali_from >= domain.ali_to  # one residue counts as backward
        return worth, _bytes(hit.target_name), backward, domain.ali_from


class _Widths(NamedTuple):
    target: int
    accession: int
    query: int
    query_accession: int


def _widths(record, hits):
    """Column widths for a query: of all its hits, the unreported ones too."""
    return _Widths(
        target=max(20, *(len(_bytes(hit.target_name)) for hit in hits), 0),
        accession=max(10, *(len(_bytes(hit.target_accession)) for hit in hits), 0),
        query=max(20, len(_bytes(record.name))),
        query_accession=max(10, len(_bytes(record.accession))),
    )


def _flat(text):
    return _bytes(text.replace("\t", " ") or "-")


def _description(hit):
    """The last column; the formats of hmmscan have no other place for the source."""
    mark = "[network] " if hit.source == "network" else ""
    return _bytes(mark + (hit.target_description or "-"))


def _domain_fields(hit, domain, rank):
    """The first 22 columns of domtblout."""
    return (
        _bytes(hit.target_name),
        _bytes(hit.target_accession or "-"),
        hit.target_length,
        _bytes(hit.query_name),
        _bytes(hit.query_accession or "-"),
        hit.query_length,
        hit.evalue,
        hit.score,
        hit.bias,
        rank,
        hit.n_reported,
        domain.c_evalue,
        domain.i_evalue,
        domain.score,
        domain.bias,
        domain.hmm_from,
        domain.hmm_to,
        domain.ali_from,
        domain.ali_to,
        domain.env_from,
        domain.env_to,
        domain.accuracy,
    )
