"""What a fine-tuned network says of the train domains, for the light one to learn from.

Hinton et al. 2015, "Distilling the knowledge in a neural network": the
teacher's probabilities tell which families resemble each other.  They are
worked out once, for some domains of each family, and kept in a safetensors file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from .dev_accuracy import region, region_logits
from .sampler import Corpus

KEPT = 8  # classes of each domain
PER_FAMILY = {"cpu": 20, "cuda": 100}  # domains of a family that the teacher has time for
PART = 4  # the teacher looks at this part of the residues it was trained on, at most
TEMPERATURE = 2.0


def soft_labels(
    network, corpus: Corpus, path: Path, context, progress: bool = False, trained: int | None = None
):
    """Classes (n, KEPT) int64 and probabilities (n, KEPT) of each domain.

    Domains that the teacher did not look at have probabilities of zero.  Read
    from `path` where it exists, else worked out and written there.
    `context` is the autocast context to run in.  Of a teacher that was trained on
    `trained` residues no more than a part of that time is asked for.
    """
    path = Path(path)
    if not path.exists():
        kept = min(KEPT, network.families + 1)
        classes = np.zeros((len(corpus.domains), kept), np.int64)
        chances = np.zeros((len(corpus.domains), kept), np.float32)
        device = next(network.parameters()).device.type
        most = PER_FAMILY.get(device, PER_FAMILY["cpu"])
        regions = regions_of_each(corpus, most, network.block, trained and trained // PART)
        with torch.inference_mode(), context:
            for view, logits in tqdm(
                region_logits(network.eval(), regions),
                "soft labels",
                len(regions),
                file=sys.stderr,
                disable=not progress,
            ):
                best = torch.softmax(logits / TEMPERATURE, -1).topk(kept)
                classes[view.row] = best.indices.numpy()
                chances[view.row] = (best.values / best.values.sum()).numpy()
        partial = path.with_suffix(".partial")
        save_file({"classes": classes, "chances": chances}, partial)
        os.replace(partial, path)
    stored = load_file(path)
    return stored["classes"], stored["chances"]


def regions_of_each(corpus: Corpus, most: int, block: int, residues: int | None) -> list:
    """Regions of at most `most` domains of each family, fewer where they have more than `residues`."""
    while True:
        regions = [region(corpus, row, block) for row in some_of_each(corpus.domains[:, 3], most)]
        total = sum(len(view.tokens) for view in regions)
        if residues is None or total <= residues or most == 1:
            return regions
        # large families alone lose by it, so that once may not be enough
        most = max(1, min(most - 1, most * residues // total))


def some_of_each(families: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most `most` domains of each family, drawn evenly; -1 is no family."""
    order = np.random.default_rng(0).permutation(len(families))
    order = order[np.argsort(families[order], kind="stable")]
    first = np.searchsorted(families[order], families[order])
    kept = order[(np.arange(len(order)) - first < most) & (families[order] >= 0)]
    return np.sort(kept)
