"""LoRA: fine-tuning by low-rank adapters (Hu et al. 2021, arXiv:2106.09685) of query and value."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

ALPHA = 16.0  # an adapter's output is scaled by ALPHA / rank, so that ranks may share a learning rate


class Adapted(nn.Linear):
    """A linear layer with an adapter: `down` (rank, inputs) and `up` (outputs, rank), zeros at first."""

    def __init__(self, plain: nn.Linear, rank: int):
        super().__init__(plain.in_features, plain.out_features, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.scale = ALPHA / rank
        self.down = nn.Parameter(plain.weight.new_empty(rank, plain.in_features))
        self.up = nn.Parameter(plain.weight.new_zeros(plain.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden) + F.linear(F.linear(hidden, self.down) * self.scale, self.up)


def add_adapters(encoder: nn.Module, rank: int, lowest: int = 0) -> None:
    """Freeze a `transformers.EsmModel` and add adapters, the only parts that learn, in place.

    Layers below the `lowest` one get none.
    """
    encoder.requires_grad_(False)
    for attention in [layer.attention.self for layer in encoder.encoder.layer[lowest:]]:
        attention.query, attention.value = Adapted(attention.query, rank), Adapted(attention.value, rank)


@torch.no_grad()
def merge_adapters(encoder: nn.Module) -> None:
    """Add what the adapters learnt to the weights; the encoder is plain again, in place."""
    for attention in [layer.attention.self for layer in encoder.encoder.layer]:
        for name in ("query", "value"):
            if not isinstance(adapted := getattr(attention, name), Adapted):
                continue
            plain = nn.Linear(adapted.in_features, adapted.out_features, device="meta")
            plain.weight = nn.Parameter(adapted.weight + adapted.scale * adapted.up @ adapted.down)
            plain.bias = adapted.bias
            setattr(attention, name, plain)
    encoder.requires_grad_(True)
