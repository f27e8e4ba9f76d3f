"""The training loop, the same for both networks.

A training is a number of steps of about `batch` residues each; a step may be
several batches (gradient accumulation).  Learning rates warm up linearly and
decay along a cosine to a twentieth.  Every `evaluate` steps the dev fold is
measured; the best weights are kept, and after `patience` measurements without
a gain the training stops.  Weights, optimizer and progress are written as
safetensors and JSON every few minutes; batches depend on the seed and the step
alone, so a training that was killed goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from tqdm import tqdm

from .devices import autocast
from .errors import PfamnetError

LOG_COLUMNS = ("network", "step", "residues", "seconds", "loss", "dev_accuracy", "lr",
               "residues_per_second")


@dataclass(frozen=True)
class TrainSettings:
    """One training. Rates are per step; `residues` counts what the network sees."""

    residues: int
    batch: int = 16384
    accumulate: int = 1
    pool: int = 1             # batches drawn together and sorted by length
    lr: float = 3e-3
    head_lr: float = 3e-3
    layer_decay: float = 1.0
    weight_decay: float = 0.01
    warmup: float = 0.05      # share of the steps
    evaluate: int = 500       # steps between two looks at dev
    patience: int = 8
    precision: str = "auto"   # auto | fp32 | bf16 | fp16
    optimizer: str = "adamw"  # adamw | adamw8bit
    balance: str = "none"     # none | inverse | logit
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


def class_weights(counts: torch.Tensor, balance: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """(weights of the classes, offsets of the logits) for unbalanced families.

    `counts` (F + 1,): how often each class is drawn, class 0 first.
    `inverse`: weights 1 / frequency, mean 1 over the families.  `logit`: the
    logarithm of the frequency is added to the logits while training (Menon et
    al. 2021, "Long-tail learning via logit adjustment"). Class 0 stays as it is.
    """
    if balance == "none":
        return None, None
    share = counts[1:].float().clamp(min=1) / counts[1:].sum()
    if balance == "inverse":
        weights = (1 / share) / (1 / share).mean()
        return torch.cat([weights.new_ones(1), weights]), None
    offsets = torch.log(share * len(share))
    return None, torch.cat([offsets.new_zeros(1), offsets])


def batch_loss(logits, batch, block: int, weights=None, offsets=None):
    """Cross-entropy of the blocks, plus that of the examples that are one domain alone."""
    logits, device = logits.float(), logits.device
    if offsets is not None:
        logits = logits + offsets
    rows, blocks, classes = torch.from_numpy(batch.blocks).to(device).T
    share = torch.from_numpy(batch.weights).to(device)
    if weights is not None:
        share = share * weights[classes]
    chances = F.log_softmax(logits, -1)
    loss = -(chances[rows, blocks, classes] * share).sum() / share.sum().clamp(min=1e-6)
    if len(batch.pooled):
        rows, labels = torch.from_numpy(batch.pooled).to(device).T
        pooled = pool_logits(logits[rows], torch.from_numpy(batch.lengths).to(device)[rows], block)
        # a mean over all examples, so that few such examples do not outweigh the blocks
        loss = loss + F.cross_entropy(pooled, labels, weights, reduction="sum") / len(logits)
    return loss


def pool_logits(logits, lengths, block: int):
    """Mean of block logits (B, n, F + 1) over the blocks that hold residues -> (B, F + 1)."""
    places = torch.arange(logits.shape[1], device=logits.device)
    held = (places[None, :] * block < lengths[:, None]).to(logits.dtype)
    return (logits * held[..., None]).sum(1) / held.sum(1, keepdim=True).clamp(min=1)


class Training:
    """One network's way through its training; `run` returns the best dev accuracy."""

    def __init__(self, name, network, groups, sampler, measure, settings: TrainSettings,
                 folder: Path, device: torch.device, progress: bool = False):
        self.name, self.network, self.sampler, self.measure = name, network, sampler, measure
        self.settings, self.folder, self.device, self.progress = settings, Path(folder), device, progress
        self.context, scaled = autocast(device, settings.precision)
        self.scaler = torch.amp.GradScaler("cuda", enabled=scaled)
        self.optimizer = optimizer_class(settings.optimizer, device)(groups)
        for group in self.optimizer.param_groups:
            group["peak"] = group["lr"]
        self.weights, self.offsets = (
            None if part is None else part.to(device)
            for part in class_weights(torch.from_numpy(sampler.class_counts()), settings.balance))
        # `losses` and `loss`: how many steps since the last line of the log, and their sum
        self.state = {"step": 0, "best": -1.0, "stale": 0, "seconds": 0.0, "done": False,
                      "losses": 0, "loss": 0.0}

    def rate(self, step: int) -> float:
        """Share of the peak learning rate at a step."""
        total, warm = self.settings.steps, max(1, round(self.settings.warmup * self.settings.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.05 + 0.475 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))

    def run(self) -> float:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.restore()
        settings = self.settings
        if not self.state["done"]:
            bar = tqdm(total=settings.steps, initial=self.state["step"], desc=self.name,
                       unit="step", file=sys.stderr, disable=not self.progress)
            with ThreadPoolExecutor(1) as ahead, bar:
                self.loop(ahead, bar)
            self.state["done"] = True
            self.save()
        self.network.load_state_dict(load_file(self.folder / "best.safetensors"))
        self.network.eval()
        return self.state["best"]

    def loop(self, ahead: ThreadPoolExecutor, bar) -> None:
        settings, state = self.settings, self.state
        begun = saved = time.monotonic()
        before, since = state["seconds"], state["step"]
        queue = self.draws(ahead, state["step"])
        while state["step"] < settings.steps:
            state["loss"] += self.step(next(queue))
            state["losses"] += 1
            state["step"] += 1
            bar.update()
            now = time.monotonic()
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
                yield batches[start:start + self.settings.accumulate]
            skip = 0

    def step(self, batches) -> float:
        self.network.train()
        rate, total = self.rate(self.state["step"]), 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.optimizer.zero_grad(set_to_none=True)
        for batch in batches:
            tokens = torch.from_numpy(batch.tokens).to(self.device)
            lengths = torch.from_numpy(batch.lengths).to(self.device)
            with self.context:
                logits = self.network(tokens, lengths)
            loss = batch_loss(logits, batch, self.network.block, self.weights, self.offsets)
            self.scaler.scale(loss / len(batches)).backward()
            total += loss.item() / len(batches)
        if math.isnan(total):
            raise PfamnetError(f"{self.name}: the loss is not a number at step {self.state['step'] + 1}; "
                               "try lower learning rates")
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def look(self, loss: float, speed: float) -> float:
        """Measure dev, keep the weights if they are the best so far, write a line of the log."""
        self.network.eval()
        with torch.inference_mode(), self.context:
            accuracy = self.measure(self.network)
        if accuracy > self.state["best"]:
            self.state.update(best=accuracy, stale=0)
            save_tensors(self.network.state_dict(), self.folder / "best.safetensors")
        else:
            self.state["stale"] += 1
        log = self.folder / "log.tsv"
        new = not log.exists()
        step = self.state["step"]
        with open(log, "a") as out:
            if new:
                print(*LOG_COLUMNS, sep="\t", file=out)
            print(self.name, step, step * self.settings.batch * self.settings.accumulate,
                  f"{self.state['seconds']:.0f}", f"{loss:.4f}", f"{accuracy:.5f}",
                  f"{self.rate(step - 1):.4f}", f"{speed:.0f}", sep="\t", file=out)
        return accuracy

    # -- checkpoints: one safetensors file and one JSON file, renamed when whole

    def save(self) -> None:
        tensors, scalars = dict(self.network.state_dict()), {}
        tensors = {f"network.{name}": tensor for name, tensor in tensors.items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            for key, value in values.items():
                if torch.is_tensor(value):
                    tensors[f"optimizer.{index}.{key}"] = value
                else:
                    scalars[f"{index}.{key}"] = value
        meta = self.state | {"scalars": scalars, "settings": vars(self.settings),
                             "scaler": self.scaler.state_dict(),
                             "log": self.log_lines()}
        tensors |= {f"random.{name}": state for name, state in self.random_states().items()}
        save_tensors(tensors, self.folder / "checkpoint.safetensors",
                     {"state": json.dumps(meta)})

    def random_states(self) -> dict[str, torch.Tensor]:
        """What dropout draws from: a resumed training draws what it would have drawn."""
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def log_lines(self) -> int:
        log = self.folder / "log.tsv"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def restore(self) -> None:
        path = self.folder / "checkpoint.safetensors"
        if not path.exists():
            for stale in ("log.tsv", "best.safetensors"):
                (self.folder / stale).unlink(missing_ok=True)
            return
        with safe_open(path, "pt") as file:
            meta = json.loads(file.metadata()["state"])
        if compared(meta.pop("settings")) != compared(json.loads(json.dumps(vars(self.settings)))):
            raise PfamnetError(f"{path}: was made with other settings; give the same options "
                               "or start without --resume")
        tensors = load_file(path)
        part = lambda prefix: {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
                               if name.startswith(prefix)}
        self.network.load_state_dict(part("network."))
        states: dict[int, dict] = {}
        for name, value in (part("optimizer.") | meta.pop("scalars")).items():
            index, key = name.split(".", 1)
            states.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": states})
        self.scaler.load_state_dict(meta.pop("scaler"))
        self.trim_log(meta.pop("log"))
        self.state |= meta
        random = part("random.")
        if "cpu" in random:
            torch.set_rng_state(random["cpu"])
        if "cuda" in random and self.device.type == "cuda":
            torch.cuda.set_rng_state(random["cuda"], self.device)

    def trim_log(self, lines: int) -> None:
        """Drop the lines written after the checkpoint: those steps are run again."""
        log = self.folder / "log.tsv"
        if log.exists():
            log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:lines]))
        if not lines:
            log.unlink(missing_ok=True)  # or its header would not be written


def compared(settings: dict) -> dict:
    """The settings in which a resumed training must agree."""
    return {name: value for name, value in settings.items() if name != "checkpoint_seconds"}


def save_tensors(tensors: dict, path: Path, metadata: dict | None = None) -> None:
    """Write a safetensors file under a temporary name and rename it when whole."""
    temporary = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    os.replace(temporary, path)


def write_training_log(work: Path, path: Path) -> None:
    """The logs of all networks under a work directory as one table."""
    logs = [log.read_text().splitlines() for log in sorted(Path(work).glob("*/log.tsv"))]
    rows = [row for log in logs for row in log[1:]]
    Path(path).write_text("\n".join(["\t".join(LOG_COLUMNS), *rows]) + "\n")
