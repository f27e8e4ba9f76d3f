"""What a network says of the blocks of a protein."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

CHUNK = 256  # blocks processed at once
CELLS = 1 << 18  # log-odds processed at once
REST = 1e-5  # the least probability of all else: one block speaks for a family with 11.5 nats at most


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

    def contrasts(self, families: np.ndarray, clans: np.ndarray) -> np.ndarray:
        """Log-odds (blocks, m) of some families (m,) against all that is not of their clans, float32.

        `clans` (F,) has the number of each family's clan.
        """
        asked = np.zeros(clans.max(initial=-1) + 1, bool)
        asked[clans[families]] = True
        members = np.flatnonzero(asked[clans])
        members = members[np.argsort(clans[members], kind="stable")]
        starts = np.flatnonzero(np.diff(clans[members], prepend=-1))  # of each clan
        place = np.searchsorted(clans[members[starts]], clans[families])
        found = np.empty((self.count, len(families)), np.float32)
        step = max(1, CELLS // max(1, len(members)))
        for first in range(0, self.count if len(families) else 0, step):
            rows = slice(first, first + step)
            some = replace(self, levels=self.levels[rows], none=self.none[rows])
            none = some.none[:, None]
            chances = np.exp(np.minimum(some.odds(members) + none, 0))
            rest = np.maximum(1 - np.add.reduceat(chances, starts, axis=1), np.float32(REST))
            found[rows] = some.odds(families) + none - np.log(rest)[:, place]
        return found

    def in_nats(self, levels: np.ndarray) -> np.ndarray:
        """The logits of levels."""
        return (levels.astype(np.float32, copy=False) - np.float32(self.zero)) * np.float32(self.step)


def log_none(logits: np.ndarray) -> np.ndarray:
    """Natural logarithms (blocks,) of the probability of no family, without overflow."""
    highest = logits.max(1, keepdims=True)
    return (logits[:, :1] - highest - np.log(np.exp(logits - highest).sum(1, keepdims=True)))[:, 0]
