"""Batches of training examples, made by arithmetic on whole arrays, with the families of each block.

Several correct families of a block share its weight: sister families of a clan match the same residues, and
domains nest. The loss ignores residues of a family that the model does not have (index -1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..network.tokens import PAD
from .corpus import Corpus
from .emission import Emission
from .examples import Dice, Examples, ExampleSource, SamplerSettings
from .loss import batch_loss

BACKGROUND_WEIGHT = 0.2


@dataclass
class Batch:
    """B examples of L tokens (blocks: L / block) and their targets; K is the most classes of an example."""

    tokens: torch.Tensor  # (B, L) int64, padded
    lengths: torch.Tensor  # (B,)
    classes: torch.Tensor  # (B, K)
    weights: torch.Tensor  # (B, blocks, K) of these classes
    background: torch.Tensor  # (B, blocks) weights of class 0
    pooled: torch.Tensor  # (B,) class of an example that is exactly one domain, else -1

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        return self.tokens, self.lengths

    def loss(self, logits: torch.Tensor, block: int, weights=None, offsets=None) -> torch.Tensor:
        return batch_loss(logits, self, block, weights, offsets)

    def part(self, rows: slice) -> Batch:
        """Some of the examples."""
        return Batch(*(tensor[rows] for tensor in vars(self).values()))

    def to(self, device: torch.device) -> Batch:
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


class Sampler:
    """Draws batches from a corpus, on any device.

    Arguments:
        corpus: what is learnt from.
        families: how many there are, F.
        block: the network's block size in residues.
        seed: with step and rank of the process it decides each batch (on one kind of device).
        emission: the profiles of the families, if `settings.emitted` is not 0.
    """

    def __init__(
        self,
        corpus: Corpus,
        families: int,
        block: int,
        settings: SamplerSettings,
        seed: int = 0,
        emission: Emission | None = None,
        device: torch.device | str = "cpu",
    ):
        self.corpus, self.families, self.block, self.settings = corpus, families, block, settings
        self.seed, self.device = seed, torch.device(device)
        self.source = ExampleSource(corpus, families, settings, emission, self.device)
        self.tokens, self.offsets = self.source.tokens, self.source.offsets
        self.soft = corpus.soft and [torch.as_tensor(array, device=self.device) for array in corpus.soft]

    def class_shares(self) -> np.ndarray:
        """How often each class (F + 1,) is drawn, of all draws of a family; for class 0, the first, 0."""
        return np.concatenate([[0], self.source.shares])

    def batches(self, step: int, residues: int, count: int = 1, rank: int = 0) -> list[Batch]:
        """`count` batches of about `residues` tokens each; seed, step and rank alone decide them."""
        dice, crop = Dice([self.seed, step, rank], self.device), self.settings.crop
        n = max(count, round(count * residues / crop))
        made = self.made(self.source.draw(n, dice), crop, dice)  # at once: a GPU waits for its operations
        cuts = [n * i // count for i in range(count + 1)]
        return [made.part(slice(a, b)) for a, b in zip(cuts, cuts[1:])]

    def made(self, part: Examples, width: int, dice: Dice) -> Batch:
        """The batch of some examples, `width` tokens long."""
        at = torch.arange(width, device=self.device)
        inside = at < part.length[:, None]
        size = self.source.sizes(part.other)[:, None]
        shuffled = (dice.uniform(len(part.length), width) * size).long().minimum(size - 1)
        source = self.offsets[part.other][:, None] + shuffled
        for piece in (0, 1):
            offset = at - part.place[:, piece, None]
            held = (offset >= 0) & (offset < part.size[:, piece, None])
            source = torch.where(held, part.source[:, piece, None] + offset, source)
        behind = source - len(self.tokens)
        tokens = self.tokens[source.clamp(max=len(self.tokens) - 1)]
        if len(part.emitted):
            tokens = torch.where(behind < 0, tokens, part.emitted[behind.clamp(min=0)])
        tokens = self.disturbed(torch.where(inside, tokens.long(), PAD), inside, dice)
        return Batch(tokens, part.length, *self.targets(part, width // self.block), part.pooled)

    def disturbed(self, tokens: torch.Tensor, inside: torch.Tensor, dice: Dice) -> torch.Tensor:
        """Substitute a fraction of the residues by others of the corpus: the composition stays."""
        most, chance = len(self.tokens), dice.uniform(*tokens.shape)
        place = (dice.uniform(*tokens.shape) * most).long().clamp(max=most - 1)
        swap = inside & (chance < self.settings.substitutions)
        return torch.where(swap, self.tokens[place].long(), tokens)

    def targets(self, part: Examples, blocks: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Classes, their weights in each block, and the weights of class 0, as in `Batch`."""
        claims, held = self.claims(part, blocks)
        background = (held & ~claims.any(-1)) * BACKGROUND_WEIGHT
        known = (claims & (part.families >= 0)[:, None]).float()
        weights = known / known.sum(-1, keepdim=True).clamp(min=1)
        classes = part.families + 1
        if self.soft is None:
            return classes, weights, background
        labels, chances = (array[part.rows] for array in self.soft)
        seen = (part.rows >= 0) & chances.any(-1)
        share = torch.where(seen, self.settings.soft, 0.0)[..., None]
        classes = torch.cat([classes[..., None], labels], -1)
        split = torch.cat([1 - share, share * chances], -1)
        return classes.flatten(1), (weights[..., None] * split[:, None]).flatten(2), background

    def claims(self, part: Examples, blocks: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Which blocks each domain claims (n, blocks, K), as `block_range`; and which hold residues."""
        block, turn = self.block, torch.arange(blocks, device=self.device)[:, None]
        used = -(-part.length[:, None] // block)  # the last block may be short, but counts as full
        ends = torch.where(part.ends == part.length[:, None], used * block, part.ends)
        first, last = (part.starts + block // 2) // block, (ends + block // 2) // block
        middle = (part.starts + ends - 1) // 2 // block
        first = torch.where(last > first, first, middle)[:, None]
        last = torch.where(last[:, None] > first, last[:, None], middle[:, None] + 1)
        return (turn >= first) & (turn < last) & (part.ends > 0)[:, None], turn[:, 0] < used
