"""Following a training in TensorBoard or Weights & Biases, which a resumed training continues."""

from __future__ import annotations

import json
import os
import resource
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch

from ..errors import PfamnetError

EVERY = 20  # steps
STATE = "track.json"
SHOWN = 500  # rows of a table


def check_tracker(kind: str) -> None:
    """Raise PfamnetError if the tracker is not installed."""
    if kind != "none" and find_spec(kind) is None:
        raise PfamnetError(f"{kind} is not installed: pip install 'pfamnet[{kind}]'")


def memory(device: torch.device) -> float:
    """The most memory used so far, in MiB: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Tracker:
    """Callback that gives a backend what it does not have yet, and gives it up with a warning if it fails.

    Arguments:
        backend: has the methods of `TensorBoard`.
        state: the file that keeps the run's name and the last step of each series.
        warn: prints a line.
        place: what `backend.open` needs besides the run's name.
    """

    def __init__(self, backend=None, state: Path = Path(os.devnull), warn: Callable = print, *place):
        self.backend, self.state, self.warn = backend, state, warn
        try:
            self.run, self.steps = json.loads(state.read_text())
        except (OSError, ValueError):
            self.run, self.steps = uuid.uuid4().hex[:12], {}
        self.attempt("open", self.run, *place)
        if self.backend is not None:
            self.keep()

    def attempt(self, act: str, *values) -> None:
        """Let the backend do something."""
        try:
            if self.backend is not None:
                getattr(self.backend, act)(*values)
        except Exception as error:
            self.backend = None
            what = " ".join(str(error).split())[:200] or type(error).__name__
            self.warn(f"warning: tracking failed and stops: {what}")

    def started(self, training) -> None:
        self.losses, self.begun = [], time.monotonic()

    def stepped(self, training, loss: float) -> None:
        """Track means of every few steps."""
        if self.backend is None:
            return
        self.losses.append(loss)
        if training.state.step % EVERY == 0:
            now, residues = time.monotonic(), training.settings.step_residues * len(self.losses)
            values = {
                "loss": float(sum(self.losses)) / len(self.losses),
                "residues_per_second": residues / (now - self.begun),
                "learning_rate": max(group["lr"] for group in training.optimizer.param_groups),
                "memory_mib": memory(training.device),
            }
            self.log(training.name, training.state.step, values)
            self.losses, self.begun = [], now

    def validated(self, training, accuracy: float, loss: float) -> None:
        if step := training.state.step:
            self.log(training.name, step, {"dev_accuracy": accuracy, "loss_between_looks": loss})

    def log(self, network: str, step: int, values: dict[str, float]) -> None:
        series = f"{network}/{next(iter(values))}"
        if self.backend is not None and step > self.steps.get(series, 0):
            self.steps[series] = step
            self.attempt("log", network, step, values)
            self.keep()

    def keep(self) -> None:
        with suppress(OSError):  # without the file, a resumed training tracks some steps twice
            self.state.write_text(json.dumps([self.run, self.steps]))

    def finish(self, summary: dict[str, float], tables: dict[str, tuple[list, list]]) -> None:
        """Track figures of the finished model, and tables: name -> (columns, rows)."""
        self.attempt("finish", summary, tables)

    def close(self) -> None:
        self.attempt("close")
        self.backend = None


class TensorBoard:
    """Scalars as `<network>/<name>`, tables as text."""

    def open(self, run: str, folder: Path, name: str, config: dict) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder))
        self.close = self.writer.close

    def log(self, network: str, step: int, values: dict) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{network}/{name}", value, step)
        self.writer.flush()  # a killed training must have it on disk

    def finish(self, summary: dict, tables: dict) -> None:
        self.log("final", 0, summary)
        for name, (columns, rows) in tables.items():
            lines = [columns, ["---"] * len(columns), *rows[:SHOWN]]
            self.writer.add_text(name, "\n".join("| " + " | ".join(line) + " |" for line in lines), 0)


class Wandb:
    """One run of W&B; each network has a step of its own."""

    def open(self, run: str, folder: Path, name: str, config: dict) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self.table, offline = wandb.Table, os.environ.get("WANDB_MODE") == "offline"
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "pfamnet",
            name=name,
            id=run,
            dir=str(folder),
            config=config,
            resume=None if offline else "allow",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
        )
        self.close = self.run.finish
        for network in ("esm", "light"):
            self.run.define_metric(f"{network}/step", hidden=True)
            self.run.define_metric(f"{network}/*", step_metric=f"{network}/step")

    def log(self, network: str, step: int, values: dict) -> None:
        self.run.log({f"{network}/{name}": value for name, value in {"step": step, **values}.items()})

    def finish(self, summary: dict, tables: dict) -> None:
        self.run.summary.update({f"final/{name}": value for name, value in summary.items()})
        for name, (columns, rows) in tables.items():
            self.run.log({name: self.table(columns=columns, data=rows[:SHOWN])})


def open_tracker(kind: str, folder: Path, state: Path, name: str, config: dict, warn: Callable) -> Tracker:
    """The tracker of a build, which writes to `folder`; `state` is a file of its work directory."""
    backends = {"none": None, "tensorboard": TensorBoard(), "wandb": Wandb()}
    return Tracker(backends[kind], state, warn, folder, name, config)
