"""LoRA: fine-tuning by low-rank adapters (Hu et al. 2021, arXiv:2106.09685).

The encoder is frozen; beside the query and the value projection of each
attention a product of two thin matrices learns the change of the weights.
When training is over the change is added to the weights, and the network is
again what it was: same modules, same names, same cost.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import PfamnetError
from ..network.encoder import EsmEncoder

ALPHA = 16.0  # the change is scaled by ALPHA / rank, so that ranks may share a learning rate


class AdaptedQkv(nn.Linear):
    """The fused query, key and value projection, frozen, with adapters of query and value.

    Args:
        plain: the projection (3 * size, size) whose weights are taken over.
        rank: r; `down` is (2r, size), query's rows first, `up` is (2, size, r).
            `up` begins as zeros, so that the network begins as it was.
    """

    def __init__(self, plain: nn.Linear, rank: int):
        size = plain.in_features
        super().__init__(size, 3 * size, device="meta")  # nothing is drawn for what is replaced
        self.weight, self.bias = plain.weight, plain.bias
        self.rank, self.scale = rank, ALPHA / rank
        like = {"dtype": plain.weight.dtype, "device": plain.weight.device}
        self.down = nn.Parameter(torch.empty(2 * rank, size, **like))
        self.up = nn.Parameter(torch.zeros(2, size, rank, **like))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = super().forward(hidden).chunk(3, -1)
        low = F.linear(hidden, self.down) * self.scale
        return torch.cat(
            (
                query + F.linear(low[..., : self.rank], self.up[0]),
                key,
                value + F.linear(low[..., self.rank :], self.up[1]),
            ),
            -1,
        )

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain projection that does the same."""
        change = self.scale * self.up @ self.down.view(2, self.rank, -1)
        query, key, value = self.weight.chunk(3)
        plain = nn.Linear(self.in_features, self.out_features, device="meta")
        plain.weight = nn.Parameter(torch.cat((query + change[0], key, value + change[1])))
        plain.bias = nn.Parameter(self.bias.detach())
        return plain


def check_rank(encoder: EsmEncoder, rank: int) -> None:
    """Raise PfamnetError where adapters of this rank would not be thin."""
    size = encoder.config.hidden_size
    if rank > size:
        raise PfamnetError(f"--lora {rank}: the encoder is {size} wide, and no rank may be over that")


def add_adapters(encoder: EsmEncoder, rank: int) -> None:
    """Freeze an encoder, and give its attention layers adapters that learn, in place."""
    encoder.requires_grad_(False)
    for layer in encoder.layers:
        layer.qkv = AdaptedQkv(layer.qkv, rank)


def merge_adapters(encoder: EsmEncoder) -> None:
    """Make an encoder with adapters a plain one that computes the same, in place."""
    for layer in encoder.layers:
        layer.qkv = layer.qkv.merged()
    encoder.requires_grad_(True)
