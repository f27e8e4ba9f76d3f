"""The loss of a batch."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .sampler import Batch


def class_weights(counts: torch.Tensor, balance: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Weights of the classes, and offsets of the logits, for unbalanced families.

    `inverse` weights a family by 1 / frequency, 1 on average. `logit` adds the logarithm of the frequency to
    the logits (Menon et al. 2021, "Long-tail learning via logit adjustment"). Class 0 stays as it is.
    `counts` (F + 1,) is how often each class is drawn.
    """
    if balance == "none":
        return None, None
    share = counts[1:].float().clamp(min=1) / counts[1:].sum()
    if balance == "inverse":
        weights = (1 / share) / (1 / share).mean()
        return torch.cat([weights.new_ones(1), weights]), None
    offsets = torch.log(share * len(share))
    return None, torch.cat([offsets.new_zeros(1), offsets])


def batch_loss(logits: torch.Tensor, batch: Batch, block: int, weights=None, offsets=None) -> torch.Tensor:
    """Cross-entropy of the blocks, plus that of the examples that are exactly one domain.

    `logits` is (B, blocks, F + 1), `block` in residues; `weights` and `offsets` come from `class_weights`.
    """
    logits = logits.float()
    if offsets is not None:
        logits = logits + offsets
    chances = F.log_softmax(logits, -1)
    classes, share = batch.classes, batch.weights
    if weights is not None:
        share = share * weights[classes][:, None]
    found = chances.gather(2, classes[:, None].expand(share.shape))
    total = (found * share).sum() + (chances[..., 0] * batch.background).sum()
    loss = -total / (share.sum() + batch.background.sum()).clamp(min=1e-6)
    pooled = pool_logits(logits, batch.lengths, block)
    # a mean over all examples, so that a few domains do not outweigh the blocks
    own = F.cross_entropy(pooled, batch.pooled, weights, ignore_index=-1, reduction="sum")
    return loss + own / len(batch.tokens)


def pool_logits(logits: torch.Tensor, lengths: torch.Tensor, block: int) -> torch.Tensor:
    """Mean of block logits (B, blocks, F + 1) over the blocks that hold residues: (B, F + 1)."""
    places = torch.arange(logits.shape[1], device=logits.device)
    held = (places[None, :] * block < lengths[:, None]).to(logits.dtype)
    return (logits * held[..., None]).sum(1) / held.sum(1, keepdim=True).clamp(min=1)
