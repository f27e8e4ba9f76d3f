"""The training loop, the same for both networks.

Everything random depends on the seed, the step and the rank of the process alone, so a killed training that
continues from its last checkpoint gives the same network. Callbacks (callbacks.py, tracking.py) do the rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ..errors import PfamnetError
from ..network.devices import autocast
from .checkpoints import BEST, restore_checkpoint
from .distributed import Group
from .loss import class_weights
from .sampler import Batch
from .settings import State, TrainSettings, optimizer_class

LOOK = 50  # steps between two looks at the loss, on a GPU


class Training:
    """The training of one network.

    Arguments:
        name: of the network, in the log.
        groups: parameters for the optimizer, with their learning rates.
        sampler: a `Sampler`, or what has its `seed`, `batches` and `class_shares`.
        folder: where checkpoints, best weights and the log are kept.
        model: gives the logits of a batch; by default the network.
        callbacks: have some of the methods `started(training)`, `stepped(training, loss)`, `ended(training)`
            and `validated(training, accuracy, loss)`, with the mean loss since the last time (NaN at first).
    """

    def __init__(
        self,
        name: str,
        network: torch.nn.Module,
        groups: list[dict],
        sampler,
        settings: TrainSettings,
        folder: Path,
        device: torch.device,
        group: Group = Group(),  # noqa: B008 (it cannot change)
        callbacks: Sequence = (),
        model: torch.nn.Module | None = None,
    ):
        self.name, self.network, self.sampler, self.settings = name, network, sampler, settings
        self.folder, self.device, self.group, self.callbacks = Path(folder), device, group, callbacks
        self.context, scaled = autocast(device, settings.precision)
        self.scaler = torch.amp.GradScaler("cuda", enabled=scaled)
        self.optimizer = optimizer_class(settings.optimizer, device)(groups)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        shares = torch.from_numpy(sampler.class_shares()).to(device)
        self.balance = class_weights(shares, settings.balance)
        self.model = group.wrapped(model or network)
        self.state = State()

    def run(self) -> State:
        """Train to the end; the network then has its best weights in the first process."""
        if self.group.first:
            self.folder.mkdir(parents=True, exist_ok=True)
        restore_checkpoint(self)
        if not self.state.done:
            ahead = ThreadPoolExecutor(1)
            try:
                with self.group.in_touch():
                    self.tell("started")
                    try:
                        self.loop(self.draws(ahead))
                    finally:
                        self.tell("ended")
            finally:  # a training that is stopped does not wait for batches
                ahead.shutdown(wait=False, cancel_futures=True)
        if self.group.first:
            self.network.load_state_dict(load_file(self.folder / BEST))
        self.network.eval()
        return self.state

    def loop(self, draws: Iterator[list[Batch]]) -> None:
        state, begun = self.state, time.monotonic() - self.state.seconds
        while not state.done:
            loss = self.step(next(draws))
            state.step += 1
            state.loss = state.loss + loss  # a tensor: reading it each time would make a GPU wait
            if (self.device.type == "cpu" or state.step % LOOK == 0) and math.isnan(state.loss):
                where = f"{self.name}: the loss is not a number at step {state.step}"
                raise PfamnetError(f"{where}; try lower learning rates")
            state.seconds = time.monotonic() - begun
            state.done = state.step >= self.settings.steps
            self.tell("stepped", loss)

    def tell(self, event: str, *values) -> None:
        for callback in self.callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(self, *values)

    def draws(self, ahead: ThreadPoolExecutor) -> Iterator[list[Batch]]:
        """The batches of each step, from `state.step` on; the next are drawn while these are used."""
        size, count, group = self.settings.accumulate, self.settings.drawn, self.group
        residues = self.settings.batch // group.size
        draw = lambda turn: ahead.submit(self.sampler.batches, turn, residues, count, group.rank)
        turn, skipped = divmod(self.state.step, count // size)
        coming = draw(turn)
        while True:
            batches, turn = coming.result(), turn + 1
            coming = draw(turn)
            for first in range(skipped * size, len(batches), size):
                yield batches[first : first + size]
            skipped = 0

    def rate(self, step: int) -> float:
        """The fraction of the peak learning rate: a linear warm-up, then a cosine down to a twentieth."""
        total, warm = self.settings.steps, max(1, round(self.settings.warmup * self.settings.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.05 + 0.475 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))

    def step(self, batches: list[Batch]) -> torch.Tensor:
        """Train on the batches of one step; returns their loss."""
        seed = np.random.SeedSequence([self.sampler.seed, self.state.step, self.group.rank])
        torch.manual_seed(int(seed.generate_state(1)[0]))  # dropout
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = peak * self.rate(self.state.step)
        self.optimizer.zero_grad(set_to_none=True)
        self.model.train()
        loss = self.group.mean(sum(self.backward(batch, batches) for batch in batches))
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def backward(self, batch: Batch, batches: list[Batch]) -> torch.Tensor:
        """Add the gradients of one batch of a step; processes exchange them after the last."""
        last = batch is batches[-1]
        batch = batch.to(self.device)
        with nullcontext() if self.group.size == 1 or last else self.model.no_sync():
            with self.context:
                logits = self.model(*batch.inputs)
            loss = batch.loss(logits, self.network.block, *self.balance) / len(batches)
            self.scaler.scale(loss).backward()
        return loss.detach()
