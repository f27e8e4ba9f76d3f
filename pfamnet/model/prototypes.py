"""Prototypes: how the ESM network sees the training rows of families that have few of them.

Of a family with a handful of rows the head has learnt little, but each row has a
vector, and a domain whose vector lies close to it is likely of that family
(nearest neighbours, Fix and Hodges 1951; with learnt vectors, Vinyals et al. 2016).
A vector is the mean, over a domain, of what the head sees of its blocks.
Nearness is the cosine; it counts from `floor` on, which few domains of other families reach.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from ..errors import PfamnetError

MOST_ROWS = 10     # training rows of a family that has prototypes
STRANGERS = 0.95   # share of domains whose nearest prototype of another family lies below the floor
LOOKED_AT = 300    # dev domains by which the floor is set, at most


@dataclass(frozen=True)
class Prototypes:
    """`vectors` (n, H) of length 1, the `families` (n,) they belong to, and the cosine that counts for nothing."""

    vectors: np.ndarray
    families: np.ndarray
    floor: float

    def resemblance(self, vector: np.ndarray, families: np.ndarray) -> np.ndarray:
        """How near a vector (H,) is to the nearest row of each of families (m,): 0 to 1; 0 without rows."""
        nearest = np.full(int(max(families.max(initial=0), self.families.max(initial=0))) + 1, -1.0)
        np.maximum.at(nearest, self.families, self.vectors @ unit(vector))
        return np.clip((nearest[families] - self.floor) / (1 - self.floor), 0, 1)

    def save(self, path: Path) -> None:
        """Write them in half precision."""
        from safetensors.numpy import save_file
        save_file({"vectors": self.vectors.astype(np.float16), "families": self.families.astype(np.int32),
                   "floor": np.array([self.floor])}, path)

    @classmethod
    def load(cls, path: Path) -> "Prototypes":
        """Raises PfamnetError where the file holds anything else."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
        try:
            stored = load_file(path)
            vectors, families, (floor,) = stored["vectors"].astype(np.float32), stored["families"], stored["floor"]
            if vectors.ndim != 2 or families.shape != vectors.shape[:1] or not -1 <= floor < 1 or families.min() < 0:
                raise ValueError
        except (SafetensorError, KeyError, ValueError, OSError):
            raise PfamnetError(f"{path}: holds no prototypes") from None
        return cls(vectors, families.astype(np.int64), float(floor))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors with length 1, along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def few_rows(fold, families: int) -> np.ndarray:
    """Domains (n, 4) of the fold that are rows of families with few of them, emitted sequences left out."""
    real = np.array([not name.startswith("emitted:") for name in fold.names], bool)
    domains = fold.domains[(fold.domains[:, 3] >= 0) & real[fold.domains[:, 0]]]
    counts = np.bincount(domains[:, 3], minlength=families)
    return domains[counts[domains[:, 3]] <= MOST_ROWS]


def make_prototypes(runtime, train, dev, families: int, cpus: int, watch: Callable) -> Prototypes | None:
    """Prototypes of a network's families, from the train and dev folds; None where each has rows enough.

    `watch` wraps the iteration (progress).
    """
    rows = few_rows(train, families)
    if not len(rows):
        return None
    known = dev.domains[dev.domains[:, 3] >= 0]
    others = known[np.random.default_rng(1).permutation(len(known))[:LOOKED_AT]]
    vectors = vectors_of(runtime, train, rows, cpus, watch).astype(np.float16).astype(np.float32)
    cosines = vectors_of(runtime, dev, others, cpus, watch) @ vectors.T
    cosines[others[:, 3, None] == rows[:, 3]] = -1
    floor = float(np.clip(np.quantile(cosines.max(1), STRANGERS), 0, 0.95))
    return Prototypes(vectors, rows[:, 3].astype(np.int64), floor)


def vectors_of(runtime, fold, domains: np.ndarray, cpus: int, watch: Callable) -> np.ndarray:
    """The vectors (n, H) of domains (n, 4) of a fold, each cut out."""
    def look(row: list[int]) -> np.ndarray:
        index, start, end, _ = row
        return unit(runtime.vectors(fold.sequences[index][start:end])[1].mean(0))

    with ThreadPoolExecutor(cpus) as pool:
        return np.array(list(watch(pool.map(look, domains.tolist()), len(domains))), np.float32)
