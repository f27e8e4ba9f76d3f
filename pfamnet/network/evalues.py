"""P-values of a network's scores, from the scores of decoys.

For several lengths of decoys a calibration has the scores that some numbers of families per decoy reach.
Between them the logarithm of P is interpolated. Beyond them an exponential tail follows, as for local
alignment scores (Karlin & Altschul 1990). P is for one family on one protein; the E-value is F * P.

What counts is how far a score exceeds its family's baseline, the score that the family's own members have
when they are reversed: a network that knows a family by its composition is no surer of it than that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from ..families import MOST as FAMILIES

CALLS = (32, 16, 8, 4, 2, 1, 0.5, 0.1, 0.03, 0.01)  # families per decoy, at whose scores P is known
FEWEST = 25  # scores that a tail is fitted to
MOST = 1e9  # no number of a valid calibration exceeds it


@dataclass(frozen=True)
class Tail:
    """The distribution of scores on decoys of one length.

    Raises:
        ValueError: no P-value can be computed from these.
    """

    residues: float  # length of the decoys
    scores: tuple[float, ...]  # in nats, increasing
    log_p: tuple[float, ...]  # natural logarithms of their P-values, decreasing
    scale: float  # of the exponential tail, in nats

    def __post_init__(self):
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

    @cached_property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores, and natural logarithms of their P-values."""
        return np.array(self.scores), np.array(self.log_p)

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Natural logarithms of the P-values of scores on proteins of this length; may exceed 0."""
        inside = np.interp(scores, *self.known)
        beyond = np.maximum(scores - self.scores[-1], 0) / self.scale
        first_scale = self.scale
        if len(self.scores) > 1:
            first_scale = (self.scores[1] - self.scores[0]) / (self.log_p[0] - self.log_p[1])
        below = np.maximum(self.scores[0] - scores, 0) / first_scale
        return inside - beyond + below

    @classmethod
    def fit(cls, residues: int, rows: np.ndarray, families: int) -> Tail:
        """Fit to the best scores (decoys, n) of each decoy, in any order."""
        ranked = np.sort(np.asarray(rows, float).ravel())[::-1]
        wanted = {max(int(calls * len(rows)), FEWEST) for calls in CALLS if calls <= families / 2}
        counts = [count for count in sorted(wanted, reverse=True) if count < len(ranked)]
        scores, log_p = [], []
        for count in counts or [len(ranked) // 2]:
            if not scores or ranked[count] > scores[-1]:
                scores.append(float(ranked[count]))
                log_p.append(float(np.log(max(count, 1) / (len(rows) * families))))
                # the mean excess over the last known score, the maximum-likelihood estimate of the scale
                excess = float((ranked[:count] - ranked[count]).mean()) if count else 0.0
        return cls(float(residues), tuple(scores), tuple(log_p), max(excess, 1e-3))


@dataclass(frozen=True)
class Calibration:
    """Tails of several lengths, by ascending length, and the `baselines` (index, nats) of some families, by
    index; others have 0.

    Between two lengths the logarithm of P is interpolated in the logarithm of the length. Beyond the last, P
    grows with the length: a protein twice as long has twice as many places for a chance hit.

    Raises:
        ValueError: no tail, or not by length; no baselines, or not by index.
    """

    tails: tuple[Tail, ...]
    baselines: tuple[tuple[int, float], ...] = ()

    def __post_init__(self):
        lengths = [tail.residues for tail in self.tails]
        if not lengths or any(a >= b for a, b in zip(lengths, lengths[1:])):
            raise ValueError("no calibration")
        indices = [-1, *(index for index, _ in self.baselines)]
        if any(a >= b for a, b in zip(indices, indices[1:])) or indices[-1] >= FAMILIES:
            raise ValueError("no baselines")
        if not all(0 < nats <= MOST for _, nats in self.baselines):
            raise ValueError("no baselines")

    @cached_property
    def places(self) -> np.ndarray:
        """Logarithms of the tails' lengths."""
        return np.log([tail.residues for tail in self.tails])

    @cached_property
    def levels(self) -> np.ndarray:
        """The baseline of each family, by index, up to the last that has one; the element after it is 0."""
        levels = np.zeros(self.baselines[-1][0] + 2 if self.baselines else 1)
        for index, nats in self.baselines:
            levels[index] = nats
        return levels

    def excess(self, scores: np.ndarray, families: np.ndarray) -> np.ndarray:
        """By how much the scores (m,) of families (m,), given by index, exceed their baselines."""
        return scores - self.levels[np.minimum(families, len(self.levels) - 1)]

    def log_p(self, scores: np.ndarray, length: int) -> np.ndarray:
        """Natural logarithm of the P-value of scores over their baselines; `length` is the protein's."""
        scores, places = np.asarray(scores, float), self.places
        place = np.log(max(length, 1))
        where = np.interp(place, places, np.arange(len(places)))
        low = int(where)
        high = min(low + 1, len(places) - 1)
        lower = self.tails[low].at(scores)
        between = lower + (where - low) * (self.tails[high].at(scores) - lower)
        return np.minimum(between + max(place - places[-1], 0), 0)

    @classmethod
    def fit(cls, scores: dict[int, np.ndarray], families: int, baselines=()) -> Calibration:
        """Fit from decoys: length -> (decoys, n) best scores of each decoy, over the baselines."""
        tails = (Tail.fit(length, rows, families) for length, rows in sorted(scores.items()))
        return cls(tuple(tails), tuple(baselines))

    def to_json(self) -> dict:
        baselines = {str(index): nats for index, nats in self.baselines}
        return {"tails": [asdict(tail) for tail in self.tails], "baselines": baselines}

    @classmethod
    def from_json(cls, fields: dict) -> Calibration:
        """Raises ValueError, KeyError or TypeError if `fields` are none that `to_json` writes."""

        def tail(residues, scores, log_p, scale):
            return Tail(float(residues), tuple(map(float, scores)), tuple(map(float, log_p)), float(scale))

        baselines = ((int(index), float(nats)) for index, nats in dict(fields["baselines"]).items())
        return cls(tuple(tail(**row) for row in fields["tails"]), tuple(baselines))
