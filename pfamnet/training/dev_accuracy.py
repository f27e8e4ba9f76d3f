"""What a network says of the domains of a fold, and how often it is right.

Every domain is a region.  The network sees the region with up to `CONTEXT`
residues around it (all there is, for an isolated domain); the mean of its
block logits over the region names a family.  Where domains of several families
share a region (sister families of a clan), each of them is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from ..network.tokens import PAD
from .sampler import Corpus, block_range

CONTEXT = 256
BATCH = 16384  # residues


class Region(NamedTuple):
    """A domain as the network sees it: tokens, and the blocks [first, last) it claims."""

    row: int
    tokens: np.ndarray
    first: int
    last: int


def region(corpus: Corpus, row: int, block: int) -> Region:
    """The region of a row of `corpus.domains`."""
    index, start, end, _ = corpus.domains[row]
    sequence = corpus.sequence(index)
    room = max(CONTEXT - (end - start), 0) // 2
    left = max(start - room, 0) // block * block
    tokens = sequence[left : min(end + room, len(sequence))]
    return Region(row, tokens, *block_range(start - left, end - left, block))


def region_logits(network, regions: list[Region]) -> Iterator[tuple[Region, torch.Tensor]]:
    """Each region with its mean logits (F + 1,), in order of length."""
    device = next(network.parameters()).device
    regions = sorted(regions, key=lambda region: len(region.tokens))
    begin = 0
    while begin < len(regions):
        longest = len(regions[min(begin + 64, len(regions)) - 1].tokens)
        group = regions[begin : begin + min(64, max(1, BATCH // longest))]
        begin += len(group)
        lengths = np.array([len(region.tokens) for region in group])
        tokens = np.full((len(group), lengths.max() + -lengths.max() % network.block), PAD, np.int64)
        for place, region in enumerate(group):
            tokens[place, : len(region.tokens)] = region.tokens
        logits = (
            network(torch.from_numpy(tokens).to(device), torch.from_numpy(lengths).to(device)).float().cpu()
        )
        for place, region in enumerate(group):
            yield region, logits[place, region.first : region.last].mean(0)


class Measure:
    """Callable: network -> share of the regions whose first family is right.

    Looks at `limit` regions at most, the same ones each time.
    """

    def __init__(self, corpus: Corpus, block: int, limit: int = 2000, seed: int = 0):
        known = np.flatnonzero(corpus.domains[:, 3] >= 0)
        rows = np.random.default_rng(seed).permutation(known)[:limit]
        self.regions = [region(corpus, row, block) for row in rows]
        self.right = {row: self.right_families(corpus, row) for row in rows}

    @staticmethod
    def right_families(corpus: Corpus, row: int) -> set[int]:
        """The families that hold more than half of a region."""
        index, start, end, _ = corpus.domains[row]
        return {
            int(family)
            for s, e, family in corpus.domains[list(corpus.domains_of(index)), 1:]
            if min(e, end) - max(s, start) > (end - start) // 2
        }

    def __call__(self, network) -> float:
        return float(
            np.mean(
                [
                    int(logits[1:].argmax()) in self.right[region.row]
                    for region, logits in region_logits(network, self.regions)
                ]
            )
        )
