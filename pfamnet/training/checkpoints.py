"""What a training leaves on disk: checkpoints, the best weights, and a log.

A checkpoint is one safetensors file with tensors `network.*` and `optimizer.<parameter>.*`. Its metadata
holds, as JSON, everything else that the training needs to continue.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

CHECKPOINT, BEST, LOG = "checkpoint.safetensors", "best.safetensors", "log.tsv"
LOG_COLUMNS = ("network", "step", "residues", "seconds", "loss", "dev_accuracy", "lr", "residues_per_second")


def save_tensors(tensors: dict, path: Path, metadata: dict | None = None) -> None:
    """Write a safetensors file completely or not at all."""
    partial = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata)
    os.replace(partial, path)


def save_checkpoint(path: Path, network: torch.nn.Module, optimizer, meta: dict) -> None:
    """Write the weights of a network, the moments of its optimizer, and `meta` as JSON."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    save_tensors(tensors, path, {"meta": json.dumps(meta)})


def read_checkpoint(path: Path) -> tuple[dict, dict] | None:
    """The tensors (on the CPU) and `meta` of a checkpoint; None if there is none."""
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        meta = json.loads(file.metadata()["meta"])
    return load_file(path), meta


def restore(tensors: dict, network: torch.nn.Module, optimizer) -> None:
    """Give a network and its optimizer what a checkpoint holds."""
    weights: dict[str, torch.Tensor] = {}
    states: dict[int, dict] = {}
    for name, tensor in tensors.items():
        part, rest = name.split(".", 1)
        if part == "network":
            weights[rest] = tensor
        else:
            index, key = rest.split(".", 1)
            counts = tensor.ndim == 0 and not tensor.is_floating_point()  # an int was stored as a tensor
            states.setdefault(int(index), {})[key] = tensor.item() if counts else tensor
    network.load_state_dict(weights)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def write_training_log(work: Path, path: Path) -> None:
    """Join the logs of all networks under a work directory into one table."""
    logs = [log.read_text().splitlines() for log in sorted(Path(work).glob(f"*/{LOG}"))]
    rows = [row for log in logs for row in log[1:]]
    Path(path).write_text("\n".join(["\t".join(LOG_COLUMNS), *rows]) + "\n")
