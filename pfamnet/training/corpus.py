"""A fold of a train set as the networks learn from it: one array of tokens, and the domains in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..network.tokens import encode


class Corpus:
    """The sequences of a fold as one array of tokens, with their domains.

    `domains` (n, 4) holds sequence, start, end and family (-1: a family that the model does not have), sorted
    by sequence. `soft` is None or a teacher's view of each domain: classes (n, k) and their probabilities (n,
    k), all zero if the teacher did not see the domain.
    """

    def __init__(self, fold):
        encoded = [encode(sequence).astype(np.uint8) for sequence in fold.sequences]
        tokens = np.concatenate(encoded) if encoded else np.zeros(0, np.uint8)
        domains = np.asarray(fold.domains, np.int64).reshape(-1, 4)
        domains = domains[np.argsort(domains[:, 0], kind="stable")]
        self.set(tokens, [len(tokens) for tokens in encoded], domains, np.asarray(fold.whole, bool))

    def set(self, tokens: np.ndarray, lengths: Sequence[int], domains: np.ndarray, whole: np.ndarray) -> None:
        self.tokens, self.domains, self.whole = tokens, domains.astype(np.int64), whole
        self.offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.first = np.searchsorted(self.domains[:, 0], np.arange(len(lengths) + 1))
        self.soft: tuple[np.ndarray, np.ndarray] | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it but `soft`, in little space."""
        small = {"lengths": np.diff(self.offsets), "domains": self.domains}
        kept = {name: array.astype(np.int32) for name, array in small.items()}
        return {"tokens": self.tokens, **kept, "whole": self.whole}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Corpus:
        """The corpus of `arrays()`."""
        corpus = cls.__new__(cls)
        corpus.set(**arrays)
        return corpus

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sequence(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def domains_of(self, index: int) -> range:
        """Rows of `domains` that lie on sequence `index`."""
        return range(self.first[index], self.first[index + 1])


def block_range(start: int, end: int, block: int) -> tuple[int, int]:
    """The blocks [first, last) of a domain at [start, end): those that it half fills, at least one."""
    first, last = (start + block // 2) // block, (end + block // 2) // block
    if last > first:
        return first, last
    middle = (start + end - 1) // 2 // block
    return middle, middle + 1
