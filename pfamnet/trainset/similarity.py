"""Which sequences are similar, by the k-mers that they share.

In Pfam families, pairs of 40 to 50 % identity share 2.5 % of their 5-mers (median), pairs of 50 to 60 %
7.5 %, of 60 to 70 % 15 %, and pairs below 30 % almost none. The time grows with the square of the residues:
of more than `RESIDUES` a sample of the 6-mers stands for all, the same in each sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

LETTERS = b"ACDEFGHIKLMNPQRSTVWY"
NONE = 255
RESIDUES = 40_000_000  # whose k-mers are compared, and are counted at once
LEAST_OF_SAMPLE = 3  # k-mers of a sample that relatives share
CODES = np.full(256, NONE, np.uint8)
CODES[list(LETTERS)] = range(len(LETTERS))


def distinct_kmers(sequences: Sequence[str], k: int, sample: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Sequence index and number of every distinct k-mer of amino acids (one in `sample`), by sequence."""
    ends, found = np.cumsum([len(sequence) for sequence in sequences]), []
    for part in np.split(np.arange(len(ends)), np.flatnonzero(np.diff(ends // RESIDUES)) + 1):
        rows, kmers = kmers_of([sequences[index] for index in part], k)
        kept = (kmers * 0x9E3779B1 >> 12) % (1 << 20) % sample == 0  # a hash
        found.append((part[rows[kept]], kmers[kept]))
    return tuple(map(np.concatenate, zip(*found)))


def kmers_of(sequences: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """As `distinct_kmers`, at once."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    codes = CODES[np.frombuffer("".join(sequences).encode("ascii", "replace"), np.uint8)]
    count = max(len(codes) - k + 1, 0)
    kmers, valid = np.zeros(count, np.int64), np.ones(count, bool)
    for i in range(k):
        part = codes[i : i + count]
        kmers = kmers * len(LETTERS) + part
        valid &= part != NONE
    rows = np.repeat(np.arange(len(sequences)), lengths)
    # a k-mer ends within its sequence
    valid &= rows[:count] == rows[k - 1 : k - 1 + count]
    base = len(LETTERS) ** k
    return np.divmod(np.unique(rows[:count][valid] * base + kmers[valid]), base)


def relatives(
    sequences: Sequence[str], fraction: float, k: int = 5, least: int = 5
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the relatives of each sequence among those before it.

    They share at least `least` distinct k-mers and more than `fraction` of those of the one with fewer.

    Returns:
        (index, others, fractions shared), two arrays, for each sequence that has relatives.
    """
    sample = -(-sum(map(len, sequences)) // RESIDUES) or 1
    if sample > 1:  # longer k-mers: unrelated sequences hardly share three
        k, least = k + 1, min(least, LEAST_OF_SAMPLE)
    rows, kmers = distinct_kmers(sequences, k, sample)
    sizes = np.bincount(rows, minlength=len(sequences))
    first = np.cumsum(sizes) - sizes
    order = np.argsort(kmers, kind="stable")
    holders = rows[order].astype(np.int32)
    # for each k-mer of each sequence: where the k-mer's sequences begin in `holders`, and its own place there
    counts = np.bincount(kmers, minlength=1)
    start = (np.cumsum(counts) - counts)[kmers]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    for index in range(len(sequences)):
        mine = slice(first[index], first[index] + sizes[index])
        before = place[mine] - start[mine]
        offsets = np.repeat(start[mine] - (np.cumsum(before) - before), before)
        found = holders[offsets + np.arange(len(offsets))]
        if len(found) <= len(sequences) // 8:
            others, shared = np.unique(found, return_counts=True)
        else:
            tally = np.bincount(found)
            others = np.flatnonzero(tally)
            shared = tally[others]
        fractions = shared / np.minimum(sizes[index], sizes[others])
        related = (fractions > fraction) & (shared >= least)
        if related.any():
            yield index, others[related], fractions[related]


class Clusters:
    """Sequences joined into clusters, pair by pair (single linkage)."""

    def __init__(self, count: int):
        self.parents = np.arange(count)

    def roots(self, indices: np.ndarray) -> np.ndarray:
        """The first sequence of the cluster of each."""
        roots = self.parents[indices]
        while not np.array_equal(above := self.parents[roots], roots):
            roots = above
        self.parents[indices] = roots
        return roots

    def join(self, index: int, others: Sequence[int] | np.ndarray) -> None:
        """Put a sequence, and the clusters of some others, into one cluster."""
        roots = np.unique(self.roots(np.append(others, index)))
        self.parents[roots] = roots[0]

    def labels(self) -> np.ndarray:
        """The cluster of each sequence (n,), named by its first sequence."""
        return self.roots(np.arange(len(self.parents)))
