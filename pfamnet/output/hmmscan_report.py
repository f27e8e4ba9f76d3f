"""hmmscan's human-readable report: scores, domains and alignments of each query.

The lines are hmmscan 3.4's to the byte, except for the head of the file, the times that hmmscan
adds to each query, and what the network alone calls.
"""

from typing import BinaryIO

from ..hits import Domain
from .writer import Writer, as_bytes, description_of

WIDTH = 120
_RULE = b"# " + b"- " * 34 + b"-\n"
_SCORES = (
    b"Scores for complete sequence (score includes all domains):\n"
    b"   --- full sequence ---   --- best 1 domain ---    -#dom-\n"
    b"    E-value  score  bias    E-value  score  bias    exp  N  %-*s Description\n"
    b"    ------- ------ -----    ------- ------ -----   ---- --  %-*s -----------\n"
)
_SCORE = b"  %9.2g %6.1f %5.1f  %9.2g %6.1f %5.1f  %5.1f %2d  %-*s  %s\n"
_DOMAINS = (
    b"   #    score  bias  c-Evalue  i-Evalue hmmfrom  hmm to    alifrom  ali to"
    b"    envfrom  env to     acc\n"
    b" ---   ------ ----- --------- --------- ------- -------    ------- -------"
    b"    ------- -------    ----\n"
)
_DOMAIN = b" %3d %s %6.1f %5.1f %9.2g %9.2g %7d %7d %s %7d %7d %s %7d %7d %s %4.2f\n"
_NO_HITS = b"\n   [No hits detected that satisfy reporting thresholds]\n"
_NO_TARGETS = b"\n   [No targets detected that satisfy reporting thresholds]\n"
_NO_DOMAINS = (
    b"   [No individual domains that satisfy reporting thresholds (although complete target did)]\n\n"
)
_Z = (0, "actual number of targets")
_LEAST = 40  # columns in a block, however narrow the lines shall be
_FILTERS = (("MSV", "msv", "F1"), ("bias", "bias", "F1"), ("Vit", "vit", "F2"), ("Fwd", "fwd", "F3"))


class ReportWriter(Writer):
    """The report, with ``[ok]`` at its end.

    Arguments:
        out: as for every table.
        head: (what, value) pairs for the head of the file.
        thresholds: of the search.
        Z: number of comparisons, and what it is.
        accessions: show families' accessions if they have one (`--acc`).
        alignments: show alignments.
        width: of lines; 0 for no limit.
    """

    def __init__(
        self, out: str | BinaryIO, head, thresholds, Z=_Z, accessions=False, alignments=True, width=WIDTH
    ) -> None:
        named = b"".join(b"# %-33s%s\n" % (as_bytes(what + ":"), as_bytes(value)) for what, value in head)
        head = (
            b"# hmmscan :: search sequence(s) against a profile database\n"
            b"# HMMER 3.4 (Aug 2023); http://hmmer.org/\n" + _RULE + named + _RULE + b"\n"
        )
        super().__init__(out, head)
        self._thresholds, self._Z = thresholds, Z
        self._accessions, self._alignments, self._width = accessions, alignments, width

    def _rows(self, record, hits):
        reported = [hit for hit in hits if hit.reported]
        lines = [b"Query:       %s  [L=%d]\n" % (as_bytes(record.name), len(record.sequence))]
        for label, text in (("Accession", record.accession), ("Description", record.description)):
            if text:
                lines.append(b"%-13s%s\n" % (as_bytes(label + ":"), as_bytes(text)))
        lines += [*self._scores(hits, reported), b"\n\n", *self._domains(reported), b"\n\n"]
        return b"".join([*lines, *self._summary(record, hits, len(reported)), b"//\n"])

    def _end(self):
        return b"[ok]\n"

    def _shown(self, hit):
        return as_bytes(self._accessions and hit.target_accession or hit.target_name)

    def _described(self, hit, taken):
        """The description as far as there is room for it."""
        text = as_bytes(description_of(hit))
        return text[: max(32, self._width - taken)] if self._width else text

    def _scores(self, hits, reported):
        """The list of families."""
        width = max(8, *(len(self._shown(hit)) for hit in hits), 0)
        yield _SCORES % (width, b"Model", width, b"--------")
        included = True
        for hit in reported:
            if included and not hit.included:
                included = False
                yield b"  ------ inclusion threshold ------\n"
            best = hit.best_domain
            numbers = hit.evalue, hit.score, hit.bias, best.i_evalue, best.score, best.bias
            names = width, self._shown(hit), self._described(hit, width + 61)
            yield _SCORE % (*numbers, hit.expected, hit.n_reported, *names)
        if not reported:
            yield _NO_HITS

    def _domains(self, reported):
        """The domains of each family."""
        extra = b" (and alignments)" if self._alignments else b""
        yield b"Domain annotation for each model%s:\n" % extra
        for hit in reported:
            shown = self._shown(hit)
            yield b">> %s  %s\n" % (shown, self._described(hit, len(shown) + 5))
            domains = hit.reported_domains
            if not domains:
                yield _NO_DOMAINS
                continue
            yield _DOMAINS
            yield from (_domain_row(hit, domain, rank) for rank, domain in enumerate(domains, 1))
            yield b"\n"
            if self._alignments:
                yield b"  Alignments for each domain:\n"
                yield from (self._alignment(hit, domain, rank) for rank, domain in enumerate(domains, 1))
        if not reported:
            yield _NO_TARGETS

    def _alignment(self, hit, domain, rank):
        numbers = rank, domain.score, domain.c_evalue
        head = b"  == domain %d  score: %.1f bits;  conditional E-value: %.2g\n" % numbers
        if domain.alignment is None:
            return head + b"  [called by the network alone: no alignment]\n\n"
        query = self._accessions and hit.query_accession or hit.query_name
        names = self._shown(hit), as_bytes(query)
        return head + alignment_blocks(*names, domain, self._width) + b"\n"

    def _summary(self, record, hits, reported):
        """hmmscan's counts of what passed its filters, where profiles were tried."""
        yield b"Internal pipeline statistics summary:\n-------------------------------------\n"
        yield _count("Query sequence(s)", 1, f"({len(record.sequence)} residues searched)")
        counts = getattr(hits, "counts", None)
        if counts is None:
            return
        models = counts["nmodels"]
        yield _count("Target model(s)", models, f"({counts['nnodes']} nodes)")
        for name, key, limit in _FILTERS:
            passed, share = counts[f"n_past_{key}"], min(1.0, getattr(self._thresholds, limit))
            rest = f"({passed / models if models else 0:.6g}); expected {models * share:.1f} ({share:.6g})"
            yield _count(f"Passed {name} filter", passed, rest)
        domZ = self._thresholds.domZ
        yield _count("Initial search space (Z)", self._Z[0], f"[{self._Z[1]}]")
        counted = reported, "[number of targets reported over threshold]"
        given = domZ, "[as set by --domZ on cmdline]"
        yield _count("Domain search space  (domZ)", *(counted if domZ is None else given))


