"""What a fine-tuned network says of the train domains, for the light one to learn from.

Hinton et al. 2015, "Distilling the knowledge in a neural network": the
teacher's probabilities tell which families resemble each other.  They are
worked out once for every train domain and kept in a safetensors file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from .examples import Corpus
from .measure import region, region_logits

KEPT = 8          # classes of each domain
TEMPERATURE = 2.0


def soft_labels(network, corpus: Corpus, path: Path, context, progress: bool = False):
    """Classes (n, KEPT) int64 and probabilities (n, KEPT), which add up to one, of each domain.

    Read from `path` where it exists, else worked out and written there.
    `context` is the autocast context to run in.
    """
    path = Path(path)
    if not path.exists():
        kept = min(KEPT, network.families + 1)
        classes = np.zeros((len(corpus.domains), kept), np.int64)
        chances = np.zeros((len(corpus.domains), kept), np.float32)
        rows = np.flatnonzero(corpus.domains[:, 3] >= 0)
        regions = [region(corpus, row, network.block) for row in rows]
        with torch.inference_mode(), context:
            for view, logits in tqdm(region_logits(network.eval(), regions), "soft labels",
                                     len(rows), file=sys.stderr, disable=not progress):
                best = torch.softmax(logits / TEMPERATURE, -1).topk(kept)
                classes[view.row] = best.indices.numpy()
                chances[view.row] = (best.values / best.values.sum()).numpy()
        partial = path.with_suffix(".partial")
        save_file({"classes": classes, "chances": chances}, partial)
        os.replace(partial, path)
    stored = load_file(path)
    return stored["classes"], stored["chances"]
