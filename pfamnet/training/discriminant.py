"""Fisher's linear discriminant as the head of the `esm` network, before and after training.

A head that begins at random spends much of a short fine-tuning on finding the families, and meanwhile
distorts the encoder (Kumar et al. 2022, arXiv:2202.10054). So it begins as the discriminant, with one
covariance for all families. A trained head is sure of what it saw, and prefers families of many rows; the
discriminant of the tuned vectors treats all families alike. Both are linear, so a weighted sum of them is
one head again. Its biases are freed of the families' frequencies (Menon et al. 2021, "Long-tail learning via
logit adjustment").
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from .corpus import Corpus
from .dev_accuracy import Measure, Region, region_logits
from .distillation import regions_of_each

PER_FAMILY = 16  # most domains of a family that are used
PART = 2  # at most this part of the residues of the training is used
SHUFFLED = 400  # domains that, in random order, stand for no family
SHRINKAGE = 0.03  # fraction of the covariance that is equal in all directions
TUNED = 0.5  # the same of a tuned encoder's, whose covariance is that of rows which it has learnt
SHARES = (0.0, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0)  # weights of the discriminant beside a trained head
EVENNESS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # weights of the families' frequencies
SCALES = tuple(np.geomspace(0.02, 10.0, 55))  # of the logits (Guo et al. 2017, "On calibration ...")


class Features(nn.Module):
    """The vectors that the head's linear layer sees, in place of its logits."""

    def __init__(self, network):
        super().__init__()
        self.network, self.block = network.eval(), network.block

    def forward(self, tokens, lengths):
        return self.network.head[0](self.network.pooled(tokens, lengths))


def start_head(network, corpus: Corpus, context, progress=False, training: int | None = None) -> None:
    """Set the linear layer of a network's head to the discriminant of some domains of each family.

    `context` is the autocast context to run in, `training` the residues of the training that follows.
    """
    vectors, labels = vectors_of_each(network, corpus, context, progress, training)
    order = torch.argsort(labels, stable=True)  # every other domain of each family
    half, other = order[::2], order[1::2]
    weight, bias = discriminant(vectors[half], labels[half], network.families + 1)
    logits = vectors[other] @ weight.T + bias
    right = F.one_hot(labels[other], network.families + 1).bool()
    scale = min(SCALES, key=lambda scale: surprise(logits * scale, right)) if len(other) else 1.0
    set_layer(network, *(scale * part for part in discriminant(vectors, labels, network.families + 1)))


def finish_head(
    network, corpus: Corpus, measure: Measure, context, progress=False, trained: int | None = None
) -> str:
    """Join a trained network's head with the discriminant, and even out the families' frequencies.

    Both are weighted, and the logits scaled, for the validation set.

    `measure` has the regions of that set; `trained` is how many residues the network was trained on.

    Returns:
        A line about the result.
    """
    layer = network.head[-1]
    vectors, labels = vectors_of_each(network, corpus, context, progress, trained, SHUFFLED)
    other = discriminant(vectors, labels, network.families + 1, TUNED)
    own = layer.weight.detach().cpu().double(), layer.bias.detach().cpu().double()
    views, vectors = vectors_of(network, measure.regions, context)
    right = torch.zeros(len(views), network.families + 1, dtype=torch.bool)
    for row, view in zip(right[:, 1:], views):
        row[list(measure.right[view.row])] = True
    logits, added = (vectors @ weight.T + bias for weight, bias in (own, other))
    alike = (logits.std() or 1.0) / added.std()  # a share of 1 counts as much as the head
    other, added = [part * alike for part in other], added * alike
    often = frequencies(corpus, network.families)
    join = lambda mine, its, share, even: mine + share * its - even * often
    choices = product(SHARES, EVENNESS)
    share, even = max(choices, key=lambda choice: accuracy(join(logits, added, *choice), right))
    joined = join(logits, added, share, even)
    scale = min(SCALES, key=lambda scale: surprise(joined * scale, right))
    weight, bias = own[0] + share * other[0], join(own[1], other[1], share, even)
    set_layer(network, weight * scale, bias * scale)
    return (
        f"esm: head + {share:g} x discriminant - {even:g} x ln rows, logits x {scale:.2f}: "
        f"validation accuracy {accuracy(joined, right):.4f} (head alone {accuracy(logits, right):.4f})"
    )


