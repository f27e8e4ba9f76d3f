"""Training on the outputs of frozen layers, which are computed once.

The frozen lower layers of an encoder give the same vectors each time they see the same row. So the batches
of the first residues of a training are repeated, in a new order at each pass, and their vectors are read from
a file. What is drawn at random in an example (crop, flanks, substitutions, emitted rows) repeats with it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..network.esm_packed import PackedEsm
from .packed import PackedBatch, PackedSampler
from .settings import TrainSettings


class CachedSampler:
    """Some batches of a `PackedSampler`, again and again, with vectors in place of tokens.

    `vectors` (draws, count, R, W, H) are those of `count` batches of each draw, in half precision.
    """

    def __init__(self, sampler: PackedSampler, vectors: torch.Tensor):
        self.sampler, self.vectors, self.seed = sampler, vectors, sampler.seed
        self.class_shares = sampler.class_shares

    def batches(self, step: int, residues: int, count: int, rank: int = 0) -> list[PackedBatch]:
        """The batches of one draw of the pass that `step` belongs to; they are as many as the file has."""
        number, turn = divmod(step, len(self.vectors))
        rng = np.random.default_rng([self.seed, number])
        draw = int(rng.permutation(len(self.vectors))[turn])
        batches = self.sampler.batches(draw, residues, count, rank)
        order = np.random.default_rng([self.seed, number, draw]).permutation(count)
        return [replace(batches[place], tokens=self.vectors[draw, place]) for place in order]


def save_vectors(
    model: PackedEsm,
    sampler: PackedSampler,
    settings: TrainSettings,
    residues: int,
    path: Path,
    context,
    progress: bool = False,
) -> None:
    """Write the vectors of a `CachedSampler` that has about so many residues, as an array of NumPy.

    `settings` are those of the training, `context` is the autocast context to run in.
    """
    draws = max(1, round(residues / (settings.batch * settings.drawn)))
    device = next(model.parameters()).device
    model.eval()
    with open(path, "wb") as file, torch.inference_mode(), context:
        for draw in tqdm(range(draws), "frozen layers", file=sys.stderr, disable=not progress):
            made = [part.to(device) for part in sampler.batches(draw, settings.batch, settings.drawn)]
            vectors = torch.stack([model.encode.frozen(part.tokens, part.segments) for part in made])
            if not draw:
                shape = (draws, *vectors.shape)
                header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(vectors.half().cpu().numpy())


def load_vectors(path: Path) -> torch.Tensor:
    """The vectors in a file of `save_vectors`, of which only what is used is read."""
    return torch.from_numpy(np.load(path, mmap_mode="c"))