def _count(label, number, rest):
    return as_bytes(f"{label + ':':<29}{number:15.0f}  {rest}\n")


def _domain_row(hit, domain, rank):
    ends = [
        (b"[" if start == 1 else b".") + (b"]" if end == length else b".")
        for start, end, length in (
            (domain.hmm_from, domain.hmm_to, hit.target_length),
            (domain.ali_from, domain.ali_to, hit.query_length),
            (domain.env_from, domain.env_to, hit.query_length),
        )
    ]
    return _DOMAIN % (
        *(rank, b"!" if domain.included else b"?"),
        *(domain.score, domain.bias, domain.c_evalue, domain.i_evalue),
        *(domain.hmm_from, domain.hmm_to, ends[0]),
        *(domain.ali_from, domain.ali_to, ends[1]),
        *(domain.env_from, domain.env_to, ends[2]),
        domain.accuracy,
    )


def alignment_blocks(target: bytes, query: bytes, domain: Domain, width: int) -> bytes:
    """hmmscan's lines, of at most `width` (0: any), for the alignment of a domain under these names."""
    lines = domain.alignment
    names = max(len(target), len(query))
    digits = len(str(max(domain.hmm_from, domain.hmm_to, domain.ali_from, domain.ali_to)))
    length, room = len(lines.model), width - names - 2 * digits - 5
    columns = max(room, _LEAST) if width and room < length else length
    indent = b" " * (names + digits + 3)
    blocks, k, i = [], domain.hmm_from, domain.ali_from
    for start in range(0, length, columns):
        part = slice(start, start + columns)
        model, sequence = lines.model[part], lines.sequence[part]
        states, residues = len(model) - model.count("."), len(sequence) - sequence.count("-")
        block = [
            _annotation(indent, text[part], label)
            for text, label in ((lines.structure, b" CS"), (lines.reference, b" RF"), (lines.mask, b" MM"))
        ]
        block += [
            _row(target, names, k, k + states - 1, digits, model),
            _annotation(indent, lines.match[part]),
            _row(query, names, i, i + residues - 1, digits, sequence),
            _annotation(indent, lines.posterior[part], b" PP"),
        ]
        blocks.append(b"".join(block))
        k, i = k + states, i + residues
    return b"\n".join(blocks)


def _annotation(indent, text, label=b""):
    return indent + b" " + as_bytes(text) + label + b"\n" if text else b""


def _row(name, width, first, last, digits, text):
    if last < first:  # of the query: nothing but deletions
        return b"  %*s %*s %s %*s\n" % (width, name, digits, b"-", as_bytes(text), digits, b"-")
    return b"  %*s %*d %s %-*d\n" % (width, name, digits, first, as_bytes(text), digits, last)
