"""Domains that two programs report, compared one by one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTCOMES = ("exact", "printed", "score", "moved", "lost")
IDENTICAL = ("exact", "printed")


class Found(NamedTuple):
    """A reported domain. Places from 1, both ends included; `family` an index."""

    protein: str
    family: int
    ali: tuple[int, int]
    env: tuple[int, int]
    hmm: tuple[int, int]
    score: float
    evalue: float
    source: str = "profile"

    @property
    def place(self) -> tuple:
        return self.ali, self.env, self.hmm

    @property
    def length(self) -> int:
        return self.ali[1] - self.ali[0] + 1


def outcomes(reference: Iterable[Found], reported: Iterable[Found]) -> list[str]:
    """What became of each reference domain.

    exact    same family, coordinates (alignment, envelope, profile) and score
    printed  the same as tables print it: the scores differ by less than that
    score    same coordinates, another score
    moved    the family overlaps the domain, but with other coordinates
    lost     the family does not overlap the domain
    """
    there = defaultdict(list)
    for domain in reported:
        there[domain.protein, domain.family].append(domain)
    return [_outcome(domain, there[domain.protein, domain.family]) for domain in reference]


def _outcome(domain: Found, others: Sequence[Found]) -> str:
    scores = [other.score for other in others if other.place == domain.place]
    if domain.score in scores:
        return "exact"
    if f"{domain.score:.1f}" in [f"{score:.1f}" for score in scores]:
        return "printed"
    if scores:
        return "score"
    return "moved" if any(overlap(domain.ali, other.ali) for other in others) else "lost"


def overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Residues that two ranges, ends included, share.

    >>> overlap((1, 10), (10, 20)), overlap((1, 9), (10, 20))
    (1, 0)
    """
    return max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)


def besides(reference: Iterable[Found], reported: Iterable[Found]) -> list[Found]:
    """Reported domains that no reference domain of the same family overlaps."""
    there = defaultdict(list)
    for domain in reference:
        there[domain.protein, domain.family].append(domain.ali)
    return [
        domain
        for domain in reported
        if not any(overlap(domain.ali, ali) for ali in there[domain.protein, domain.family])
    ]


def best_of_clans(domains: Sequence[Found], clans: Sequence[str]) -> list[bool]:
    """Which domains stay when overlapping families of one clan compete, as in Pfam.

    The lowest E-value goes first; a domain falls when a better one of another
    family of its clan shares a residue with it. `clans[family]` is "" where
    the family has none.
    """
    order = sorted(range(len(domains)), key=lambda i: (domains[i].evalue, -domains[i].score, i))
    kept, stays = defaultdict(list), [True] * len(domains)
    for i in order:
        domain, clan = domains[i], clans[domains[i].family]
        better = kept[domain.protein, clan] if clan else []
        stays[i] = not any(
            other.family != domain.family and overlap(other.ali, domain.ali) for other in better
        )
        if stays[i] and clan:
            better.append(domain)
    return stays


def why_lost(proposed: bool, rank: int, limit: int, peak: float, threshold: float) -> str:
    """Why a family was not reported: tried, or by which rule it was no candidate.

    `rank` counts from 0 in order of the peaks; `limit` candidates are taken.
    """
    if proposed:
        return "candidate, but not reported"
    beyond, below = rank >= limit, peak < threshold
    if beyond and below:
        return "beyond K and below the threshold"
    return "beyond K" if beyond else "below the threshold" if below else "other"


def counts(names: Iterable[str], known: Sequence[str] = ()) -> dict:
    """How often each name comes; the known ones in their order, even if never."""
    found = Counter(names)
    return {name: found.pop(name, 0) for name in known} | dict(found.most_common())
