"""Sequences longer than HMMER takes: windows, and hits of windows made one.

HMMER's pipeline ends at 100,000 residues, and so does hmmscan. A longer
sequence is searched in overlapping windows, as if each were a sequence. The
overlap is ten times the longest Pfam family, so that each domain lies whole,
and with its surroundings, in the window that owns its middle.
"""

from dataclasses import replace
from math import exp, log

from .thresholds import passes, with_domZ

OVERLAP = 20_000


def windows(length: int, size: int, overlap: int = OVERLAP) -> list[tuple[int, int]]:
    """Cut a sequence into windows of ``size`` residues, the last one ending
    with the sequence.

    Returns:
        (start, end) pairs, 0-based half-open; neighbours share at least
        ``overlap`` residues.
    """
    if length <= size:
        return [(0, length)]
    starts = list(range(0, length - size, size - overlap)) + [length - size]
    return [(start, start + size) for start in starts]


def merge_windows(record, found, thresholds, Z) -> list:
    """Make the hits of windows into hits of the sequence.

    Arguments:
        record: the whole sequence.
        found: (start, end, hits) of each window that was searched, in order.
        thresholds, Z: of the search.

    Returns:
        Hits in hmmscan's order, with coordinates on the whole sequence. The
        domains are those of all windows, each once. In HMMER's length model a
        domain costs log2(length) bits, so scores and P-values are brought
        from a window's length to the sequence's. The score of the whole
        sequence is its best window's, an estimate from below; exp, reg, clu
        and ov are sums over the windows in proportion to the domains kept.
    """
    by_family = {}
    for k, (start, end, hits) in enumerate(found):
        left = found[k - 1][1] if k else start
        right = found[k + 1][0] if k + 1 < len(found) else end
        # Of an overlap with a neighbour each window owns the nearer half.
        owned = (start + max(left, start)) / 2, (end + min(right, end)) / 2
        excess = log(len(record.sequence) / (end - start))
        for hit in hits:
            part = owned, _on_whole(hit, start, excess, Z)
            by_family.setdefault(hit.family, []).append(part)
    merged = [_merge(parts, record) for parts in by_family.values()]
    merged = [hit for hit in merged if passes(hit.evalue, hit.score, thresholds, "")]
    domZ = thresholds.domZ or len(merged)
    merged = [with_domZ(hit, domZ, thresholds) for hit in merged]
    return sorted(merged, key=lambda hit: hit.order)


def _on_whole(hit, shift, excess, Z):
    """A window's hit in the coordinates and length model of the sequence.

    ``excess`` is the natural logarithm of how much longer that is.
    """
    domains = tuple(_domain_on_whole(domain, shift, excess, Z) for domain in hit.domains)
    bits = excess / log(2)
    score = hit.score - bits * max(1, hit.n_included)
    score = max(score, max(domain.score for domain in domains))
    log_p = min(0.0, hit.log_p + (hit.score - score) * log(2))
    return replace(hit, score=score, log_p=log_p, evalue=exp(log_p) * Z, domains=domains)


def _domain_on_whole(domain, shift, excess, Z):
    log_p = min(0.0, domain.log_p + excess)
    return replace(
        domain,
        score=domain.score - excess / log(2),
        log_p=log_p,
        i_evalue=exp(log_p) * Z,
        ali_from=domain.ali_from + shift,
        ali_to=domain.ali_to + shift,
        env_from=domain.env_from + shift,
        env_to=domain.env_to + shift,
    )


def _merge(parts, record):
    best = max((hit for _, hit in parts), key=lambda hit: hit.score)
    kept = [[d for d in hit.domains if owned[0] < _middle(d) <= owned[1]] for owned, hit in parts]
    # Two windows may see a domain at the border of their realms differently,
    # and none own what it sees.
    for (_, hit), mine in zip(parts, kept):
        for domain in hit.domains:
            if not any(_overlap(domain, other) for others in kept for other in others):
                mine.append(domain)
    domains = sorted((d for mine in kept for d in mine), key=lambda d: (d.env_from, d.env_to))
    shares = [(hit, len(mine) / len(hit.domains)) for (_, hit), mine in zip(parts, kept)]
    return replace(
        best,
        query_length=len(record.sequence),
        expected=sum(hit.expected * share for hit, share in shares),
        regions=round(sum(hit.regions * share for hit, share in shares)),
        clustered=round(sum(hit.clustered * share for hit, share in shares)),
        overlaps=round(sum(hit.overlaps * share for hit, share in shares)),
        envelopes=len(domains),
        best=max(range(len(domains)), key=lambda i: domains[i].score),
        domains=tuple(domains),
    )


def _middle(domain):
    return (domain.env_from + domain.env_to) / 2


def _overlap(a, b):
    return a.env_from <= b.env_to and b.env_from <= a.env_to
