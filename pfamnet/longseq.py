"""Sequences longer than HMMER takes: windows, and hits of windows made one.

HMMER's pipeline ends at 100,000 residues, and so does hmmscan. A longer
sequence is searched in overlapping windows, as if each were a sequence. The
overlap is ten times the longest Pfam family, so that each domain lies whole,
and with its surroundings, in the window that owns its middle.
"""

from dataclasses import replace
from math import exp

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
        domains are those of all windows, each once. The numbers of the whole
        sequence are those of its best window, which is what can be known of
        them without a search across all of it; exp is a sum over the windows,
        in the proportion of the domains kept from each.
    """
    by_family = {}
    for k, (start, _, hits) in enumerate(found):
        left = found[k - 1][1] if k else start
        right = found[k + 1][0] if k + 1 < len(found) else found[k][1]
        # Of an overlap with a neighbour each window owns the nearer half.
        owned = (start + max(left, start)) / 2, (found[k][1] + min(right, found[k][1])) / 2
        for hit in hits:
            by_family.setdefault(hit.family, []).append((owned, _shifted(hit, start)))
    domZ = thresholds.domZ or len(by_family)
    merged = [_merge(parts, record, domZ, thresholds) for parts in by_family.values()]
    return sorted(merged, key=lambda hit: hit.order)


def _shifted(hit, by):
    domains = tuple(
        replace(
            domain,
            ali_from=domain.ali_from + by,
            ali_to=domain.ali_to + by,
            env_from=domain.env_from + by,
            env_to=domain.env_to + by,
        )
        for domain in hit.domains
    )
    return replace(hit, domains=domains)


def _merge(parts, record, domZ, thresholds):
    best = max((hit for _, hit in parts), key=lambda hit: hit.score)
    kept = [[d for d in hit.domains if owned[0] < _middle(d) <= owned[1]] for owned, hit in parts]
    # Two windows may see a domain at the border of their realms differently,
    # and none own what it sees.
    for (_, hit), mine in zip(parts, kept):
        for domain in hit.domains:
            if not any(_overlap(domain, other) for others in kept for other in others):
                mine.append(domain)
    domains = sorted((d for mine in kept for d in mine), key=lambda d: (d.env_from, d.env_to))
    domains = tuple(_rethresholded(d, domZ, thresholds) for d in domains)
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
        domains=domains,
        included=any(hit.included for _, hit in parts),
    )


def _middle(domain):
    return (domain.env_from + domain.env_to) / 2


def _overlap(a, b):
    return a.env_from <= b.env_to and b.env_from <= a.env_to


def _rethresholded(domain, domZ, thresholds):
    """Count the families of the whole sequence in the conditional E-value."""
    c_evalue = exp(domain.log_p) * domZ
    by_cutoff = thresholds.bit_cutoffs is not None
    reported = by_cutoff or thresholds.domT is not None or c_evalue <= thresholds.domE
    included = by_cutoff or thresholds.incdomT is not None or c_evalue <= thresholds.incdomE
    return replace(
        domain,
        c_evalue=c_evalue,
        reported=domain.reported and reported,
        included=domain.included and included,
    )
