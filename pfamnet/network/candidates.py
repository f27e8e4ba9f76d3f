"""From block logits to candidate families, their scores and regions.

The log-odds of a family in a block are its logit minus that of "no family". A family's peak, which ranks it
for proposal, is the largest mean, in a block, of its log-odds and the logarithm of its probability: by
log-odds alone, a block that is surely of one family would propose all similar ones. A match of its profile
(`profiles.words`) adds as many nats as it is better than chance: a network knows little of small families.
A family's score is the largest sum, over a run of blocks (Kadane's algorithm), of its log-odds against all
that is not of its clan: a shuffled membrane protein resembles many families better than none, and no clan
better than the others. The run is the network's region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .blocks import CELLS, Blocks

CALLED = 64  # families per span whose scores are computed
Matches = tuple[np.ndarray, np.ndarray]  # families and nats, of `profiles.words`
SPAN = 64  # blocks; a protein of several spans may have several times as many candidates


@dataclass(frozen=True)
class Proposal:
    """Families proposed for one protein, best peak first.

    `families` (n,) are indices, `peaks` (n,) in nats. The first m have `scores` (m,) in nats and `regions`
    (m, 2) in residues, 0-based half-open.
    """

    families: np.ndarray
    peaks: np.ndarray
    scores: np.ndarray
    regions: np.ndarray

    def moved(self, residues: int) -> Proposal:
        """The same of a protein that has so many residues more before its first."""
        return replace(self, regions=self.regions + residues)


def spans(blocks: int) -> int:
    """The number of spans in so many blocks, rounded up."""
    return -(-blocks // SPAN)


def propose(
    blocks: Blocks,
    block: int,
    length: int,
    clans: np.ndarray,
    threshold: float = -np.inf,
    most: int | None = None,
    called: int = CALLED,
    matches: Matches | None = None,
) -> Proposal:
    """Propose the families whose peak reaches a threshold.

    Arguments:
        blocks: of `block` residues each, of a protein of `length` residues.
        clans: the number of each family's clan (F,).
        most, called: families per span, and those whose scores are computed, at most.
        matches: families (m,), ascending, whose profiles match the protein, and by how many nats (m,).
    """
    passed, peaks = best_blocks(blocks, threshold, matches)
    order = np.lexsort((passed, -peaks))
    if most is not None:
        order = order[: most * spans(blocks.count)]
    families = passed[order]
    scores, starts, ends = runs_of(blocks, families[: called * spans(blocks.count)], clans)
    regions = np.stack([starts * block, np.minimum(ends * block, length)], 1)
    return Proposal(families, peaks[order], scores, regions)


def merged(parts: Sequence[Proposal]) -> Proposal:
    """One proposal of several, for parts of one protein: of each family its best peak and its best score.

    Families with scores come first.
    """
    peaks, calls = {}, {}
    for part in parts:
        for family, peak in zip(part.families.tolist(), part.peaks.tolist()):
            peaks[family] = max(peak, peaks.get(family, -np.inf))
        for family, score, region in zip(part.families.tolist(), part.scores.tolist(), part.regions.tolist()):
            if family not in calls or score > calls[family][0]:
                calls[family] = score, region
    order = sorted(peaks, key=lambda family: (family not in calls, -peaks[family], family))
    scored = [calls[family] for family in order[: len(calls)]]
    return Proposal(
        np.array(order, int),
        np.array([peaks[family] for family in order], float),
        np.array([score for score, _ in scored], float),
        np.array([region for _, region in scored], int).reshape(-1, 2),
    )


def best_blocks(
    blocks: Blocks, threshold: float = -np.inf, matches: Matches | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The families (m,) whose peak reaches a threshold, ascending, and their peaks (m,)."""
    families, half = np.flatnonzero(may_reach(blocks, threshold)), blocks.none[:, None] / 2
    if matches is not None:
        families = np.union1d(families, matches[0])
    [peaks] = by_few(lambda part: ((blocks.odds(part) + half).max(0),), families, blocks.count)
    if matches is not None:
        peaks[np.searchsorted(families, matches[0])] += matches[1]
    passed = peaks >= threshold
    return families[passed], peaks[passed]


def may_reach(blocks: Blocks, threshold: float) -> np.ndarray:
    """Which families (F,) may have a peak that reaches a threshold: those that do, and a few more.

    Levels decide, without a look at log-odds.
    """
    levels, half = blocks.levels, blocks.none / 2
    # a little less than the level that a family needs in each block
    least = levels[:, 0] + (threshold - half) / np.float32(blocks.step) - np.float32(0.5)
    if levels.dtype == np.uint8:
        least = np.minimum(np.maximum(least, 0), 255).astype(np.uint8)
    return (levels >= least[:, None]).any(0)[1:]


def runs_of(
    blocks: Blocks, families: np.ndarray, clans: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`best_runs` of some families (m,), by their log-odds against all that is not of their clans."""
    contrasts = blocks.contrasts(families, clans)
    return by_few(lambda part: best_runs(contrasts[:, part]), np.arange(len(families)), blocks.count)


def by_few(compute: Callable, families: np.ndarray, blocks: int) -> tuple[np.ndarray, ...]:
    """Arrays computed of a few families at once, joined."""
    few = max(1, CELLS // max(1, blocks))
    if len(families) <= few:
        return compute(families)
    parts = [compute(families[start : start + few]) for start in range(0, len(families), few)]
    return tuple(map(np.concatenate, zip(*parts)))


def best_runs(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum, first row and row after the last (m,) of the run with the largest sum in each column of (n, m).

    Of runs with equal sums the one that ends first is chosen, then the shortest.

    >>> best_runs(np.array([[-1.], [2.], [-1.], [3.], [-5.]]))
    (array([4.]), array([1]), array([4]))
    """
    columns, rows = np.arange(odds.shape[1]), np.arange(len(odds))[:, None]
    if not len(columns):
        return np.zeros(0), columns, columns
    # A run's sum is the difference of two sums from the first row on.
    sums = np.zeros((len(odds) + 1, len(columns)))
    np.cumsum(odds, 0, out=sums[1:])
    before = sums[:-1]
    lowest = np.minimum.accumulate(before, 0)
    rises = sums[1:] - lowest
    last = rises.argmax(0)
    first = np.maximum.accumulate(np.where(before == lowest, rows, -1), 0)
    return rises[last, columns], first[last, columns], last + 1
