"""Sequences longer than HMMER takes: windows, and the hits of windows made one.

HMMER's pipeline ends at 100,000 residues. A longer sequence is searched in overlapping windows,
as if each were a sequence. The overlap is ten times the longest Pfam family, so each domain lies
complete in the window that owns its middle.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

from ..families import Family
from ..hits import Domain, Hit
from ..records import Record, overlap
from .thresholds import Thresholds, in_order, passes, with_cutoffs, with_domZ

OVERLAP = 20_000


def windows(length: int, size: int) -> list[tuple[int, int]]:
    """Cut a sequence into (start, end) of `size` residues, 0-based half-open; neighbours share `OVERLAP`."""
    if length <= size:
        return [(0, length)]
    starts = [*range(0, length - size, size - OVERLAP), length - size]
    return [(start, start + size) for start in starts]


def merge_windows(
    record: Record,
    found: Sequence[tuple[int, int, list[Hit]]],
    families: Sequence[Family],
    thresholds: Thresholds,
    Z: float,
) -> list[Hit]:
    """Make (start, end, hits) of each window, in order, into hits of the sequence, best first.

    The domains are those of all windows, each once. In HMMER's length model a domain costs
    log2(length) bits, so scores and P-values are converted from a window's length to the sequence's.
    The score of the sequence is its best window's, an estimate from below; exp, reg, clu and ov are
    sums over the windows in proportion to the domains kept.
    """
    by_family = {}
    for k, (start, end, hits) in enumerate(found):
        left = found[k - 1][1] if k else start
        right = found[k + 1][0] if k + 1 < len(found) else end
        # Of an overlap with a neighbour each window owns the nearer half.
        owned = (start + max(left, start)) / 2, (end + min(right, end)) / 2
        excess = log(len(record.sequence) / (end - start))
        for hit in hits:
            by_family.setdefault(hit.family, []).append((owned, _moved(hit, start, excess, Z)))
    merged = (_merge(parts, record) for parts in by_family.values())
    merged = [with_cutoffs(hit, families[hit.family], thresholds) for hit in merged]
    merged = [hit for hit in merged if hit.reported and passes(hit.evalue, hit.score, thresholds)]
    domZ = thresholds.domZ or len(merged)
    return in_order((with_domZ(hit, domZ, thresholds) for hit in merged), thresholds)


def _moved(hit: Hit, shift: int, excess: float, Z: float) -> Hit:
    """A window's hit in the coordinates and length model of the sequence, whose length
    is larger by `excess` (natural logarithm)."""
    domains = tuple(_moved_domain(domain, shift, excess, Z) for domain in hit.domains)
    score = hit.score - excess / log(2) * max(1, hit.n_included)
    score = max(score, max(domain.score for domain in domains))
    log_p = min(0.0, hit.log_p + (hit.score - score) * log(2))
    return replace(hit, score=score, log_p=log_p, evalue=exp(log_p) * Z, domains=domains)


def _moved_domain(domain: Domain, shift: int, excess: float, Z: float) -> Domain:
    log_p = min(0.0, domain.log_p + excess)
    ends = {name: getattr(domain, name) + shift for name in ("ali_from", "ali_to", "env_from", "env_to")}
    score = domain.score - excess / log(2)
    return replace(domain, score=score, log_p=log_p, i_evalue=exp(log_p) * Z, **ends)


def _merge(parts: list[tuple[tuple[float, float], Hit]], record: Record) -> Hit:
    best = max((hit for _, hit in parts), key=lambda hit: hit.score)
    kept = [
        [d for d in hit.domains if owned[0] < (d.env_from + d.env_to) / 2 <= owned[1]] for owned, hit in parts
    ]
    # Two windows may see a domain at the border between them differently, and none own what it sees.
    for (_, hit), mine in zip(parts, kept):
        for domain in hit.domains:
            if not any(overlap(domain.envelope, other.envelope) for others in kept for other in others):
                mine.append(domain)
    domains = sorted((d for mine in kept for d in mine), key=lambda d: (d.env_from, d.env_to))
    fractions = [(hit, len(mine) / len(hit.domains)) for (_, hit), mine in zip(parts, kept)]
    total = lambda name: sum(getattr(hit, name) * fraction for hit, fraction in fractions)
    return replace(
        best,
        query_length=len(record.sequence),
        expected=total("expected"),
        **{name: round(total(name)) for name in ("regions", "clustered", "overlaps")},
        envelopes=len(domains),
        best=max(range(len(domains)), key=lambda i: domains[i].score),
        domains=tuple(domains),
    )
