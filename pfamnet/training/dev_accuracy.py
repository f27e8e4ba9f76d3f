"""How often a network predicts the family of a domain correctly.

Each domain is a region. The network sees it with up to `CONTEXT` residues around it; the mean of its block
logits over the region predicts a family. If domains of several families share a region (sister families of a
clan), each of these is correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from ..network.tokens import PAD
from .corpus import Corpus, block_range

CONTEXT = 256
BATCH, ROWS = 16384, 64  # most residues, and regions, of a batch


class Region(NamedTuple):
    """A domain as the network sees it: its row in the corpus, tokens, and its blocks [first, last)."""

    row: int
    tokens: np.ndarray
    first: int
    last: int


def region(corpus: Corpus, row: int, block: int) -> Region:
    """The region of a row of `corpus.domains`."""
    index, start, end, _ = corpus.domains[row]
    room = max(CONTEXT - (end - start), 0) // 2
    left = max(start - room, 0) // block * block
    tokens = corpus.sequence(index)[left : end + room]
    return Region(row, tokens, *block_range(start - left, end - left, block))


def region_logits(network, regions: list[Region]) -> Iterator[tuple[Region, torch.Tensor]]:
    """Each region with its mean logits (F + 1,), in order of length."""
    device = next(network.parameters()).device
    regions = sorted(regions, key=lambda region: len(region.tokens))
    while regions:
        rows = min(ROWS, max(1, BATCH // len(regions[:ROWS][-1].tokens)))
        group, regions = regions[:rows], regions[rows:]
        lengths = torch.tensor([len(region.tokens) for region in group])
        longest = int(lengths.max())
        tokens = torch.full((len(group), longest + -longest % network.block), PAD)
        for row, region in zip(tokens, group):
            row[: len(region.tokens)] = torch.from_numpy(region.tokens)
        logits = network(tokens.to(device), lengths.to(device)).float().cpu()
        for row, region in zip(logits, group):
            yield region, row[region.first : region.last].mean(0)


class Measure:
    """Callable: the fraction of at most `limit` regions whose family a network predicts correctly."""

    def __init__(self, corpus: Corpus, block: int, limit: int = 2000):
        known = np.flatnonzero(corpus.domains[:, 3] >= 0)
        rows = np.random.default_rng(0).permutation(known)[:limit]
        self.regions = [region(corpus, row, block) for row in rows]
        self.right = {row: self.right_families(corpus, row) for row in rows}

    @staticmethod
    def right_families(corpus: Corpus, row: int) -> set[int]:
        """The families of the model that hold more than half of a region."""
        index, start, end, _ = corpus.domains[row]
        _, starts, ends, families = corpus.domains[list(corpus.domains_of(index))].T
        shared = np.minimum(ends, end) - np.maximum(starts, start)
        return set(families[(shared > (end - start) // 2) & (families >= 0)].tolist())

    def __call__(self, network) -> float:
        found = region_logits(network, self.regions)
        return float(np.mean([int(row[1:].argmax()) in self.right[view.row] for view, row in found]))
