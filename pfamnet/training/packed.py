"""Batches of packed rows, for `network.esm_packed`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from ..network.esm import add_ends
from ..network.tokens import PAD
from .examples import Dice
from .loss import packed_loss
from .sampler import Batch, Sampler

ROOM = 16  # tokens of a row beside the longest example
SURPLUS = 1.03  # of the examples: a pool's rows are full


@dataclass
class PackedBatch:
    """R rows of W tokens with n examples, and the targets of their N blocks; K is the most classes of one."""

    tokens: torch.Tensor  # (R, W) int64, padded
    segments: torch.Tensor  # (R, W) int64: the example of each token, n if there is none
    blocks: torch.Tensor  # (R, W) int64: the block of each residue, N if a token is none
    sizes: torch.Tensor  # (N,) residues of each block
    classes: torch.Tensor  # (N, K)
    weights: torch.Tensor  # (N, K) of these classes
    background: torch.Tensor  # (N,) weights of class 0
    examples: torch.Tensor  # (N,) example of each block
    pooled: torch.Tensor  # (n,) class of an example that is exactly one domain, else -1

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        return self.tokens, self.segments, self.blocks, self.sizes

    def loss(self, logits: torch.Tensor, block: int, weights=None, offsets=None) -> torch.Tensor:
        return packed_loss(logits, self, weights, offsets)

    def to(self, device: torch.device) -> PackedBatch:
        return PackedBatch(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


class PackedSampler(Sampler):
    """A `Sampler` on the CPU whose batches are packed."""

    @property
    def width(self) -> int:
        """Tokens of a row."""
        return self.settings.crop + ROOM

    @cached_property
    def length(self) -> float:
        """The mean length of an example."""
        return float(self.source.draw(4096, Dice([self.seed], self.device)).length.float().mean())

    def batches(self, step: int, residues: int, count: int = 1, rank: int = 0) -> list[PackedBatch]:
        """`count` batches, of one shape, of about `residues` tokens each, start and end tokens included."""
        dice, rows = Dice([self.seed, step, rank], self.device), max(1, round(residues / self.width))
        tokens = SURPLUS * count * rows * self.width
        examples = self.source.draw(max(count, round(tokens / (self.length + 2))), dice)
        batch = self.made(examples, self.settings.crop, dice)
        row, place = map(torch.tensor, best_fit((batch.lengths + 2).tolist(), self.width))
        # chance deals the rows to the batches; what is left over is not used
        turn = torch.randperm(int(row.max()) + 1, generator=dice.generator)[row]
        turn, row = turn % count, turn // count
        parts = [torch.nonzero((turn == number) & (row < rows))[:, 0] for number in range(count)]
        return [self.packed(batch, part, row[part], place[part], rows) for part in parts]

    def packed(
        self, batch: Batch, part: torch.Tensor, row: torch.Tensor, place: torch.Tensor, rows: int
    ) -> PackedBatch:
        """Some examples of a batch, each in its row, from its place on."""
        lengths, n, width = batch.lengths[part], len(part), self.width
        at = torch.arange(self.settings.crop + 2)
        framed, _ = add_ends(batch.tokens[part], lengths)
        target = torch.where(at < lengths[:, None] + 2, (row * width + place)[:, None] + at, rows * width)

        def put(values: torch.Tensor, none: int) -> torch.Tensor:
            flat = torch.full((rows * width + 1,), none)
            return flat.scatter_(0, target.flatten(), values.flatten())[:-1].view(rows, width)

        first = torch.arange(batch.background.shape[1]) * self.block
        held = first < lengths[:, None]
        number = held.flatten().cumsum(0).view(held.shape) - 1  # of each block among those with residues
        residue = (at > 0) & (at <= lengths[:, None])
        block = ((at - 1).clamp(min=0) // self.block).clamp(max=len(first) - 1).expand(n, -1)
        total = int(held.sum())
        classes = batch.classes[part][:, None].expand(batch.weights[part].shape)
        return PackedBatch(
            put(framed, PAD),
            put(torch.arange(n)[:, None].expand(framed.shape), n),
            put(torch.where(residue, number.gather(1, block), total), total),
            (lengths[:, None] - first).clamp(max=self.block)[held],
            classes[held],
            batch.weights[part][held],
            batch.background[part][held],
            torch.nonzero(held)[:, 0],
            batch.pooled[part],
        )


def best_fit(sizes: list[int], width: int) -> tuple[list[int], list[int]]:
    """Row and place of each item: the longest first, each into the fullest row that has room."""
    open_rows, free = [[] for _ in range(width + 1)], 0  # rows by room; bit r of free: a row has room r
    rows, places, used = [0] * len(sizes), [0] * len(sizes), 0
    for item in sorted(range(len(sizes)), key=lambda item: -sizes[item]):
        fits = free >> sizes[item]
        if fits:
            room = sizes[item] + (fits & -fits).bit_length() - 1
            row = open_rows[room].pop()
            free ^= (not open_rows[room]) << room
        else:
            room, row, used = width, used, used + 1
        rows[item], places[item] = row, width - room
        open_rows[room - sizes[item]].append(row)
        free |= 1 << (room - sizes[item])
    return rows, places