def frequencies(corpus: Corpus, families: int) -> torch.Tensor:
    """Natural logarithms of how many domains each family has (F + 1,), their mean 0; class 0 has 0."""
    known = corpus.domains[corpus.domains[:, 3] >= 0, 3]
    counts = torch.from_numpy(np.bincount(known, minlength=families)).double().clamp(min=1).log()
    return torch.cat([counts.new_zeros(1), counts - counts.mean()])


def set_layer(network, weight: torch.Tensor, bias: torch.Tensor) -> None:
    network.head[-1].load_state_dict({"weight": weight, "bias": bias})


def vectors_of(network, regions: list[Region], context, progress=False) -> tuple[list[Region], torch.Tensor]:
    """Regions in order of length, and their vectors (n, d) in double precision."""
    found = region_logits(Features(network), regions)
    with torch.inference_mode(), context:
        pairs = list(tqdm(found, "head", len(regions), False, sys.stderr, disable=not progress))
    views, vectors = zip(*pairs)
    return views, torch.stack(vectors).double()


def vectors_of_each(network, corpus: Corpus, context, progress: bool, residues: int | None, shuffled=0):
    """Vectors (n, d) and classes (n,) of some domains of each family; `shuffled` of them again as class 0."""
    regions = regions_of_each(corpus, PER_FAMILY, network.block, residues and residues // PART)
    rng = np.random.default_rng(0)
    for place in rng.permutation(len(regions))[:shuffled]:
        regions.append(regions[place]._replace(row=-1, tokens=rng.permutation(regions[place].tokens)))
    views, vectors = vectors_of(network, regions, context, progress)
    return vectors, torch.tensor([corpus.domains[row, 3] + 1 if row >= 0 else 0 for row, *_ in views])


def discriminant(
    vectors: torch.Tensor, labels: torch.Tensor, classes: int, shrinkage: float = SHRINKAGE
) -> tuple[torch.Tensor, torch.Tensor]:
    """The directions of Fisher's linear discriminant (Fisher 1936), with equal priors.

    All weights have length 1. Their lengths in the full discriminant depend on how far out a family's few
    training vectors lie, and mislead on distant relatives.

    Arguments:
        vectors: (n, d), double precision. If no class has two, the covariance of all is used.
        labels: class of each, (n,).
        classes: their number; the logits of those without a vector are 0.
        shrinkage: fraction of the covariance that is equal in all directions.

    Returns:
        Weights (classes, d) and biases (classes,).
    """
    counts = torch.bincount(labels, minlength=classes)
    means = torch.zeros(classes, vectors.shape[1], dtype=vectors.dtype).index_add_(0, labels, vectors)
    means /= counts.clamp(min=1)[:, None]
    middle = means[counts > 0].mean(0)
    several = bool(counts.max() > 1)
    within = vectors - (means[labels] if several else vectors.mean(0))
    freedom = len(vectors) - (int((counts > 0).sum()) if several else 1)
    covariance = within.T @ within / max(freedom, 1)
    level = covariance.diagonal().mean() + 1e-6
    covariance *= 1 - shrinkage
    covariance.diagonal().add_(shrinkage * level)
    weight = F.normalize(torch.linalg.solve(covariance, (means - middle).T).T) * (counts > 0)[:, None]
    return weight, -(weight @ middle)


def accuracy(logits: torch.Tensor, right: torch.Tensor) -> float:
    """Fraction of the rows whose likeliest family is correct."""
    return right[:, 1:].gather(1, logits[:, 1:].argmax(1, keepdim=True)).double().mean().item()


def surprise(logits: torch.Tensor, right: torch.Tensor) -> float:
    """Mean of -ln of the correct families' probability."""
    chance = torch.log_softmax(logits, 1).masked_fill(~right, -torch.inf)
    return -chance.logsumexp(1).mean().item()
