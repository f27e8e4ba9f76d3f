"""One score for a family on a region, from the network and the family's profile.

    score = log-probability + profile * ln 2 * bits

The log-probability is the log-softmax of the network's mean block logits over the region, without class 0.
The bits are the profile's score there. Both are overconfident, so `pfamnet-build` fits the weight `profile`
on the validation set.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Combination:
    """The weight of profiles, beside the network's 1."""

    profile: float = 1.0

    def __post_init__(self):
        if not (math.isfinite(self.profile) and self.profile >= 0):
            raise ValueError("not a weight")

    def scores(self, log_p: np.ndarray, nats: np.ndarray) -> np.ndarray:
        """Scores in nats, of arrays of one shape."""
        return np.asarray(log_p, float) + self.profile * nats

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Combination:
        """Raises ValueError, KeyError or TypeError if `fields` are no combination."""
        return cls(float(fields["profile"]))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def evidence(bits: dict[int, float], families) -> np.ndarray:
    """The scores of profiles on one sequence for families (m,), in nats, (m,).

    A family without a hit gets the lowest reported score, and no more than 0: no hit is never
    better than a hit.
    """
    least = min([0.0, *bits.values()])
    return math.log(2) * np.array([bits.get(int(family), least) for family in families])
