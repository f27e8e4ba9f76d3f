"""Following a training while it goes on: TensorBoard, Weights & Biases, or nothing.

What is tracked goes to `<model_out>.track/`, of W&B too (and from there to its
server, unless WANDB_MODE=offline).  A tracker must never cost a training: what
it raises is told once, and the training goes on without it.  A resumed
training goes on in the same log: the work directory keeps the run's name and
how far each network was tracked, and steps that are trained again are not
tracked again.
"""

from __future__ import annotations

import json
import os
import resource
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from ..errors import PfamnetError

KINDS = ("none", "tensorboard", "wandb")
EVERY = 20  # steps
STATE = "track.json"
SHOWN = 500  # rows of a table


def check_tracker(kind: str) -> None:
    """Raise PfamnetError where the tracker is not installed."""
    if kind != "none" and find_spec(kind) is None:
        raise PfamnetError(f"--track {kind}: {kind} is not installed: pip install 'pfamnet[{kind}]'")


def memory(device: torch.device) -> float:
    """The most memory used so far, in MiB: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Untracked:
    """Tracks nothing."""

    def log(self, network: str, step: int, values: dict[str, float]) -> None:
        """Keep values of one step of a network's training."""

    def finish(self, summary: dict[str, float], tables: dict[str, tuple[list, list]]) -> None:
        """Keep figures of the finished model, and tables: name -> (columns, rows)."""

    def close(self) -> None:
        """Let what is kept reach the disk."""


class Tracker(Untracked):
    """Hands on to a backend what it has not got yet; a backend that fails is left alone."""

    def __init__(self, open_backend: Callable, state: Path, warn: Callable[[str], None]):
        self.path, self.warn, self.backend = state, warn, None
        try:
            self.state = json.loads(state.read_text())
        except (OSError, ValueError):
            self.state = {"run": uuid.uuid4().hex[:12], "steps": {}}
        self.guarded(lambda: setattr(self, "backend", open_backend(self.state["run"])))
        self.keep()

    def guarded(self, act: Callable) -> None:
        try:
            act()
        except Exception as error:  # whatever it is, the training is worth more
            self.backend = None
            what = " ".join(str(error).split())[:200] or type(error).__name__
            self.warn(f"warning: tracking has failed, and is given up: {what}")

    def keep(self) -> None:
        try:
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps(self.state))
            os.replace(partial, self.path)
        except OSError:
            pass  # then a resumed training tracks some steps twice

    def log(self, network: str, step: int, values: dict[str, float]) -> None:
        series = f"{network}/{next(iter(values))}"  # what is tracked at once is of one series
        if self.backend is None or step <= self.state["steps"].get(series, 0):
            return
        self.guarded(lambda: self.backend.log(network, step, values))
        self.state["steps"][series] = step
        self.keep()

    def finish(self, summary, tables) -> None:
        if self.backend is not None:
            self.guarded(lambda: self.backend.finish(summary, tables))

    def close(self) -> None:
        if self.backend is not None:
            self.guarded(lambda: self.backend.close())
            self.backend = None


class TensorBoard:
    """Scalars as `<network>/<name>`, tables as text."""

    def __init__(self, folder: Path):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder))

    def log(self, network, step, values) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{network}/{name}", value, step)
        self.writer.flush()  # a killed training must have it on disk

    def finish(self, summary, tables) -> None:
        for name, value in summary.items():
            self.writer.add_scalar(f"final/{name}", value, 0)
        for name, (columns, rows) in tables.items():
            lines = [columns, ["---"] * len(columns), *rows[:SHOWN]]
            self.writer.add_text(name, "\n".join("| " + " | ".join(line) + " |" for line in lines), 0)

    def close(self) -> None:
        self.writer.close()


class Wandb:
    """One run of W&B; each network has a step of its own."""

    def __init__(self, folder: Path, run: str, name: str, config: dict):
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self.wandb = wandb
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "pfamnet",
            name=name,
            id=run,
            dir=str(folder),
            config=config,
            resume=None if os.environ.get("WANDB_MODE") == "offline" else "allow",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
        )
        for network in ("esm", "light"):
            self.run.define_metric(f"{network}/step", hidden=True)
            self.run.define_metric(f"{network}/*", step_metric=f"{network}/step")

    def log(self, network, step, values) -> None:
        self.run.log(
            {f"{network}/step": step} | {f"{network}/{name}": value for name, value in values.items()}
        )

    def finish(self, summary, tables) -> None:
        self.run.summary.update({f"final/{name}": value for name, value in summary.items()})
        self.run.log(
            {
                name: self.wandb.Table(columns=columns, data=rows[:SHOWN])
                for name, (columns, rows) in tables.items()
            }
        )

    def close(self) -> None:
        self.run.finish()


def open_tracker(
    kind: str, folder: Path, state: Path, name: str, config: dict, warn: Callable[[str], None]
) -> Untracked:
    """The tracker of a build, which writes to `folder`; `state` is a file of its work directory."""
    if kind == "none":
        return Untracked()
    backends = {
        "tensorboard": lambda run: TensorBoard(folder),
        "wandb": lambda run: Wandb(folder, run, name, config),
    }
    return Tracker(backends[kind], state, warn)
