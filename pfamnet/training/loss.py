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
    logits, device = logits.float(), logits.device
    if offsets is not None:
        logits = logits + offsets
    rows, blocks, classes = torch.from_numpy(batch.blocks).to(device).T
    share = torch.from_numpy(batch.weights).to(device)
    if weights is not None:
        share = share * weights[classes]
    chances = F.log_softmax(logits, -1)
    loss = -(chances[rows, blocks, classes] * share).sum() / share.sum().clamp(min=1e-6)
    if len(batch.pooled):
        rows, labels = torch.from_numpy(batch.pooled).to(device).T
        pooled = pool_logits(logits[rows], torch.from_numpy(batch.lengths).to(device)[rows], block)
        # a mean over all examples, so that a few domains do not outweigh the blocks
        loss = loss + F.cross_entropy(pooled, labels, weights, reduction="sum") / len(batch.tokens)
    return loss


def pool_logits(logits: torch.Tensor, lengths: torch.Tensor, block: int) -> torch.Tensor:
    """Mean of block logits (B, blocks, F + 1) over the blocks that hold residues: (B, F + 1)."""
    places = torch.arange(logits.shape[1], device=logits.device)
    held = (places[None, :] * block < lengths[:, None]).to(logits.dtype)
    return (logits * held[..., None]).sum(1) / held.sum(1, keepdim=True).clamp(min=1)
