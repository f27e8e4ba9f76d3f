"""The loss of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from .packed import PackedBatch
    from .sampler import Batch


def class_weights(shares: torch.Tensor, balance: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Weights of the classes, and offsets of the logits, for unbalanced families.

    `inverse` weights a family by 1 / frequency, 1 on average. `logit` adds the logarithm of the frequency to
    the logits (Menon et al. 2021, "Long-tail learning via logit adjustment"). Class 0 stays as it is.
    `shares` (F + 1,) say how often each class is drawn; one that is never drawn counts as the rarest other.
    """
    if balance == "none":
        return None, None
    share = shares[1:].float()
    share = share.clamp(min=share[share > 0].min()) / share.sum()
    if balance == "inverse":
        weights = (1 / share) / (1 / share).mean()
        return torch.cat([weights.new_ones(1), weights]), None
    offsets = torch.log(share * len(share))
    return None, torch.cat([offsets.new_zeros(1), offsets])


def batch_loss(logits: torch.Tensor, batch: Batch, block: int, weights=None, offsets=None) -> torch.Tensor:
    """Cross-entropy of the blocks, plus that of the examples that are exactly one domain.

    `logits` is (B, blocks, F + 1), `block` in residues; `weights` and `offsets` come from `class_weights`.
    """
    logits = logits.float() if offsets is None else logits.float() + offsets
    classes = batch.classes[:, None].expand(batch.weights.shape)
    loss = blocks_loss(logits, classes, batch.weights, batch.background, weights)
    return loss + domains_loss(pool_logits(logits, batch.lengths, block), batch.pooled, weights)


def packed_loss(logits: torch.Tensor, batch: PackedBatch, weights=None, offsets=None) -> torch.Tensor:
    """`batch_loss` of the blocks' logits (N, F + 1)."""
    logits = logits.float() if offsets is None else logits.float() + offsets
    loss = blocks_loss(logits, batch.classes, batch.weights, batch.background, weights)
    sums = logits.new_zeros(len(batch.pooled), logits.shape[1]).index_add(0, batch.examples, logits)
    counts = logits.new_zeros(len(sums)).index_add(0, batch.examples, torch.ones_like(logits[:, 0]))
    return loss + domains_loss(sums / counts[:, None], batch.pooled, weights)


def blocks_loss(logits, classes, share, background, weights) -> torch.Tensor:
    """The cross-entropy of blocks: logits (..., F + 1), classes and share (..., K), background (...)."""
    chances = F.log_softmax(logits, -1)
    if weights is not None:
        share = share * weights[classes]
    total = (chances.gather(-1, classes) * share).sum() + (chances[..., 0] * background).sum()
    return -total / (share.sum() + background.sum()).clamp(min=1e-6)


def domains_loss(logits: torch.Tensor, labels: torch.Tensor, weights) -> torch.Tensor:
    """The cross-entropy of the examples that are exactly one domain: logits (B, F + 1), labels (B,) or -1."""
    # a mean over all examples, so that a few domains do not outweigh the blocks
    own = F.cross_entropy(logits, labels, weights, ignore_index=-1, reduction="sum")
    return own / max(1, len(labels))


def pool_logits(logits: torch.Tensor, lengths: torch.Tensor, block: int) -> torch.Tensor:
    """Mean of block logits (B, blocks, F + 1) over the blocks that hold residues: (B, F + 1)."""
    places = torch.arange(logits.shape[1], device=logits.device)
    held = (places[None, :] * block < lengths[:, None]).to(logits.dtype)
    return (logits * held[..., None]).sum(1) / held.sum(1, keepdim=True).clamp(min=1)
