"""What the networks of a build are trained on; one file holds all of it, for another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open

from ..training.checkpoints import save_tensors
from ..training.corpus import Corpus
from ..training.emission import Emission

MATERIAL = "data.safetensors"  # of the work directory


class Material(NamedTuple):
    """What is learnt from, for F families."""

    train: Corpus
    dev: Corpus
    keys: list[str]  # of the families (F,)
    emission: Emission | None  # their profiles, if these emit examples


def save_material(material: Material, path: Path) -> None:
    parts = {"train": material.train.arrays(), "dev": material.dev.arrays()}
    if material.emission is not None:
        parts["emission"] = vars(material.emission)
    tensors = {
        f"{part}.{name}": torch.as_tensor(x) for part, held in parts.items() for name, x in held.items()
    }
    save_tensors(tensors, path, {"families": json.dumps(material.keys)})


def load_material(path: Path) -> Material:
    parts: dict[str, dict[str, torch.Tensor]] = {"train": {}, "dev": {}, "emission": {}}
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - it has no other iterator
            part, field = name.split(".")
            parts[part][field] = file.get_tensor(name)
        keys = json.loads(file.metadata()["families"])
    train, dev = (Corpus.of({n: x.numpy() for n, x in parts[fold].items()}) for fold in ("train", "dev"))
    return Material(train, dev, keys, Emission(**parts["emission"]) if parts["emission"] else None)
