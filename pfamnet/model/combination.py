"""One score for a family on a region, from the network, the family's profile and the region's length.

    score = network * log-probability + profile * ln 2 * bits + length * agreement

The log-probability is the log-softmax of the network's mean block logits over the region, without class 0.
The bits are the profile's score there. The agreement is that of the region's length with the profile's; it
counts where the region is known to be one complete domain. All three are overconfident or weak in their own
way, so `pfamnet-build` fits the weights on the validation set.
"""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass

import numpy as np

SPREAD = 0.05  # of the logarithm of the ratio of two lengths that agree


@dataclass(frozen=True)
class Combination:
    """The weights of network, profile and length."""

    network: float = 1.0
    profile: float = 1.0
    length: float = 0.0

    def __post_init__(self):
        if not all(math.isfinite(weight) and weight >= 0 for weight in astuple(self)):
            raise ValueError("not a weight")

    def scores(self, log_p: np.ndarray, nats: np.ndarray, agreement: np.ndarray | float = 0.0) -> np.ndarray:
        """Scores in nats, of arrays of one shape."""
        return self.network * np.asarray(log_p, float) + self.profile * nats + self.length * agreement

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Combination:
        """Raises ValueError, KeyError or TypeError if `fields` are no combination.

        A model may have been built before length counted.
        """
        return cls(float(fields.get("network", 1)), float(fields["profile"]), float(fields.get("length", 0)))


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


def agreement(residues: int, lengths: np.ndarray) -> np.ndarray:
    """How well a domain's length agrees with those of profiles (m,), in nats, (m,): 0 if they are equal.

    It is the logarithm of Cauchy's density, so that a fragment, or a protein of several domains, loses
    little more than a domain of another length.
    """
    return -np.log1p((np.log(residues / np.maximum(lengths, 1)) / SPREAD) ** 2)
