"""What a network knows of a dev fold: the accuracy of its regions.

Every dev domain is a region.  The network sees the region with up to
`CONTEXT` residues around it (all there is, for an isolated domain); the mean
of its block logits over the region names a family.  Where domains of several
families share a region (sister families of a clan), each of them is right.
"""

from __future__ import annotations

import numpy as np
import torch

from .examples import Corpus, block_range
from .tokens import PAD

CONTEXT = 256
BATCH = 16384  # residues


class Measure:
    """Callable: network -> share of the regions whose first family is right.

    Looks at `limit` regions at most, the same ones each time.
    """

    def __init__(self, corpus: Corpus, block: int, limit: int = 2000, seed: int = 0):
        known = np.flatnonzero(corpus.domains[:, 3] >= 0)
        rows = np.random.default_rng(seed).permutation(known)[:limit]
        self.views = sorted((self.view(corpus, row, block) for row in rows),
                            key=lambda view: len(view[0]))

    @staticmethod
    def view(corpus: Corpus, row: int, block: int):
        """(tokens, first block, last block, right families) of one region."""
        index, start, end, _ = corpus.domains[row]
        sequence = corpus.sequence(index)
        room = max(CONTEXT - (end - start), 0) // 2
        left = max(start - room, 0) // block * block
        tokens = sequence[left:min(end + room, len(sequence))]
        right = {int(family) for s, e, family in corpus.domains[list(corpus.domains_of(index)), 1:]
                 if min(e, end) - max(s, start) > (end - start) // 2}
        return tokens, *block_range(start - left, end - left, block), right

    def __call__(self, network) -> float:
        return float(np.mean([family in view[3]
                              for view, family in zip(self.views, self.first_families(network))]))

    def first_families(self, network) -> list[int]:
        device = next(network.parameters()).device
        named: list[int] = []
        while len(named) < len(self.views):
            longest = len(self.views[min(len(named) + 8, len(self.views)) - 1][0])
            group = self.views[len(named):len(named) + max(8, BATCH // longest)]
            lengths = np.array([len(view[0]) for view in group])
            tokens = np.full((len(group), lengths.max()), PAD, np.int64)
            for row, view in enumerate(group):
                tokens[row, :len(view[0])] = view[0]
            logits = network(torch.from_numpy(tokens).to(device),
                             torch.from_numpy(lengths).to(device)).float().cpu()
            named += [int(logits[row, first:last, 1:].mean(0).argmax())
                      for row, (_, first, last, _) in enumerate(group)]
        return named
