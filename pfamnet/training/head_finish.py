"""The head of a fine-tuned `esm` network, joined with the discriminant of its vectors.

A head that was trained with the encoder is sure of what it saw; Fisher's
discriminant of the tuned vectors (`pfamnet.training.discriminant`) is worse on relatives
of training rows and better on those that are far from all of them.  Both are
linear, so that their weighted sum is one head again, of the same cost.  The
weight, and a scale of all logits (Guo et al. 2017, "On calibration of modern
neural networks"), are chosen on dev.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .checkpoints import save_tensors
from .dev_accuracy import Measure, region_logits
from .discriminant import Features, discriminant, vectors_of_each
from .sampler import Corpus

SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # of the discriminant, beside a whole head
SCALES = tuple(np.geomspace(0.02, 2.0, 41))  # of all logits
SHUFFLED = 400  # domains that, their residues in another order, stand for no family


def finish_head(
    network,
    corpus: Corpus,
    measure: Measure,
    path: Path,
    context,
    progress: bool = False,
    trained: int | None = None,
) -> str:
    """Set the linear layer of a trained network's head; says what it came to.

    Arguments:
        corpus: the train set, for the discriminant.
        measure: of the dev domains to choose by.
        path: where the layer is kept; read where it exists.
        context: the autocast context to run in.
        trained: residues that the network was trained on; no more than a part of these is looked at.
    """
    layer, path = network.head[-1], Path(path)
    if path.exists():
        layer.load_state_dict(load_file(path))
        return ""
    vectors, labels = vectors_of_each(network, corpus, context, progress, trained, SHUFFLED)
    dev, right = dev_vectors(network, measure, context)
    own = layer.weight.detach().cpu().double(), layer.bias.detach().cpu().double()
    other = discriminant(vectors, labels, len(own[1]))
    logits, added = (dev @ weight.T + bias for weight, bias in (own, other))
    # of equals the first: the head as it was
    share = max(SHARES, key=lambda share: accuracy(logits + share * added, right))
    joined = logits + share * added
    scale = min(SCALES, key=lambda scale: surprise(joined * scale, right))
    with torch.no_grad():
        for target, mine, its in zip((layer.weight, layer.bias), own, other):
            target.copy_((mine + share * its) * scale)
    save_tensors(layer.state_dict(), path)
    return (
        f"esm: head and {share:g} times the discriminant of its vectors: {accuracy(joined, right):.4f} of dev "
        f"(head alone {accuracy(logits, right):.4f}), logits times {scale:.2f}"
    )


def dev_vectors(network, measure: Measure, context) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (n, d) of the dev regions, and which classes are right there (n, F + 1), bool."""
    vectors, right = [], torch.zeros(len(measure.regions), network.families + 1, dtype=torch.bool)
    with torch.inference_mode(), context:
        for place, (view, vector) in enumerate(region_logits(Features(network.eval()), measure.regions)):
            vectors.append(vector)
            right[place, [family + 1 for family in measure.right[view.row]]] = True
    return torch.stack(vectors).double(), right


def accuracy(logits: torch.Tensor, right: torch.Tensor) -> float:
    """Share of the rows whose first family is right."""
    return right[:, 1:].gather(1, logits[:, 1:].argmax(1, keepdim=True)).double().mean().item()


def surprise(logits: torch.Tensor, right: torch.Tensor) -> float:
    """Mean of the right families' -ln probability."""
    chance = torch.log_softmax(logits, 1).masked_fill(~right, -torch.inf)
    return -chance.logsumexp(1).mean().item()
