"""The training loop, the same for both networks.

A training is a number of steps of about `batch` residues each; a step may be
several batches (gradient accumulation).  Learning rates warm up linearly and
decay along a cosine to a twentieth.  Every `evaluate` steps the dev fold is
measured; the best weights are kept, and after `patience` measurements without
a gain the training stops.  A network that knows something from the start is
measured before the first step too, and kept where nothing gets better.
Weights, optimizer and progress are written as safetensors and JSON every few
minutes; batches depend on the seed and the step alone, so a training that was
killed goes on from its last checkpoint.

Several processes share the rows of each batch (`pfamnet.training.distributed`); the first
of them measures and writes.
"""

from __future__ import annotations

import json
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from tqdm import tqdm

from ..errors import PfamnetError
from ..network.devices import autocast
from .checkpoints import (
    BEST,
    CHECKPOINT,
    LOG,
    add_log,
    load_optimizer,
    log_lines,
    part,
    random_states,
    read_checkpoint,
    save_checkpoint,
    save_tensors,
    set_random_states,
    trim_log,
)
from .distributed import Alone, Rows, add_gradients, part_of, whole_batches
from .loss import batch_loss, class_weights
from .tracking import EVERY, Untracked, memory


@dataclass(frozen=True)
class TrainSettings:
    """One training. Rates are per step; `residues` counts what the network sees."""

    residues: int
    batch: int = 16384
    accumulate: int = 1
    pool: int = 1  # batches drawn together and sorted by length
    lr: float = 3e-3
    head_lr: float = 3e-3
    layer_decay: float = 1.0
    weight_decay: float = 0.01
    warmup: float = 0.05  # share of the steps
    evaluate: int = 500  # steps between two looks at dev
    patience: int = 8
    precision: str = "auto"  # auto | fp32 | bf16 | fp16
    optimizer: str = "adamw"  # adamw | adamw8bit
    balance: str = "none"  # none | inverse | logit
    checkpoint_seconds: float = 240.0

    @property
    def steps(self) -> int:
        return max(1, self.residues // (self.batch * self.accumulate))


def optimizer_class(optimizer: str, device: torch.device):
    """AdamW, or its 8-bit form of bitsandbytes, which is refused but on CUDA."""
    if optimizer == "adamw":
        return partial(torch.optim.AdamW, fused=device.type == "cuda")
    if device.type != "cuda":
        raise PfamnetError("--optim adamw8bit needs a CUDA device; this training runs on the CPU")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise PfamnetError("--optim adamw8bit needs bitsandbytes: pip install 'pfamnet[gpu]'") from None
    return AdamW8bit


class Training:
    """One network's way through its training; `run` returns the best dev accuracy.

    `knows`: whether the network knows something before its first step.
    """

    def __init__(
        self,
        name,
        network,
        groups,
        sampler,
        measure,
        settings: TrainSettings,
        folder: Path,
        device: torch.device,
        progress: bool = False,
        group: Alone | None = None,
        tracker: Untracked | None = None,
        knows: bool = False,
    ):
        self.name, self.network, self.sampler, self.measure, self.knows = (
            name,
            network,
            sampler,
            measure,
            knows,
        )
        self.settings, self.folder, self.device, self.progress = settings, Path(folder), device, progress
        self.group, self.tracker, self.rows = group or Alone(), tracker or Untracked(), Rows()
        self.context, scaled = autocast(device, settings.precision)
        self.scaler = torch.amp.GradScaler("cuda", enabled=scaled)
        self.optimizer = optimizer_class(settings.optimizer, device)(groups)
        for group in self.optimizer.param_groups:
            group["peak"] = group["lr"]
        self.weights, self.offsets = (
            None if part is None else part.to(device)
            for part in class_weights(torch.from_numpy(sampler.class_counts()), settings.balance)
        )
        # `losses` and `loss`: how many steps since the last line of the log, and their sum
        # `best`: dev accuracy of the weights kept, at step `kept`; `trained`: the best since the first step
        self.state = {
            "step": 0,
            "best": -1.0,
            "kept": 0,
            "trained": -1.0,
            "stale": 0,
            "seconds": 0.0,
            "done": False,
            "losses": 0,
            "loss": 0.0,
        }

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at a step."""
        total, warm = self.settings.steps, max(1, round(self.settings.warmup * self.settings.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.05 + 0.475 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))

    def run(self) -> float:
        if self.group.first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.restore()
        settings = self.settings
        if not self.state["done"]:
            bar = tqdm(
                total=settings.steps,
                initial=self.state["step"],
                desc=self.name,
                unit="step",
                file=sys.stderr,
                disable=not (self.progress and self.group.first),
            )
            with ThreadPoolExecutor(1) as ahead, bar, whole_batches(self.network, self.group, self.rows):
                self.loop(ahead, bar)
            self.state["done"] = True
            self.save()
        if self.group.first:
            self.network.load_state_dict(load_file(self.folder / BEST))
        self.network.eval()
        return self.state["best"]

    def loop(self, ahead: ThreadPoolExecutor, bar) -> None:
        settings, state = self.settings, self.state
        begun = saved = time.monotonic()
        before, since = state["seconds"], state["step"]
        queue = self.draws(ahead, state["step"])
        window = Window(settings.batch * settings.accumulate)
        if self.knows and not state["step"]:
            self.look()
        while state["step"] < settings.steps:
            loss = self.step(next(queue))
            state["loss"] += loss
            state["losses"] += 1
            state["step"] += 1
            bar.update()
            now = time.monotonic()
            window.add(loss, now)
            if state["step"] % EVERY == 0 and self.group.first:
                self.tracker.log(
                    self.name,
                    state["step"],
                    window.taken()
                    | {
                        "learning_rate": max(group["lr"] for group in self.optimizer.param_groups),
                        "memory_mib": memory(self.device),
                    },
                )
            state["seconds"] = before + now - begun
            if state["step"] % settings.evaluate == 0 or state["step"] == settings.steps:
                speed = (state["step"] - since) * settings.batch * settings.accumulate / (now - begun)
                loss = state["loss"] / state["losses"]
                accuracy = self.look(loss, speed)
                bar.set_postfix(loss=f"{loss:.3f}", dev=f"{accuracy:.4f}")
                state.update(losses=0, loss=0.0)
                if state["stale"] >= settings.patience:
                    break
            if now - saved > settings.checkpoint_seconds:
                self.save()
                saved = time.monotonic()

    def draws(self, ahead, step):
        """Lists of `accumulate` batches, each drawn while the one before it is used."""
        pool = max(self.settings.pool, self.settings.accumulate)
        pool -= pool % self.settings.accumulate
        draw = lambda turn: ahead.submit(self.sampler.batches, turn, self.settings.batch, pool)
        per_draw = pool // self.settings.accumulate
        turn, skip = divmod(step, per_draw)
        coming = draw(turn)
        while True:
            batches = coming.result()
            turn += 1
            coming = draw(turn)
            for start in range(skip * self.settings.accumulate, pool, self.settings.accumulate):
                yield batches[start : start + self.settings.accumulate]
            skip = 0

    def step(self, batches) -> float:
        self.network.train()
        rate, total = self.rate(self.state["step"]), 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.optimizer.zero_grad(set_to_none=True)
        for batch in batches:
            total += self.backward(batch, len(batches))
        if self.group.size > 1:
            add_gradients(self.network, self.group)
            total = self.group.add(torch.tensor(total, dtype=torch.float64)).item()
        if math.isnan(total):
            raise PfamnetError(
                f"{self.name}: the loss is not a number at step {self.state['step'] + 1}; "
                "try lower learning rates"
            )
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def backward(self, whole, count: int) -> float:
        """Add up the gradients of one of `count` batches, or of this process' rows of it."""
        batch, self.rows.first = part_of(whole, self.group.rank, self.group.size)
        self.rows.all = len(whole.tokens)
        tokens = torch.from_numpy(batch.tokens).to(self.device)
        lengths = torch.from_numpy(batch.lengths).to(self.device)
        with self.context:
            logits = self.network(tokens, lengths)
        loss = batch_loss(logits, batch, self.network.block, self.weights, self.offsets, whole)
        self.scaler.scale(loss / count).backward()
        return loss.item() / count

    def look(self, loss: float = math.nan, speed: float = 0.0) -> float:
        """Measure dev, keep the weights if they are the best so far, write a line of the log."""
        self.network.eval()
        state, step = self.state, self.state["step"]
        with torch.inference_mode(), self.context:
            accuracy = self.group.share(lambda: self.measure(self.network))
        # of equals the first, but rather one that was trained
        better = accuracy > state["best"] or step and not state["kept"] and accuracy == state["best"]
        if better:
            state.update(best=accuracy, kept=step)
        if step:
            gained = accuracy > state["trained"]
            state.update(trained=max(accuracy, state["trained"]), stale=0 if gained else state["stale"] + 1)
        if self.group.first:
            if better:
                save_tensors(self.network.state_dict(), self.folder / BEST)
            add_log(
                self.folder,
                (
                    self.name,
                    step,
                    step * self.settings.batch * self.settings.accumulate,
                    f"{state['seconds']:.0f}",
                    f"{loss:.4f}" if step else "",
                    f"{accuracy:.5f}",
                    f"{self.rate(step - 1):.4f}" if step else "",
                    f"{speed:.0f}" if step else "",
                ),
            )
            self.tracker.log(
                self.name, step, {"dev_accuracy": accuracy} | ({"loss_between_looks": loss} if step else {})
            )
        return accuracy

    def save(self) -> None:
        if self.group.first:
            meta = self.state | {
                "settings": vars(self.settings),
                "scaler": self.scaler.state_dict(),
                "log": log_lines(self.folder),
            }
            save_checkpoint(
                self.folder / CHECKPOINT, self.network, self.optimizer, random_states(self.device), meta
            )

    def restore(self) -> None:
        """Go on from the checkpoint of the first process, where there is one."""
        begun, random = self.group.share(
            lambda: (read_checkpoint(self.folder / CHECKPOINT), random_states(torch.device("cpu")))
        )
        if begun is None:
            set_random_states(random, self.device)
            if self.group.first:
                for stale in (LOG, BEST):
                    (self.folder / stale).unlink(missing_ok=True)
            return
        tensors, meta = begun
        if compared(meta.pop("settings")) != compared(json.loads(json.dumps(vars(self.settings)))):
            raise PfamnetError(
                f"{self.folder / CHECKPOINT}: was made with other settings; give the same options "
                "or start without --resume"
            )
        self.network.load_state_dict(part(tensors, "network."))
        load_optimizer(self.optimizer, tensors, meta.pop("scalars"))
        self.scaler.load_state_dict(meta.pop("scaler"))
        lines = meta.pop("log")
        if self.group.first:
            trim_log(self.folder, lines)
        self.state |= meta
        set_random_states(random | part(tensors, "random."), self.device)


class Window:
    """Means over the steps since they were last taken; `residues` are those of one step."""

    def __init__(self, residues: int):
        self.residues, self.losses, self.begun, self.now = residues, [], time.monotonic(), 0.0

    def add(self, loss: float, now: float) -> None:
        self.losses.append(loss)
        self.now = now

    def taken(self) -> dict[str, float]:
        values = {
            "loss": sum(self.losses) / len(self.losses),
            "residues_per_second": self.residues * len(self.losses) / max(self.now - self.begun, 1e-9),
        }
        self.losses, self.begun = [], self.now
        return values


def compared(settings: dict) -> dict:
    """The settings in which a resumed training must agree."""
    return {name: value for name, value in settings.items() if name != "checkpoint_seconds"}
