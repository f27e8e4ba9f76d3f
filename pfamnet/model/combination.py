"""One score for a family on a region, from the network, the family's profile, the region's length, and rows.

    score = network * log-probability + profile * ln 2 * bits + length * agreement + rarity * -ln(rows + 1)

The log-probability is the log-softmax of the network's mean block logits over the region, without class 0.
The bits are the profile's score there. The agreement is that of the region's length with the profile's. The
rarity evens out that network and profiles favour families of many training rows (logit adjustment, Menon et
al. 2021). The last two count where the region is known to be one complete domain. `pfamnet-build` fits the
weights on the validation set.
"""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass

import numpy as np

SPREAD = 0.05  # of the logarithm of the ratio of two lengths that agree


@dataclass(frozen=True)
class Combination:
    """The weights of network, profile, length and rarity."""

    network: float = 1.0
    profile: float = 1.0
    length: float = 0.0
    rarity: float = 0.0

    def __post_init__(self):
        if not all(math.isfinite(weight) and weight >= 0 for weight in astuple(self)):
            raise ValueError("not a weight")

    def scores(self, *terms: np.ndarray) -> np.ndarray:
        """Scores in nats, of arrays of one shape: log-probabilities, nats of profiles, agreement, rarity.

        The last two may be left out.
        """
        return sum(weight * np.asarray(term, float) for weight, term in zip(astuple(self), terms))

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Combination:
        """Raises ValueError, KeyError or TypeError if `fields` are no combination."""
        return cls(*(float(fields[name]) for name in asdict(cls())))


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


def rarity(rows: np.ndarray) -> np.ndarray:
    """How few training rows families have, in nats: 0 without any."""
    return -np.log1p(rows)
