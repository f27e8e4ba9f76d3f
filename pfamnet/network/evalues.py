"""P-values of a network's scores, from what decoys score.

For each of several lengths of decoys: the scores that so many families a decoy
reach (from many down to one in a hundred decoys, if there are enough), and beyond
the last of them an exponential tail, as local alignment scores have it (Karlin & Altschul 1990).
Between these scores the logarithm of P is interpolated.  P is for one family
on one protein; the number of calls by chance expected of F families is F * P.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

# families a decoy, at whose scores P is known
CALLS = (32, 16, 8, 4, 2, 1, 0.5, 0.1, 0.03, 0.01)
FEWEST = 25  # scores that a tail is fitted to
MOST = 1e9  # what no number of a sound calibration exceeds


@dataclass(frozen=True)
class Tail:
    """What decoys of one length score.

    `residues` of the decoys; `scores` (k,) in nats, increasing; `log_p` (k,) the
    natural logarithms of their P-values, decreasing; `scale` of the tail in nats.
    """

    residues: float
    scores: tuple[float, ...]
    log_p: tuple[float, ...]
    scale: float

    def __post_init__(self):
        """Raises ValueError where P-values could not be worked out."""
        pairs = list(zip(self.scores, self.log_p, strict=True))
        sound = (
            1 <= self.residues <= MOST
            and 1 / MOST <= self.scale <= MOST
            and pairs
            and all(abs(score) <= MOST and -MOST <= log_p <= 0 for score, log_p in pairs)
            and all(a < c and b > d for (a, b), (c, d) in zip(pairs, pairs[1:]))
        )
        if not sound:
            raise ValueError("no tail")

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Natural logarithms of the P-values of scores on proteins of this length; maybe above 0."""
        inside = np.interp(scores, self.scores, self.log_p)
        beyond = np.maximum(scores - self.scores[-1], 0) / self.scale
        below = np.maximum(self.scores[0] - scores, 0) / self.first_scale
        return inside - beyond + below

    @property
    def first_scale(self) -> float:
        """Nats by which P falls to 1/e between the first two scores."""
        if len(self.scores) == 1:
            return self.scale
        return (self.scores[1] - self.scores[0]) / (self.log_p[0] - self.log_p[1])

    @classmethod
    def fit(cls, residues: int, rows: np.ndarray, families: int) -> Tail:
        """From the best scores (decoys, n) of each decoy, in no order.

        The tail's scale is the mean excess over the last known score, the
        maximum-likelihood estimate.
        """
        ranked = np.sort(np.asarray(rows, float).ravel())[::-1]
        wanted = {max(int(calls * len(rows)), FEWEST) for calls in CALLS if calls <= families / 2}
        counts = [count for count in sorted(wanted, reverse=True) if count < len(ranked)]
        scores, log_p = [], []
        for count in counts or [len(ranked) // 2]:
            if not scores or ranked[count] > scores[-1]:
                scores.append(float(ranked[count]))
                log_p.append(float(np.log(max(count, 1) / (len(rows) * families))))
                excess = float((ranked[:count] - ranked[count]).mean()) if count else 0.0
        return cls(float(residues), tuple(scores), tuple(log_p), max(excess, 1e-3))


@dataclass(frozen=True)
class Calibration:
    """`tails` of several lengths, by residues.

    Between two lengths the logarithm of P is interpolated in the logarithm of
    the length, and beyond the last P grows as the length does: a protein twice as
    long has twice as many places for a chance run.
    """

    tails: tuple[Tail, ...]

    def __post_init__(self):
        """Raises ValueError where there are none, or not by length."""
        lengths = [tail.residues for tail in self.tails]
        if not lengths or any(a >= b for a, b in zip(lengths, lengths[1:])):
            raise ValueError("no calibration")

    def log_p(self, scores: np.ndarray, length: int) -> np.ndarray:
        """Natural logarithm of the P-value of scores on a protein of `length` residues."""
        scores = np.asarray(scores, float)
        places = np.log([tail.residues for tail in self.tails])
        place = np.log(max(length, 1))
        where = np.interp(place, places, np.arange(len(places)))
        low = int(where)
        high = min(low + 1, len(places) - 1)
        lower = self.tails[low].at(scores)
        between = lower + (where - low) * (self.tails[high].at(scores) - lower)
        return np.minimum(between + max(place - places[-1], 0), 0)

    @classmethod
    def fit(cls, scores: dict[int, np.ndarray], families: int) -> Calibration:
        """Fit from decoys: length -> (decoys, n) best scores of each decoy."""
        return cls(tuple(Tail.fit(length, rows, families) for length, rows in sorted(scores.items())))

    def to_json(self) -> list[dict]:
        return [asdict(tail) for tail in self.tails]

    @classmethod
    def from_json(cls, rows: list[dict]) -> Calibration:
        """Raises ValueError, KeyError or TypeError for what is no calibration."""
        return cls(tuple(tail_from_json(row) for row in rows))


def tail_from_json(row) -> Tail:
    """A tail as `to_json` has it, or as models of 0.1.0: residues, and the P of one score with its scale."""
    if isinstance(row, list):
        residues, p, score, scale = map(float, row)
        return Tail(residues, (score,), (float(np.log(p)),), scale)
    return Tail(
        float(row["residues"]),
        tuple(map(float, row["scores"])),
        tuple(map(float, row["log_p"])),
        float(row["scale"]),
    )
