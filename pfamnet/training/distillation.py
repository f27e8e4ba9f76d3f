"""What a fine-tuned network predicts for the train domains, for the light one to learn from.

Hinton et al. 2015, "Distilling the knowledge in a neural network": the teacher's probabilities show which
families resemble each other.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from tqdm import tqdm

from .corpus import Corpus
from .dev_accuracy import Region, region, region_logits

KEPT = 8  # classes of each domain
PER_FAMILY = {"cpu": 20, "cuda": 100}  # domains that the teacher sees of a family
PART = 4  # the teacher sees at most this part of the residues it was trained on
TEMPERATURE = 2.0


def soft_labels(
    network, corpus: Corpus, context, progress: bool = False, trained: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest classes (n, KEPT) of each domain, and their probabilities (n, KEPT), zero if unseen.

    `context` is the autocast context to run in, `trained` the residues that the teacher was trained on.
    """
    classes = np.zeros((len(corpus.domains), min(KEPT, network.families + 1)), np.int64)
    chances = np.zeros(classes.shape, np.float32)
    most = PER_FAMILY[next(network.parameters()).device.type]
    regions = regions_of_each(corpus, most, network.block, trained and trained // PART)
    found = region_logits(network.eval(), regions)
    bar = tqdm(found, "soft labels", len(regions), file=sys.stderr, disable=not progress)
    with torch.inference_mode(), context:
        for view, logits in bar:
            best = torch.softmax(logits / TEMPERATURE, -1).topk(classes.shape[1])
            classes[view.row] = best.indices.numpy()
            chances[view.row] = (best.values / best.values.sum()).numpy()
    return classes, chances


def regions_of_each(corpus: Corpus, most: int, block: int, residues: int | None) -> list[Region]:
    """Regions of at most `most` domains of each family; of fewer if they have more than `residues`."""
    while True:
        regions = [region(corpus, row, block) for row in some_of_each(corpus.domains[:, 3], most)]
        total = sum(len(view.tokens) for view in regions)
        if residues is None or total <= residues or most == 1:
            return regions
        most = max(1, min(most - 1, most * residues // total))


def some_of_each(families: np.ndarray, most: int) -> np.ndarray:
    """Random rows, at most `most` of each family; -1 is no family."""
    order = np.random.default_rng(0).permutation(len(families))
    order = order[np.argsort(families[order], kind="stable")]
    first = np.searchsorted(families[order], families[order])
    return np.sort(order[(np.arange(len(order)) - first < most) & (families[order] >= 0)])
