"""Losses that were tried for the light network, beside `pfamnet.training.loss.batch_loss`.

Each is a sum over what is right in a batch: a family, or none, of a block, and of each example that is one
domain alone.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from pfamnet.training.loss import pool_logits


@dataclass
class Targets:
    """logits (m, F + 1), the right class of each (m,), its weight (m,); `right` (m, F + 1): other right ones too."""

    logits: torch.Tensor
    classes: torch.Tensor
    weights: torch.Tensor
    right: torch.Tensor


def targets(logits, batch, block) -> Targets:
    """What is right in a batch, weighted as `batch_loss` does."""
    logits = logits.float()
    rows, blocks, classes = torch.from_numpy(batch.blocks).T
    share = torch.from_numpy(batch.weights)
    places, inverse = torch.unique(rows * logits.shape[1] + blocks, return_inverse=True)
    right = torch.zeros(len(places), logits.shape[2], dtype=torch.bool)
    right[inverse, classes] = True
    parts = [(logits[rows, blocks], classes, share / share.sum().clamp(min=1e-6), right[inverse])]
    if len(batch.pooled):
        rows, labels = torch.from_numpy(batch.pooled).T
        pooled = pool_logits(logits[rows], torch.from_numpy(batch.lengths)[rows], block)
        parts.append(
            (
                pooled,
                labels,
                torch.full((len(rows),), 1 / len(batch.tokens)),
                F.one_hot(labels, logits.shape[2]).bool(),
            )
        )
    return Targets(*(torch.cat(column) for column in zip(*parts)))


def sigmoid(found: Targets, _sisters):
    """Each family by itself, yes or no; class 0 is where all say no."""
    own = F.one_hot(found.classes, found.logits.shape[1])
    each = F.binary_cross_entropy_with_logits(found.logits, own.float(), reduction="none")
    each = each.masked_fill(found.right & ~own.bool(), 0.0)  # they have targets of their own
    return (each[:, 1:].sum(1) * found.weights).sum()


def focal(found: Targets, _sisters, gamma=2.0):
    """Cross-entropy with less weight on what is sure already (Lin et al. 2017, "Focal loss")."""
    chances = F.log_softmax(found.logits, -1).gather(1, found.classes[:, None])[:, 0]
    return -((1 - chances.exp()) ** gamma * chances * found.weights).sum()


def clan_margin(found: Targets, sisters, margin=1.0):
    """Cross-entropy in which wrong families of the right one's clan seem likelier than they are (hard negatives)."""
    harder = sisters[found.classes] & ~found.right
    return (
        F.cross_entropy(found.logits + margin * harder, found.classes, reduction="none") * found.weights
    ).sum()


LOSSES = {"sigmoid": sigmoid, "focal": focal, "clan_margin": clan_margin}


def sisters_of(families) -> torch.Tensor:
    """(F + 1, F + 1): which classes are others of the same clan."""
    clans = ["", *(family.clan for family in families)]
    number = {clan: place for place, clan in enumerate(sorted(set(clans)))}
    codes = torch.tensor([number[clan] for clan in clans])
    same = (codes[:, None] == codes[None, :]) & (codes != number[""])
    return same & ~torch.eye(len(clans), dtype=torch.bool)


def begin_sigmoid(head) -> None:
    """Begin with the families as rare as they are, together as likely as none."""
    torch.nn.init.constant_(head.bias, -math.log(len(head.bias)))


def end_sigmoid(head) -> None:
    """Class 0 has log-odds of 0, so that a family's are its logit."""
    with torch.no_grad():
        head.weight[0], head.bias[0] = 0.0, 0.0
