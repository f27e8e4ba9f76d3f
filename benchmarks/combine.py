"""A network's log-probabilities and profiles' bits as one score.

score = w * ln 2 * bits + log-probability: with w = 1 both count as evidence
of equal standing; w is fitted, as neither is as sure as it says.
"""

import numpy as np

WEIGHTS = np.concatenate([[0.0], np.geomspace(0.01, 10, 61)])


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax over the families: (n, F) -> (n, F)."""
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def evidence(bits: dict[int, float], families: int) -> np.ndarray:
    """Bits in nats for every family of one sequence, (F,).

    A family that no profile reported has what the worst reported one has, and
    no more than 0, so that not being found is never better than being found.
    """
    nats = np.full(families, min([0.0, *bits.values()]))
    for family, value in bits.items():
        nats[family] = value
    return nats * np.log(2)


def combined(log_p: np.ndarray, bits: dict[int, dict[int, float]], weight: float) -> np.ndarray:
    """The scores of all families: log-probabilities (n, F), {sequence: {family: bits}} -> (n, F)."""
    scores = np.array(log_p, float)
    for place, found in bits.items():
        scores[place] += weight * evidence(found, log_p.shape[1])
    return scores


def combined_picks(log_p, bits, weight: float) -> np.ndarray:
    """The family with the largest combined score of each sequence, (n,)."""
    return combined(log_p, bits, weight).argmax(1)


def fit_weight(log_p, bits, labels: np.ndarray) -> float:
    """The weight with the fewest errors; of these, the one that makes the labels likeliest."""
    known = np.flatnonzero(labels >= 0)

    def cost(weight: float) -> tuple[int, float]:
        scores = combined(log_p, bits, weight)
        wrong = int((scores.argmax(1) != labels).sum())
        return wrong, -float(log_probabilities(scores)[known, labels[known]].sum())

    return float(round(min(WEIGHTS, key=cost), 6))
