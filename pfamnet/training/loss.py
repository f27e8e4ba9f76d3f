"""The loss of a batch, whole or in parts that several processes work on."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def class_weights(counts: torch.Tensor, balance: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """(weights of the classes, offsets of the logits) for unbalanced families.

    `counts` (F + 1,): how often each class is drawn, class 0 first.
    `inverse`: weights 1 / frequency, mean 1 over the families.  `logit`: the
    logarithm of the frequency is added to the logits while training (Menon et
    al. 2021, "Long-tail learning via logit adjustment"). Class 0 stays as it is.
    """
    if balance == "none":
        return None, None
    share = counts[1:].float().clamp(min=1) / counts[1:].sum()
    if balance == "inverse":
        weights = (1 / share) / (1 / share).mean()
        return torch.cat([weights.new_ones(1), weights]), None
    offsets = torch.log(share * len(share))
    return None, torch.cat([offsets.new_zeros(1), offsets])


def batch_loss(logits, batch, block: int, weights=None, offsets=None, whole=None):
    """Cross-entropy of the blocks, plus that of the examples that are one domain alone.

    `whole` is the batch of which `batch` is a part: the parts' losses then add up to its loss.
    """
    logits, device = logits.float(), logits.device
    whole = whole or batch
    if offsets is not None:
        logits = logits + offsets
    rows, blocks, classes = torch.from_numpy(batch.blocks).to(device).T
    share = torch.from_numpy(batch.weights).to(device)
    total = torch.from_numpy(whole.weights).to(device)
    if weights is not None:
        share = share * weights[classes]
        total = total * weights[torch.from_numpy(whole.blocks).to(device)[:, 2]]
    chances = F.log_softmax(logits, -1)
    loss = -(chances[rows, blocks, classes] * share).sum() / total.sum().clamp(min=1e-6)
    if len(batch.pooled):
        rows, labels = torch.from_numpy(batch.pooled).to(device).T
        pooled = pool_logits(logits[rows], torch.from_numpy(batch.lengths).to(device)[rows], block)
        # a mean over all examples, so that few such examples do not outweigh the blocks
        loss = loss + F.cross_entropy(pooled, labels, weights, reduction="sum") / len(whole.tokens)
    return loss


def pool_logits(logits, lengths, block: int):
    """Mean of block logits (B, n, F + 1) over the blocks that hold residues -> (B, F + 1)."""
    places = torch.arange(logits.shape[1], device=logits.device)
    held = (places[None, :] * block < lengths[:, None]).to(logits.dtype)
    return (logits * held[..., None]).sum(1) / held.sum(1, keepdim=True).clamp(min=1)
