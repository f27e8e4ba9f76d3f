"""From block logits to candidate families, their scores and regions.

The log-odds of a family in a block are its logit minus that of "no family". A family's peak, which ranks it
for proposal, is the largest mean, in a block, of its log-odds and the logarithm of its probability: by
log-odds alone, a block that is surely of one family would propose all similar ones. A match of its profile
(`profiles.words`) adds as many nats as it is better than chance: a network knows little of small families.
A family's score is the largest sum, over a run of blocks that is no longer than a long domain of the
family, of its log-odds against all that is not of its clan: a shuffled membrane protein resembles many
families better than none, and no clan better than the others. The run is the network's region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..families import Family, clan_numbers
from .blocks import CELLS, Blocks

LONGEST = 1.5  # times as long as the family's profile is the run of blocks of one domain, and one block more
CALLED = 64  # families per span whose scores are computed
Matches = tuple[np.ndarray, np.ndarray]  # families and nats, of `profiles.words`
ANY = 1 << 30  # blocks; no protein has so many
SPAN = 64  # blocks; a protein of several spans may have several times as many candidates


@dataclass(frozen=True)
class Scoring:
    """What the scores of families depend on besides blocks: the number of each family's clan (F,), and how
    many blocks a run has at most (F,)."""

    clans: np.ndarray
    longest: np.ndarray

    @classmethod
    def of(cls, families: Sequence[Family], block: int) -> Scoring:
        """That of families, for blocks of so many residues. One of unknown length has runs of any length."""
        lengths = np.array([family.length or np.inf for family in families], float)
        longest = np.minimum(np.ceil(LONGEST * lengths / block) + 1, ANY)
        return cls(clan_numbers([family.clan for family in families]), longest.astype(int))

    def take(self, families: np.ndarray) -> Scoring:
        """That of some families (m,)."""
        return Scoring(self.clans[families], self.longest[families])

    def best_runs(self, blocks: Blocks, families: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The `best_runs` of some families (m,), by their log-odds against all that is not of their clans."""
        contrasts, longest = blocks.contrasts(families, self.clans), self.longest[families]
        runs = lambda part: best_runs(contrasts[:, part], longest[part])
        return by_few(runs, np.arange(len(families)), blocks.count)


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
    scoring: Scoring,
    threshold: float = -np.inf,
    most: int | None = None,
    called: int = CALLED,
    matches: Matches | None = None,
) -> Proposal:
    """Propose the families whose peak reaches a threshold.

    Arguments:
        blocks: of `block` residues each, of a protein of `length` residues.
        most, called: families per span, and those whose scores are computed, at most.
        matches: families (m,), ascending, whose profiles match the protein, and by how many nats (m,).
    """
    passed, peaks = best_blocks(blocks, threshold, matches)
    order = np.lexsort((passed, -peaks))
    if most is not None:
        order = order[: most * spans(blocks.count)]
    families = passed[order]
    scores, starts, ends = scoring.best_runs(blocks, families[: called * spans(blocks.count)])
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


def by_few(compute: Callable, families: np.ndarray, blocks: int) -> tuple[np.ndarray, ...]:
    """Arrays computed of a few families at once, joined."""
    few = max(1, CELLS // max(1, blocks))
    if len(families) <= few:
        return compute(families)
    parts = [compute(families[start : start + few]) for start in range(0, len(families), few)]
    return tuple(map(np.concatenate, zip(*parts)))


def best_runs(odds: np.ndarray, longest: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum, first row and row after the last (m,) of the run with the largest sum in each column of (n, m).

    A run has as many rows as `longest` (m,) at most. Of runs with equal sums the one that ends first is
    chosen, then the shortest.

    >>> best_runs(np.array([[-1.], [2.], [-1.], [3.], [-5.]]), np.array([3]))
    (array([4.]), array([1]), array([4]))
    """
    if not odds.shape[1]:
        return np.zeros(0), np.zeros(0, int), np.zeros(0, int)
    # A run's sum is the difference of two sums from the first row on.
    sums = np.zeros((len(odds) + 1, odds.shape[1]))
    np.cumsum(odds, 0, out=sums[1:])
    # Most runs are short enough as they are.
    totals, first, end = highest_rises(sums, np.minimum.accumulate(sums[:-1], 0), len(odds))
    if len(long := np.flatnonzero(end - first > longest)):
        sums, longest = sums[:, long], longest[long]
        totals[long], first[long], end[long] = highest_rises(
            sums, lowest_of_last(sums[:-1], longest), longest
        )
    return totals, first, end


def highest_rises(
    sums: np.ndarray, lowest: np.ndarray, longest: np.ndarray | int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `best_runs`, from sums (n + 1, m) and the `lowest` (n, m) that may be taken off them."""
    columns, rows = np.arange(sums.shape[1]), np.arange(len(lowest))[:, None]
    rises = sums[1:] - lowest
    last = rises.argmax(0)
    begins = (rows <= last) & (rows > last - longest) & (sums[:-1] == lowest[last, columns])
    return rises[last, columns], np.where(begins, rows, -1).max(0), last + 1


def lowest_of_last(values: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """The lowest (n, m) of each value and those above it, `longest` (m,) in all, by ever larger steps.

    >>> lowest_of_last(np.array([[1], [2], [3], [4]]), np.array([3])).tolist()
    [[1], [1], [1], [2]]
    """
    lowest, rows = values, np.arange(len(values))[:, None]
    longest, looked = np.minimum(longest, len(values)), np.ones(len(longest), int)
    while (step := np.minimum(looked, longest - looked)).any():
        lowest = np.minimum(lowest, np.take_along_axis(lowest, np.maximum(rows - step, 0), 0))
        looked = looked + step
    return lowest
