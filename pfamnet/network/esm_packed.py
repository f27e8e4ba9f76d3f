"""The `esm` network on packed rows: several examples share a row, and each sees itself alone.

Hardly any of a batch is padding, and all batches have one shape: a GPU runs the compiled encoder. The logits
are those of `EsmNetwork`, up to rounding.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .esm import EsmNetwork

DROPPED = 0.88  # of an embedding, as ESM-2 was trained: 12 % of the residues were masked


class PackedEsm(nn.Module):
    """What trains an `EsmNetwork`; it has the same parameters. `cached` as of `PackedEncoder`."""

    def __init__(self, network: EsmNetwork, cached: int = 0):
        super().__init__()
        self.encode, self.head = PackedEncoder(network.encoder, cached), network.head

    def forward(
        self, tokens: torch.Tensor, segments: torch.Tensor, blocks: torch.Tensor, sizes: torch.Tensor
    ) -> torch.Tensor:
        """Logits (N, F + 1) of N blocks, in single precision; class 0 = no family.

        Arguments:
            tokens, segments: as of `PackedEncoder`.
            blocks: the block of each residue (R, W), int64, N if a token is none.
            sizes: residues of each block (N,).
        """
        hidden = self.encode(tokens, segments)
        with torch.autocast(hidden.device.type, enabled=False):
            flat = hidden.float().flatten(0, 1)
            sums = flat.new_zeros(len(sizes) + 1, flat.shape[1]).index_add(0, blocks.flatten(), flat)
            return self.head(sums[:-1] / sizes[:, None])


class PackedEncoder(nn.Module):
    """The encoder of an `EsmNetwork` for packed rows: all that costs much, and always of one shape.

    It begins after the `cached` lowest layers, which `frozen` runs.
    """

    def __init__(self, encoder: nn.Module, cached: int):
        super().__init__()
        self.encoder, self.cached = encoder, cached
        self.heads = encoder.config.num_attention_heads
        self.scale = DROPPED if encoder.config.token_dropout else 1.0

    def forward(self, tokens: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """Vectors (R, W, H).

        Arguments:
            tokens: R rows of W (R, W), int64: examples with start and end tokens, one after another, padded.
                If layers are cached, what `frozen` made of them, in any precision.
            segments: the example of each token (R, W), int64.
        """
        hidden = tokens.float() if self.cached else self.embedded(tokens)
        hidden = self.through(self.encoder.encoder.layer[self.cached :], hidden, segments)
        return self.encoder.encoder.emb_layer_norm_after(hidden)

    def frozen(self, tokens: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """Vectors (R, W, H) after the cached layers."""
        return self.through(self.encoder.encoder.layer[: self.cached], self.embedded(tokens), segments)

    def embedded(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.encoder.embeddings.word_embeddings(tokens) * self.scale

    def through(self, layers: nn.ModuleList, hidden: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """The vectors (R, W, H) after some layers."""
        mask = segments[:, None, :, None] == segments[:, None, None, :]
        turns = rotations(hidden.shape[1], hidden.shape[-1] // self.heads, hidden.device)
        for layer in layers:
            hidden = self.passed(layer, hidden, mask, turns)
        return hidden

    def passed(self, layer: nn.Module, hidden: torch.Tensor, mask: torch.Tensor, turns) -> torch.Tensor:
        """The vectors (R, W, H) after one more layer."""
        own, shape = layer.attention.self, (*hidden.shape[:2], self.heads, -1)
        normed = layer.attention.LayerNorm(hidden)
        parts = (part(normed).view(shape).transpose(1, 2) for part in (own.query, own.key, own.value))
        query, key, value = parts
        mixed = attended(rotated(query, *turns), rotated(key, *turns), value, mask)
        hidden = hidden + layer.attention.output.dense(mixed.transpose(1, 2).flatten(2))
        return hidden + layer.output.dense(layer.intermediate(layer.LayerNorm(hidden)))


def attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention (R, heads, W, size); on a CPU in single precision, as `esm_files.attend`."""
    if value.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, mask)
    with torch.autocast("cpu", enabled=False):
        parts = query.float(), key.float(), value.float()
        return F.scaled_dot_product_attention(*parts, mask).to(value.dtype)


def rotations(length: int, size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines (length, size) of rotary positions (Su et al. 2021, arXiv:2104.09864)."""
    frequencies = 10000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    angles = torch.arange(length, device=device)[:, None] * frequencies
    return torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()


def rotated(part: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Queries or keys (R, heads, W, size) turned by their positions."""
    first, second = part.chunk(2, -1)
    return (part * cos + torch.cat([-second, first], -1) * sin).to(part.dtype)
