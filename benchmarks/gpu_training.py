"""Trainings that end by the clock, and how fast they are on a GPU."""

from __future__ import annotations

import math
import time

import torch
from gpu_packed import packed_loss

from pfamnet.training.loop import Training

WARM, FALLING, LAST = 300, 0.6, 0.01  # steps, fraction of the time, and of the peak, of the learning rate


class Timed(Training):
    """A training that ends after `limit` seconds."""

    limit = math.inf

    def rate(self, step: int) -> float:
        left = max(0.0, 1 - self.state.seconds / self.limit)
        return min((step + 1) / WARM, max(LAST, min(1.0, left / FALLING)))


class PackedTraining(Timed):
    """A fine-tuning on packed rows."""

    def backward(self, batch, batches: list) -> torch.Tensor:
        batch = batch.to(self.device)
        with self.context:
            hidden = self.model(batch.tokens, batch.segments)
        loss = packed_loss(self.network, hidden, batch) / len(batches)
        self.scaler.scale(loss).backward()
        return loss.detach()


class Clock:
    """Ends a `Timed` training, and prints its speed at times."""

    def stepped(self, training: Timed, loss: torch.Tensor) -> None:
        state = training.state
        state.done = state.seconds >= training.limit
        if state.step in (20, 100) or state.step % 1000 == 0 or state.done:
            synchronize(training.device)
            speed = state.step * training.settings.step_residues / max(state.seconds, 1e-3) / 1e6
            what = f"{training.name} step {state.step} {state.seconds:.1f} s {speed:.3f} M residues/s"
            print(what, f"loss {float(loss):.3f}", flush=True)


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def speed(training: Timed, batches: list, steps: int = 12) -> float:
    """Residues a second of the training's model, on some batches; the network is left as it is."""
    kept = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    for group in training.optimizer.param_groups:
        group["lr"] = 0.0
    training.model.train()
    begun, seen = time.monotonic(), 0
    for turn in range(steps):
        if turn == steps // 2:
            synchronize(training.device)
            begun, seen = time.monotonic(), 0
        batch = batches[turn % len(batches)]
        training.optimizer.zero_grad(set_to_none=True)
        training.backward(batch, batches[:1])
        torch.nn.utils.clip_grad_norm_(training.network.parameters(), 1.0)
        training.optimizer.step()
        seen += batch.tokens.numel()
    synchronize(training.device)
    training.optimizer.state.clear()
    training.network.load_state_dict(kept)
    return seen / (time.monotonic() - begun)


def compile_if_faster(training: Timed, compiled: bool) -> dict[str, float]:
    """Let the training use a compiled network if that is faster; residues a second of either."""
    settings = training.settings
    batches = [b.to(training.device) for b in training.sampler.batches(0, settings.batch, settings.pool)]
    rates = {"eager": speed(training, batches)}
    if compiled:
        eager = training.model
        try:
            training.model = torch.compile(training.model, dynamic=False)
            rates["compiled"] = speed(training, batches, 24)
        except Exception as error:
            print("not compiled:", repr(error)[:300], flush=True)
        if rates.get("compiled", 0) < rates["eager"]:
            training.model = eager
    return rates
