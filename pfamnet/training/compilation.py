"""Compiling a network for a training, if that is worth it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from .loop import Training

TRIED = 8  # batches by which the speed is measured
WORTH = 120.0  # seconds that an eager training must still last: compiling takes up to a minute


class Compilation:
    """Callback that lets a training on one GPU use torch.compile, if it is faster so; `say` takes a line.

    Of a model that has a part `encode`, this alone is compiled.
    """

    def __init__(
        self, say: Callable[[str], None], backend: str | Callable = "inductor", worth: float = WORTH
    ):
        self.say, self.backend, self.worth = say, backend, worth

    def started(self, training: Training) -> None:
        name, settings = training.name, training.settings
        drawn = training.sampler.batches(0, settings.batch, max(settings.drawn, TRIED))[:TRIED]
        batches = [batch.to(training.device) for batch in drawn]
        eager = settings.batch / seconds(training, batches)
        if (settings.steps - training.state.step) * settings.step_residues < self.worth * eager:
            return
        owner, part = (training.model, "encode") if hasattr(training.model, "encode") else (training, "model")
        plain = getattr(owner, part)
        setattr(owner, part, torch.compile(plain, dynamic=False, backend=self.backend))
        try:
            compiled = settings.batch / seconds(training, batches)
        except Exception as error:  # the compiler is a program of many parts, with many exceptions
            setattr(owner, part, plain)
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            self.say(f"warning: {name}: not compiled, as torch.compile failed: {reason}")
            return
        if compiled <= eager:
            setattr(owner, part, plain)
        chosen = "compiled" if compiled > eager else "not compiled"
        self.say(f"{name}: {chosen}: {compiled:.3g} residues/s compiled, {eager:.3g} eager")


def seconds(training: Training, batches: list) -> float:
    """What a batch takes, forward and backward; the weights stay as they are."""
    training.model.train()
    for _ in range(2):  # the first round warms up
        begun = time.monotonic()
        for batch in batches:
            training.backward(batch, [batch])
        training.optimizer.zero_grad(set_to_none=True)
        if training.device.type == "cuda":
            torch.cuda.synchronize(training.device)
    return (time.monotonic() - begun) / len(batches)
