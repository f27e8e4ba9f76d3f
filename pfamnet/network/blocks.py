"""What a network says of the blocks of a protein."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 256  # blocks processed at once


@dataclass(frozen=True)
class Blocks:
    """The logits of blocks, in the steps in which a graph of 8-bit integers counts them.

    A logit is its level less `zero`, times `step` nats.

    Arguments:
        levels: (blocks, F + 1) uint8 or float32, class 0 = no family.
        none: (blocks,) natural logarithms of the probability of no family, float32.
    """

    levels: np.ndarray
    none: np.ndarray
    step: float = 1.0
    zero: float = 0.0

    @classmethod
    def of(cls, logits: np.ndarray) -> Blocks:
        """Those of logits (blocks, F + 1)."""
        chunks = [logits[start : start + CHUNK] for start in range(0, len(logits), CHUNK)]
        return cls(logits, np.concatenate([log_none(chunk) for chunk in chunks]))

    @property
    def count(self) -> int:
        """The number of blocks."""
        return len(self.levels)

    def logits(self) -> np.ndarray:
        """Logits (blocks, F + 1), float32."""
        return self.in_nats(self.levels)

    def odds(self, families: np.ndarray) -> np.ndarray:
        """The log-odds (blocks, m) of some families (m,)."""
        return self.in_nats(self.levels.take(families + 1, axis=1)) - self.in_nats(self.levels[:, :1])

    def in_nats(self, levels: np.ndarray) -> np.ndarray:
        """The logits of levels."""
        return (levels.astype(np.float32, copy=False) - np.float32(self.zero)) * np.float32(self.step)


def log_none(logits: np.ndarray) -> np.ndarray:
    """Natural logarithms (blocks,) of the probability of no family, without overflow."""
    highest = logits.max(1, keepdims=True)
    return (logits[:, :1] - highest - np.log(np.exp(logits - highest).sum(1, keepdims=True)))[:, 0]
