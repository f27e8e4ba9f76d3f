"""The combined score of `pfamnet.combine` for all families of many sequences.

Arguments are log-probabilities (n, F) and bits {sequence: {family: bits}}.
"""

import numpy as np

from pfamnet.combine import Combination, Terms, evidence, log_probabilities

__all__ = ["combined", "combined_picks", "evidence", "fit_weight", "log_probabilities"]


def nats_of_all(bits: dict[int, dict[int, float]], shape: tuple[int, int]) -> np.ndarray:
    """What profiles say of every family of every sequence, in nats: (n, F)."""
    nats = np.zeros(shape)
    for place, found in bits.items():
        nats[place] = evidence(found, range(shape[1]))
    return nats


def combined(log_p: np.ndarray, bits: dict[int, dict[int, float]], weight: float) -> np.ndarray:
    """The scores of all families, (n, F)."""
    return Combination(weight).scores(log_p, nats_of_all(bits, log_p.shape), 0.0)


def combined_picks(log_p, bits, weight: float) -> np.ndarray:
    """The family with the largest combined score of each sequence, (n,)."""
    return combined(log_p, bits, weight).argmax(1)


def fit_weight(log_p, bits, labels: np.ndarray) -> float:
    """The weight with the fewest errors; of these, the one that makes the labels likeliest."""
    right = labels[:, None] == np.arange(log_p.shape[1])
    nats = nats_of_all(bits, log_p.shape)
    return Terms(log_p, nats, np.zeros_like(nats), right).fit_profiles().profile
