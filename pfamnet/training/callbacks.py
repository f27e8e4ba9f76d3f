"""Watchers of a training: each process has `Validation`, the first the others too, `Checkpoints` last."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import torch
from tqdm import tqdm

from .checkpoints import BEST, LOG, LOG_COLUMNS, save_checkpoint, save_tensors
from .loop import Training

CHECKPOINT_SECONDS = 240.0  # between two checkpoints


class Validation:
    """Measures the network at times, keeps its best weights, and stops a training that gains nothing.

    `measure`, the accuracy of a network, is called in the first process alone. `at_start`: the network is
    worth keeping before its first step.
    """

    def __init__(self, measure: Callable | None, at_start: bool = False):
        self.measure, self.at_start = measure, at_start

    def started(self, training: Training) -> None:
        if self.at_start and not training.state.step:
            self.validate(training, math.nan)

    def stepped(self, training: Training, loss: float) -> None:
        state, every = training.state, training.settings.evaluate
        if state.step % every == 0 or state.done:
            mean = float(state.loss) / ((state.step - 1) % every + 1)
            state.loss = 0.0
            self.validate(training, mean)
            state.done = state.done or state.stale >= training.settings.patience

    def validate(self, training: Training, loss: float) -> None:
        state, network = training.state, training.network.eval()
        with torch.inference_mode(), training.context:
            accuracy = training.group.share(lambda: self.measure(network))
        state.validations.append((state.step, accuracy, loss, state.seconds))
        if training.group.first and state.best[0] == state.step:
            save_tensors(network.state_dict(), training.folder / BEST)
        training.tell("validated", accuracy, loss)


class Checkpoints:
    """Writes a checkpoint every few minutes, and at the end."""

    def __init__(self, seconds: float | None = None):
        self.seconds = CHECKPOINT_SECONDS if seconds is None else seconds
        self.saved = time.monotonic()

    def stepped(self, training: Training, loss: float) -> None:
        if training.state.done or time.monotonic() - self.saved > self.seconds:
            save_checkpoint(training)
            self.saved = time.monotonic()


class LogFile:
    """A table with one row for each validation."""

    def validated(self, training: Training, accuracy: float, loss: float) -> None:
        rows = [LOG_COLUMNS, *(self.row(training, *values) for values in training.state.validations)]
        (training.folder / LOG).write_text("".join("\t".join(row) + "\n" for row in rows))

    @staticmethod
    def row(training: Training, step: int, accuracy: float, loss: float, seconds: float) -> list[str]:
        residues = step * training.settings.step_residues
        row = [training.name, f"{step}", f"{residues}", f"{seconds:.0f}", "", f"{accuracy:.5f}", "", ""]
        if step:
            row[4], row[6:] = f"{loss:.4f}", [f"{training.rate(step - 1):.4f}", f"{residues / seconds:.0f}"]
        return row


class Bar:
    """A progress bar on stderr."""

    def started(self, training: Training) -> None:
        total, step = training.settings.steps, training.state.step
        self.bar = tqdm(total=total, initial=step, desc=training.name, unit="step", file=sys.stderr)

    def stepped(self, training: Training, loss: float) -> None:
        self.bar.update()

    def validated(self, training: Training, accuracy: float, loss: float) -> None:
        self.bar.set_postfix(loss=f"{loss:.3f}", validation=f"{accuracy:.4f}")

    def ended(self, training: Training) -> None:
        self.bar.close()
