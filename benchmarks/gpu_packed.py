"""Fine-tuning ESM-2 without padding: several examples share a row, so that every batch has one shape.

A GPU then runs the compiled encoder alone.  The numbers are those of `EsmNetwork`, up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from pfamnet.network.esm import EsmNetwork
from pfamnet.network.tokens import CLS, EOS, PAD
from pfamnet.training.examples import Dice
from pfamnet.training.sampler import Sampler

DROPPED = 0.88  # of an embedding, as ESM-2 was trained: 12 % of the residues were masked


@dataclass
class PackedBatch:
    """R rows of W tokens with n examples, and the targets of their N blocks; K is the most classes of one."""

    tokens: torch.Tensor  # (R, W) int64, padded
    segments: torch.Tensor  # (R, W) int64: the example of each token, n where there is none
    blocks: torch.Tensor  # (R, W) int64: the block of each residue, N where there is none
    classes: torch.Tensor  # (N, K)
    weights: torch.Tensor  # (N, K) of these classes
    background: torch.Tensor  # (N,) weights of class 0
    examples: torch.Tensor  # (N,) example of each block
    pooled: torch.Tensor  # (n,) class of an example that is exactly one domain, else -1

    def to(self, device: torch.device) -> PackedBatch:
        return PackedBatch(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


class PackedSampler(Sampler):
    """A `Sampler` whose batches are packed: rows of `width` tokens, at least the crop and two more."""

    width = 272

    def batches(self, step: int, residues: int, count: int = 1, rank: int = 0) -> list[PackedBatch]:
        """`count` batches of `residues` tokens each, start and end tokens and the little padding included."""
        dice, rows = Dice([self.seed, step, rank], self.device), max(1, residues // self.width)
        examples = self.source.draw(round(count * residues / (self.mean_length() + 2)), dice)
        batch = self.made(examples, self.settings.crop, dice)
        row, place = best_fit((batch.lengths + 2).tolist(), self.width)
        row, place = torch.tensor(row), torch.tensor(place)
        bins = int(row.max()) + 1
        row = torch.randperm(max(bins, count * rows), generator=dice.generator)[row]
        # too many rows: those that chance put last are left out
        parts = [torch.nonzero(row // rows == turn)[:, 0] for turn in range(count)]
        return [self.packed(batch, part, row[part] % rows, place[part], rows) for part in parts]

    def mean_length(self) -> float:
        """The mean length of an example."""
        if not hasattr(self, "mean"):
            self.mean = float(self.source.draw(4096, Dice([self.seed], self.device)).length.float().mean())
        return self.mean

    def packed(self, batch, part: torch.Tensor, row: torch.Tensor, place: torch.Tensor, rows: int):
        """Some examples of a batch, each in its row, from its place on."""
        lengths, n, width = batch.lengths[part], len(part), self.width
        at = torch.arange(self.settings.crop + 2)
        framed = F.pad(batch.tokens[part], (1, 1), value=PAD)
        framed[:, 0] = CLS
        framed.scatter_(1, lengths[:, None] + 1, EOS)
        target = torch.where(at < lengths[:, None] + 2, (row * width + place)[:, None] + at, rows * width)
        put = lambda values, none: (
            torch.full((rows * width + 1,), none)
            .scatter_(0, target.flatten(), values.flatten())[:-1]
            .view(rows, width)
        )
        places = torch.arange(batch.background.shape[1])
        held = places * self.block < lengths[:, None]
        number = held.flatten().cumsum(0).view(held.shape) - 1  # of each block among those with residues
        residue = (at > 0) & (at <= lengths[:, None])
        block = number.gather(
            1, ((at - 1).clamp(min=0) // self.block).clamp(max=len(places) - 1).expand(n, -1)
        )
        total = int(held.sum())
        classes = batch.classes[part][:, None].expand(batch.weights[part].shape)
        return PackedBatch(
            put(framed, PAD),
            put(torch.arange(n)[:, None].expand(framed.shape), n),
            put(torch.where(residue, block, total), total),
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


class PackedEncoder(torch.nn.Module):
    """The encoder of an `EsmNetwork` for packed rows; it has the same parameters."""

    def __init__(self, network: EsmNetwork):
        super().__init__()
        self.encoder = network.encoder
        self.heads = self.encoder.config.num_attention_heads

    def forward(self, tokens: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """Vectors (R, W, H) of tokens (R, W), each seeing those of its own segment (R, W)."""
        hidden = self.encoder.embeddings.word_embeddings(tokens) * DROPPED
        mask = segments[:, None, :, None] == segments[:, None, None, :]
        cos, sin = rotations(tokens.shape[1], hidden.shape[-1] // self.heads, hidden.device)
        for layer in self.encoder.encoder.layer:
            own, shape = layer.attention.self, (*tokens.shape, self.heads, -1)
            normed = layer.attention.LayerNorm(hidden)
            query, key, value = (
                part(normed).view(shape).transpose(1, 2) for part in (own.query, own.key, own.value)
            )
            query, key = (rotated(part, cos, sin) for part in (query, key))
            mixed = F.scaled_dot_product_attention(query, key, value, mask)
            hidden = hidden + layer.attention.output.dense(mixed.transpose(1, 2).flatten(2))
            inner = F.gelu(layer.intermediate.dense(layer.LayerNorm(hidden)))
            hidden = hidden + layer.output.dense(inner)
        return self.encoder.encoder.emb_layer_norm_after(hidden)


def rotations(length: int, size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines (length, size) of rotary positions (Su et al. 2021, arXiv:2104.09864)."""
    frequencies = 10000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    angles = torch.arange(length, device=device)[:, None] * frequencies
    return torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()


def rotated(part: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = part.chunk(2, -1)
    return (part * cos + torch.cat([-second, first], -1) * sin).to(part.dtype)


def packed_loss(network: EsmNetwork, hidden: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """The loss of `pfamnet.training.loss.batch_loss`, of the encoder's vectors (R, W, H)."""
    total, flat = len(batch.classes), hidden.float().flatten(0, 1)
    counts = torch.bincount(batch.blocks.flatten(), minlength=total + 1)[:total, None]
    sums = flat.new_zeros(total + 1, flat.shape[1]).index_add(0, batch.blocks.flatten(), flat)[:total]
    logits = network.head(sums / counts).float()
    chances = F.log_softmax(logits, -1)
    found = (chances.gather(1, batch.classes) * batch.weights).sum()
    weight = (batch.weights.sum() + batch.background.sum()).clamp(min=1e-6)
    loss = -(found + (chances[:, 0] * batch.background).sum()) / weight
    examples = len(batch.pooled)
    sizes = torch.bincount(batch.examples, minlength=examples)[:, None]
    pooled = logits.new_zeros(examples, logits.shape[1]).index_add(0, batch.examples, logits) / sizes
    return loss + F.cross_entropy(pooled, batch.pooled, ignore_index=-1, reduction="sum") / examples
