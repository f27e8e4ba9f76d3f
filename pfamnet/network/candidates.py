"""From block logits to candidate families, their scores and regions.

The log-odds of a family in a block are its logit minus that of "no family". A family's peak, which ranks it
for proposal, is the largest mean, in a block, of its log-odds and the logarithm of its probability: by
log-odds alone, a block that is surely of one family would propose all similar ones. Its score is the largest
sum of log-odds over a run of blocks (Kadane's algorithm). The run is the network's region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

CALLED = 64  # families per span whose scores are computed
SPAN = 64  # blocks; a protein of several spans may have several times as many candidates
CHUNK = 256  # blocks processed at once
CELLS = 1 << 18  # log-odds whose runs are computed at once


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
    logits: np.ndarray,
    block: int,
    length: int,
    threshold: float = -np.inf,
    most: int | None = None,
    called: int = CALLED,
) -> Proposal:
    """Propose the families whose peak reaches a threshold.

    Arguments:
        logits: (blocks, F + 1), class 0 = no family, of a protein of `length` residues.
        most, called: families per span, and those whose scores are computed, at most.
    """
    peaks = best_blocks(logits)
    passed = np.flatnonzero(peaks >= threshold)
    order = passed[np.lexsort((passed, -peaks[passed]))]
    families = order if most is None else order[: most * spans(len(logits))]
    columns = families[: called * spans(len(logits))]
    scores, starts, ends = runs_of(logits, columns)
    regions = np.stack([starts * block, np.minimum(ends * block, length)], 1)
    return Proposal(families, peaks[families], scores, regions)


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


def best_blocks(logits: np.ndarray) -> np.ndarray:
    """The peak of each family (F,), without a copy of all logits (blocks, F + 1)."""
    best = np.full(logits.shape[1] - 1, -np.inf, logits.dtype)
    for start in range(0, len(logits), CHUNK):
        part = logits[start : start + CHUNK]
        odds = part[:, 1:] - part[:, :1]
        # log(1 + sum of odds), without overflow: minus the log-probability of no family
        highest = odds.max(1, initial=0, keepdims=True)
        total = np.exp(odds - highest).sum(1, keepdims=True) + np.exp(-highest)
        np.maximum(best, (odds - (highest + np.log(total)) / 2).max(0), out=best)
    return best


def runs_of(logits: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`best_runs` of some families (m,), without a copy of all logits."""
    few = max(1, CELLS // max(1, len(logits)))
    parts = [families[start : start + few] for start in range(0, len(families), few)] or [families]
    runs = [best_runs(logits[:, part + 1] - logits[:, :1]) for part in parts]
    return tuple(map(np.concatenate, zip(*runs)))


def best_runs(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum, first row and row after the last (m,) of the run with the largest sum in each column of (n, m).

    Of runs with equal sums the one that ends first is chosen, then the shortest.

    >>> best_runs(np.array([[-1.], [2.], [-1.], [3.], [-5.]]))
    (array([4.]), array([1]), array([4]))
    """
    columns = np.arange(odds.shape[1])
    # A run's sum is the difference of two sums from the first row on.
    sums = np.concatenate([np.zeros((1, len(columns))), np.cumsum(odds, 0, dtype=float)])
    lowest = np.minimum.accumulate(sums[:-1], 0)
    last = (sums[1:] - lowest).argmax(0) + 1 if len(columns) else columns
    floor = lowest[last - 1, columns]
    rows = np.arange(len(odds))[:, None]
    first = np.where((sums[:-1] == floor) & (rows < last), rows, -1).max(0, initial=-1)
    return sums[last, columns] - floor, first, last
