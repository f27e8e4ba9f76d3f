"""One score for a family on a region: network and profile together.

    score = log-probability + profile * ln 2 * bits

log-probability   the network's: log-softmax of its mean block logits over the
                  region, class 0 left out
bits              what the family's profile scores on the region

With a weight of 1 a profile counts as evidence of the same standing as the network.
Neither is as sure as it says, so that `pfamnet-build` fits the weights on dev.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

WEIGHTS = np.concatenate([[0.0], np.geomspace(0.01, 10, 61)])  # of profiles
NEVER = -1e30  # nats: the score of what is no candidate


@dataclass(frozen=True)
class Combination:
    """The weight of profiles, beside the network's 1."""

    profile: float = 1.0

    def __post_init__(self):
        """Raises ValueError for weights that are none."""
        if not (math.isfinite(self.profile) and self.profile >= 0):
            raise ValueError("no weight")

    def scores(self, log_p: np.ndarray, nats: np.ndarray) -> np.ndarray:
        """Scores in nats, of arrays of one shape."""
        return np.asarray(log_p, float) + self.profile * nats

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict) -> Combination:
        """Raises ValueError, KeyError or TypeError for what is no combination."""
        return cls(float(fields["profile"]))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def evidence(bits: dict[int, float], families) -> np.ndarray:
    """What profiles say of families (m,) on one sequence, in nats, (m,).

    A family that no profile reported has what the worst reported one has, and
    no more than 0, so that not being found is never better than being found.
    """
    least = min([0.0, *bits.values()])
    return math.log(2) * np.array([bits.get(int(family), least) for family in families])


class Terms:
    """The terms of the score on n domains, of m families each (those of each domain, or all); arrays (n, m).

    `right` are, as bool, the families that are there; a domain may have none of them among its own.
    """

    def __init__(self, log_p: np.ndarray, nats: np.ndarray, right: np.ndarray):
        self.log_p, self.nats, self.right = log_p, nats, right

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, rows) -> Terms:
        return Terms(self.log_p[rows], self.nats[rows], self.right[rows])

    def scores(self, combination: Combination) -> np.ndarray:
        return combination.scores(self.log_p, self.nats)

    def errors(self, combination: Combination) -> int:
        """How many domains are given a wrong family."""
        picks = self.scores(combination).argmax(1)
        return int((~self.right[np.arange(len(self)), picks]).sum())

    def cost(self, combination: Combination) -> tuple[int, float]:
        """Errors, and minus the logarithm of what the right families are held for."""
        named = self.right.any(1)
        chances = log_probabilities(self.scores(combination)[named])
        return self.errors(combination), -float(
            np.log(np.exp(chances).sum(1, where=self.right[named]) + 1e-300).sum()
        )

    def fit(self) -> Combination:
        """The weight of profiles with the fewest errors; of these, that which makes the right families likeliest."""
        return min((Combination(weight) for weight in np.round(WEIGHTS, 6).tolist()), key=self.cost)


def padded(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Rows of different lengths as one array.

    >>> padded([np.array([1., 2.]), np.array([3.])], 0).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    table = np.full((len(rows), max(map(len, rows), default=0)), fill, float)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
