"""Trainings of the smallest network, on made-up batches; and what a build has trained so far."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from pfamnet.training.callbacks import Checkpoints, LogFile, Validation
from pfamnet.training.loop import Training
from pfamnet.training.sampler import Batch
from pfamnet.training.settings import TrainSettings

CPU = torch.device("cpu")
BLOCK = 4


class Network(nn.Module):
    """The smallest network of the contract; `dropout` makes it depend on torch's generator."""

    def __init__(self, families=2, dropout=0.0, size=8):
        super().__init__()
        torch.manual_seed(3)
        self.block = BLOCK
        self.embed = nn.Embedding(33, size)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(size, families + 1)

    def forward(self, tokens, lengths):
        tokens = F.pad(tokens, (0, -tokens.shape[1] % BLOCK), value=1)
        return self.head(self.dropout(self.embed(tokens).unflatten(1, (-1, BLOCK)).mean(2)))


class Batches:
    """Stands in for a Sampler: families told by their residues, drawn by step alone."""

    def __init__(self, families=2, rows=4):
        self.families, self.rows, self.asked, self.seed = families, rows, [], 9

    def class_shares(self):
        return np.array([0] + [3**i for i in range(self.families)])

    def batch(self, rng):
        labels = rng.integers(0, self.families, self.rows)
        tokens = 4 + rng.integers(0, 3, (self.rows, 3 * BLOCK)) + 3 * labels[:, None]
        labels = torch.from_numpy(labels) + 1
        return Batch(
            torch.from_numpy(tokens),
            torch.full((self.rows,), 3 * BLOCK),
            labels[:, None],
            torch.ones(self.rows, 3, 1),
            torch.zeros(self.rows, 3),
            labels,
        )

    def batches(self, step, residues, count=1, rank=0):
        self.asked.append(step)
        rng = np.random.default_rng([self.seed, step, rank])
        return [self.batch(rng) for _ in range(count)]


def settings(steps, **changes):
    return TrainSettings(**{"residues": 48 * steps, "batch": 48, "precision": "fp32", "lr": 0.1} | changes)


def training(
    folder, steps=10, network=None, measure=None, sampler=None, knows=False, seconds=240.0, more=(), **changes
):
    network = network or Network()
    chosen = settings(steps, **changes)
    groups = [{"params": list(network.parameters()), "lr": chosen.lr, "weight_decay": 0.01}]
    callbacks = [*more, LogFile(), Validation(measure or Script(), knows), Checkpoints(seconds)]
    return Training("made", network, groups, sampler or Batches(), chosen, folder, CPU, callbacks=callbacks)


class Script:
    """A measure that gives these accuracies one after the other, then climbs on."""

    def __init__(self, *accuracies):
        self.accuracies, self.looked = list(accuracies), 0

    def __call__(self, network):
        self.looked += 1
        return self.accuracies.pop(0) if self.accuracies else self.looked / 1000


def rows(folder):
    return [line.split("\t") for line in (folder / "log.tsv").read_text().splitlines()[1:]]


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


class Killed(BaseException):
    pass


class Killer:
    """Ends a training without a word after a step; `Checkpoints` does not see that step."""

    def __init__(self, step):
        self.step = step

    def stepped(self, training, loss):
        if training.state.step > self.step:
            raise Killed


def killed_at(step, folder, **changes):
    """Train until `step` is done, with a checkpoint after each step, and die in the next."""
    made = training(folder, network=Network(dropout=0.3), seconds=0, more=[Killer(step)], **changes)
    with pytest.raises(Killed):
        made.run()


def accuracy(network):
    """A measure of the weights themselves, so that equal logs mean equal weights."""
    return 1 / (1 + float(network.head.weight.detach().abs().sum()))


COMMON = {"steps": 40, "evaluate": 8, "pool": 4, "measure": accuracy}


def step_of(work, network):
    """The step of the last checkpoint of an unfinished training; -1 if there is none to read now."""
    try:
        with safe_open(work / network / "checkpoint.safetensors", "pt") as file:
            state = json.loads(file.metadata()["meta"])["state"]
    except (OSError, RuntimeError):
        return -1
    assert not state["done"]
    return state["step"]
