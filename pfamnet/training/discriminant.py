"""The head of the `esm` network begins as a linear discriminant of the encoder's vectors.

A head that begins at random spends much of a short fine-tuning on finding
where the families lie, and pulls the encoder about meanwhile (Kumar et al.
2022, arXiv:2202.10054, "Fine-tuning can distort pretrained features").  Here
each family's weights are those of Fisher's discriminant with one covariance
within all families; they cost one look at a few domains of each.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from ..network.esm import EsmNetwork
from .dev_accuracy import region_logits
from .distillation import regions_of_each
from .sampler import Corpus

PER_FAMILY = 16  # domains of each family that are looked at, at most
PART = 2  # this part of the residues of the training that follows, at most
SHRINKAGE = 0.01  # share of the covariance that is the same in all directions
SCALES = tuple(np.geomspace(0.02, 2.0, 21))  # of the logits; normal distributions are too sure


class Features(nn.Module):
    """The vectors that the head's linear layer sees, in place of its logits."""

    def __init__(self, network: EsmNetwork):
        super().__init__()
        self.network, self.block = network, network.block

    def forward(self, tokens, lengths):
        return self.network.head[0](self.network.pooled(tokens, lengths))


def start_head(
    network: EsmNetwork, corpus: Corpus, context, progress: bool = False, training: int | None = None
) -> None:
    """Set the linear layer of `network`'s head; `context` is the autocast context to run in.

    Before a training of `training` residues no more than a part of these is looked at.

    Families without a domain in `corpus`, and class 0, get the mean of all.
    """
    vectors, labels = vectors_of_each(network, corpus, context, progress, training)
    order = torch.argsort(labels, stable=True)  # every other domain of each family
    half, other = order[::2], order[1::2]
    weight, bias = discriminant(vectors[half], labels[half], network.families + 1)
    logits = vectors[other] @ weight.T + bias
    scale = (
        min(SCALES, key=lambda scale: F.cross_entropy(logits * scale, labels[other]).item())
        if len(other)
        else 1.0
    )
    weight, bias = discriminant(vectors, labels, network.families + 1)
    layer = network.head[-1]
    with torch.no_grad():
        layer.weight.copy_(weight * scale)
        layer.bias.copy_(bias * scale)


def vectors_of_each(
    network: EsmNetwork,
    corpus: Corpus,
    context,
    progress: bool = False,
    training: int | None = None,
    shuffled: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (n, d), double precision, and classes (n,) of some domains of each family.

    And of `shuffled` of them with their residues in another order: class 0.
    """
    regions = regions_of_each(corpus, PER_FAMILY, network.block, training and training // PART)
    labels = {view.row: int(corpus.domains[view.row, 3]) + 1 for view in regions}
    rng = np.random.default_rng(0)
    decoys = [regions[place] for place in rng.permutation(len(regions))[:shuffled]]
    vectors, classes = [], []
    with (
        torch.inference_mode(),
        context,
        tqdm(
            total=len(regions) + len(decoys), desc="head", file=sys.stderr, disable=not progress, leave=False
        ) as bar,
    ):
        for view, vector in region_logits(Features(network.eval()), regions):
            vectors.append(vector)
            classes.append(labels[view.row])
            bar.update()
        for _, vector in region_logits(
            Features(network), [view._replace(tokens=rng.permutation(view.tokens)) for view in decoys]
        ):
            vectors.append(vector)
            classes.append(0)
            bar.update()
    return torch.stack(vectors).double(), torch.tensor(classes)


def discriminant(
    vectors: torch.Tensor, labels: torch.Tensor, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fisher's linear discriminant (Fisher 1936) with equal priors.

    Args:
        vectors: (n, d), double precision.
        labels: class of each (n,), int64.
        classes: their number; those without a vector have the mean of all.

    Returns:
        Weights (classes, d) and biases (classes,): logits are log-densities
        but for a term that all classes share.  With one vector of each class
        there is nothing within one, and the covariance of all stands for it.
    """
    counts = torch.bincount(labels, minlength=classes)
    means = torch.zeros(classes, vectors.shape[1], dtype=vectors.dtype).index_add_(0, labels, vectors)
    means /= counts.clamp(min=1)[:, None]
    means[counts == 0] = vectors.mean(0)
    several = bool(counts.max() > 1)
    within = vectors - (means[labels] if several else vectors.mean(0))
    freedom = len(vectors) - (int((counts > 0).sum()) if several else 1)
    covariance = within.T @ within / max(freedom, 1)
    size = len(covariance)
    level = covariance.trace() / size + 1e-6
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * torch.eye(size, dtype=vectors.dtype)
    weight = torch.linalg.solve(covariance, means.T).T
    bias = -(weight * means).sum(1) / 2
    # what all classes share is left out: it says nothing, and takes digits in half precision
    return weight - weight.mean(0), bias - bias.mean()
