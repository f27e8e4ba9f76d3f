"""What a training leaves on disk: checkpoints, the best weights, and a log.

A checkpoint is one safetensors file, renamed when whole: tensors `network.*`,
`optimizer.<parameter>.*` and `random.*`, and in its metadata as JSON the state
of the training, its settings, and how many lines the log had.
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
    """Write a safetensors file under a temporary name and rename it when whole."""
    temporary = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    os.replace(temporary, path)


def save_checkpoint(path: Path, network, optimizer, random: dict, meta: dict) -> None:
    """Write a checkpoint; `random` are states of torch's generators, `meta` is kept as JSON."""
    tensors, scalars = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}, {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if torch.is_tensor(value):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                scalars[f"{index}.{key}"] = value
    tensors |= {f"random.{name}": state for name, state in random.items()}
    save_tensors(tensors, path, {"state": json.dumps(meta | {"scalars": scalars})})


def read_checkpoint(path: Path) -> tuple[dict, dict] | None:
    """(tensors on the CPU, meta) of a checkpoint; None where there is none."""
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        meta = json.loads(file.metadata()["state"])
    return load_file(path), meta


def part(tensors: dict, prefix: str) -> dict:
    """The tensors of one prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def load_optimizer(optimizer, tensors: dict, scalars: dict) -> None:
    """Give an optimizer the moments of a checkpoint."""
    states: dict[int, dict] = {}
    for name, value in (part(tensors, "optimizer.") | scalars).items():
        index, key = name.split(".", 1)
        states.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """What dropout draws from: a resumed training draws what it would have drawn."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


# -- the log


def add_log(folder: Path, row: tuple) -> None:
    """Write one line, after the header where the log is new."""
    path = folder / LOG
    new = not path.exists()
    with open(path, "a") as out:
        if new:
            print(*LOG_COLUMNS, sep="\t", file=out)
        print(*row, sep="\t", file=out)


def log_lines(folder: Path) -> int:
    return len((folder / LOG).read_text().splitlines()) if (folder / LOG).exists() else 0


def trim_log(folder: Path, lines: int) -> None:
    """Drop the lines written after the checkpoint: those steps are run again."""
    log = folder / LOG
    if log.exists():
        log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:lines]))
    if not lines:
        log.unlink(missing_ok=True)  # or its header would not be written


def write_training_log(work: Path, path: Path) -> None:
    """The logs of all networks under a work directory as one table."""
    logs = [log.read_text().splitlines() for log in sorted(Path(work).glob(f"*/{LOG}"))]
    rows = [row for log in logs for row in log[1:]]
    Path(path).write_text("\n".join(["\t".join(LOG_COLUMNS), *rows]) + "\n")
