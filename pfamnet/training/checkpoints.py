"""What a training leaves on disk: checkpoints, the best weights, and a log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from ..errors import PfamnetError
from ..io.replacing import replacing
from .settings import State

if TYPE_CHECKING:
    from .loop import Training

CHECKPOINT, BEST, LOG = "checkpoint.pt", "best.safetensors", "log.tsv"
LOG_COLUMNS = ("network", "step", "residues", "seconds", "loss", "dev_accuracy", "lr", "residues_per_second")


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write a safetensors file completely or not at all."""
    with replacing(path) as partial:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)


def save_checkpoint(training: Training) -> None:
    """Write all that a training needs to continue."""
    parts = ("network", training.network), ("optimizer", training.optimizer), ("scaler", training.scaler)
    saved = {name: part.state_dict() for name, part in parts}
    saved |= {name: asdict(getattr(training, name)) for name in ("settings", "state")}
    with replacing(training.folder / CHECKPOINT) as partial:
        torch.save(saved, partial)


def restore_checkpoint(training: Training) -> None:
    """Continue from the checkpoint of the first process, if there is one."""
    path = training.folder / CHECKPOINT
    load = lambda: torch.load(path, "cpu", weights_only=True) if path.exists() else None
    saved = training.group.share(load)
    if saved is None:
        return
    if saved["settings"] != asdict(training.settings):
        raise PfamnetError(f"{path}: written with other settings; repeat these or delete the file")
    training.network.load_state_dict(saved["network"])
    moments = {"state": saved["optimizer"]["state"]}
    training.optimizer.load_state_dict(training.optimizer.state_dict() | moments)
    training.scaler.load_state_dict(saved["scaler"])
    training.state = State(**saved["state"])


def write_training_log(work: Path, path: Path) -> None:
    """Join the logs of all networks under a work directory into one table."""
    logs = [log.read_text().splitlines(True) for log in sorted(Path(work).glob(f"*/{LOG}"))]
    Path(path).write_text("".join(["\t".join(LOG_COLUMNS) + "\n", *(row for log in logs for row in log[1:])]))
