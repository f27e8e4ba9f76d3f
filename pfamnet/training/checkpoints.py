"""What a training leaves on disk: checkpoints, the best weights, and a log.

A checkpoint is one safetensors file with tensors `network.*` and `optimizer.<parameter>.*`, unless the
training is done. Its metadata holds, as JSON, everything else that the training needs to continue.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..errors import PfamnetError
from ..io.replacing import replacing
from .settings import State, TrainSettings

if TYPE_CHECKING:
    from .loop import Training

CHECKPOINT, BEST, LOG = "checkpoint.safetensors", "best.safetensors", "log.tsv"
LOG_COLUMNS = ("network", "step", "residues", "seconds", "loss", "dev_accuracy", "lr", "residues_per_second")


def save_tensors(tensors: dict, path: Path, metadata: dict | None = None) -> None:
    """Write a safetensors file completely or not at all."""
    with replacing(path) as partial:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata)


def save_checkpoint(training: Training) -> None:
    """Write all that a training needs to continue: no tensors if it is done, as its best weights are kept."""
    meta = {name: asdict(getattr(training, name)) for name in ("settings", "state")}
    meta["state"]["loss"] = float(training.state.loss)
    meta["scaler"] = training.scaler.state_dict()
    tensors = {} if training.state.done else tensors_of(training)
    save_tensors(tensors, training.folder / CHECKPOINT, {"meta": json.dumps(meta)})


def tensors_of(training: Training) -> dict[str, torch.Tensor]:
    """The weights of a training and the moments of its optimizer."""
    tensors = {f"network.{name}": tensor for name, tensor in training.network.state_dict().items()}
    for index, moments in training.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    return tensors


def restore_checkpoint(training: Training) -> None:
    """Continue from the checkpoint of the first process, if there is one."""
    path = training.folder / CHECKPOINT
    tensors, meta = training.group.share(lambda: read_checkpoint(path))
    if not meta:
        return
    check_settings(path, meta, training.settings)
    training.state = State(**meta["state"])
    if training.state.done:
        return
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
    training.network.load_state_dict(weights)
    training.optimizer.load_state_dict(training.optimizer.state_dict() | {"state": states})
    training.scaler.load_state_dict(meta["scaler"])


def read_checkpoint(path: Path) -> tuple[dict, dict]:
    """The tensors of a checkpoint, on the CPU, and its metadata; nothing if there is none."""
    meta = read_meta(path)
    return (load_file(path) if meta else {}), meta


def read_meta(path: Path) -> dict:
    """The metadata of a checkpoint, without its tensors; nothing if there is none."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["meta"])
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise PfamnetError(f"{path} is corrupt; delete it") from None


def check_settings(path: Path, meta: dict, settings: TrainSettings) -> None:
    """Raise PfamnetError if a checkpoint is of a training with other settings."""
    if meta["settings"] != asdict(settings):
        raise PfamnetError(f"{path}: written with other settings; repeat these or delete the file")


def ended(folder: Path, settings: TrainSettings) -> State | None:
    """How the training that a folder keeps ended, on this machine or another; None if it is not done."""
    if not finished(folder):
        return None
    meta = read_meta(folder / CHECKPOINT)
    check_settings(folder / CHECKPOINT, meta, settings)
    return State(**meta["state"])


def finished(folder: Path) -> bool:
    """Whether the training that a folder keeps is done."""
    meta = read_meta(folder / CHECKPOINT)
    return bool(meta) and meta["state"]["done"]


def write_training_log(work: Path, path: Path) -> None:
    """Join the logs of all networks under a work directory into one table."""
    logs = [log.read_text().splitlines(True) for log in sorted(Path(work).glob(f"*/{LOG}"))]
    Path(path).write_text("".join(["\t".join(LOG_COLUMNS) + "\n", *(row for log in logs for row in log[1:])]))
