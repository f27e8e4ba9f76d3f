"""From block logits to candidate families, regions and P-values.

The log-odds of a family in a block are its logit less that of "no family".
Two figures of a family on a protein follow:

peak     the largest mean, in a block, of its log-odds and the logarithm of its
         probability; families are proposed by it.  By log-odds alone, a block
         that is surely of some family would propose all that resemble it;
score    the largest sum of log-odds over a run of blocks (Kadane's algorithm),
         as a local alignment's score is a sum over its columns; the run is the
         network's region, and the score's tail on decoys gives its P-value
         (exponential, as for local alignments: Karlin & Altschul 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CALLED = 64        # families for which runs are worked out, of each span of blocks
SPAN = 64          # blocks; a protein of more of them may have more candidates
CHUNK = 256        # blocks looked at at once
MOST = 1e9         # what no number of a sound calibration exceeds
MOST = 1e9         # residues or nats: more in a calibration are a mistake


@dataclass(frozen=True)
class Proposal:
    """Families proposed for one protein, best peak first.

    `families` (n,) indices and `peaks` (n,) in nats.  Of the first m of them,
    those that may be called: `scores` (m,) in nats, and `regions` (m, 2) in
    residues, 0-based half-open.
    """

    families: np.ndarray
    peaks: np.ndarray
    scores: np.ndarray
    regions: np.ndarray


def spans(blocks: int) -> int:
    """How many spans a protein of so many blocks has, begun ones included."""
    return -(-blocks // SPAN)


def propose(logits: np.ndarray, block: int, length: int, threshold: float = -np.inf,
            most: int | None = None, called: int = CALLED) -> Proposal:
    """The families whose peak passes `threshold`: at most `most` a `SPAN` of blocks.

    `logits` (blocks, F + 1), class 0 = no family; `length` residues.
    """
    peaks = best_blocks(logits)
    passed = np.flatnonzero(peaks >= threshold)
    order = passed[np.lexsort((passed, -peaks[passed]))]
    families = order if most is None else order[:most * spans(len(logits))]
    columns = families[:called * spans(len(logits))]
    scores, starts, ends = best_runs(logits[:, columns + 1] - logits[:, :1])
    regions = np.stack([starts * block, np.minimum(ends * block, length)], 1)
    return Proposal(families, peaks[families], scores, regions)


def best_blocks(logits: np.ndarray) -> np.ndarray:
    """The peak of each family (F,), without a copy of all the logits."""
    best = np.full(logits.shape[1] - 1, -np.inf, logits.dtype)
    for start in range(0, len(logits), CHUNK):
        part = logits[start:start + CHUNK]
        odds = part[:, 1:] - part[:, :1]
        # log(1 + sum of odds), of which none overflows: minus the log-probability of no family
        highest = odds.max(1, initial=0, keepdims=True)
        total = np.exp(odds - highest).sum(1, keepdims=True) + np.exp(-highest)
        np.maximum(best, (odds - (highest + np.log(total)) / 2).max(0), out=best)
    return best


def best_runs(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The run of rows with the largest sum, for each column of (n, m).

    Returns sums (m,), first rows (m,) and rows after the last (m,).  Of runs
    with equal sums it is the one that ends first, and of these the shortest.

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


@dataclass(frozen=True)
class Calibration:
    """Tail of the scores of decoys: P(score >= s) = p * exp(-(s - location) / scale).

    One row of `bins` for each length: (residues, p, location, scale), by
    residues; between two lengths the logarithm of P is interpolated in the
    logarithm of the length, and beyond the last P grows as the length does:
    a protein twice as long has twice as many places for a chance run.  Below `location`, where P is over `p`, the same
    exponential is used as far as P = 1; it is only roughly right there.
    """

    bins: tuple[tuple[float, float, float, float], ...]

    def __post_init__(self):
        """Raises ValueError where P-values could not be worked out."""
        lengths = [length for length, *_ in self.bins]
        sound = all(1 <= length <= MOST and 0 < p <= 1 and abs(location) <= MOST and 1 / MOST <= scale <= MOST
                    for length, p, location, scale in self.bins)
        if not (self.bins and sound and all(a < b for a, b in zip(lengths, lengths[1:]))):
            raise ValueError("no calibration")

    def log_p(self, scores: np.ndarray, length: int) -> np.ndarray:
        """Natural logarithm of the P-value of scores on a protein of `length` residues."""
        scores = np.asarray(scores, float)
        tails = np.array([np.log(p) - (scores - location) / scale
                          for _, p, location, scale in self.bins])
        places = np.log([bin[0] for bin in self.bins])
        place = np.log(max(length, 1))
        where = np.interp(place, places, np.arange(len(places)))
        low = int(where)
        high = min(low + 1, len(places) - 1)
        between = tails[low] + (where - low) * (tails[high] - tails[low])
        return np.minimum(between + max(place - places[-1], 0), 0)

    @classmethod
    def fit(cls, scores: dict[int, np.ndarray], families: int, tail: float = 0.5) -> "Calibration":
        """Fit from decoys: length -> (decoys, n) best scores of each decoy, unordered.

        The tail is where fewer than `tail` families a decoy score; its mean
        excess is the scale (the maximum-likelihood estimate).
        """
        bins = []
        for length, rows in sorted(scores.items()):
            ranked = np.sort(rows.ravel())[::-1]
            count = max(int(tail * len(rows)), 10)
            location = ranked[count]
            scale = max(float((ranked[:count] - location).mean()), 1e-3)
            bins.append((float(length), count / (len(rows) * families), float(location), scale))
        return cls(tuple(bins))
