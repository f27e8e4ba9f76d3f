"""Trainings of tiny networks by two processes: parallel_worker.py FOLDER.

test_distributed.py runs it; the environment says which of the processes it is.
"""

import sys
from itertools import chain
from pathlib import Path

import numpy as np
import synthetic
import torch
from encoders import tiny_encoder

from pfamnet.network.esm import EsmNetwork, parameter_groups
from pfamnet.network.esm_packed import PackedEsm
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.training.callbacks import Checkpoints, LogFile, Validation
from pfamnet.training.checkpoints import save_tensors, tensors_of
from pfamnet.training.corpus import Corpus
from pfamnet.training.distributed import Group, join
from pfamnet.training.loop import Training
from pfamnet.training.lora import add_adapters
from pfamnet.training.packed import PackedSampler
from pfamnet.training.sampler import Sampler, SamplerSettings
from pfamnet.training.settings import TrainSettings
from pfamnet.trainset.trainset import Fold

FAMILIES, PROCESSES = 4, 2
# name -> (batch in residues, accumulate, pool); the network is `light` or, of all others, `esm`
CASES = {
    "light": (5 * 64, 2, 1),
    "resumed": (5 * 64, 2, 1),  # the network is `light`; one process does the first three steps
    "esm": (512, 1, 4),
    "inverse": (512, 2, 4),
    "adapters": (512, 1, 4),  # LoRA: most of the encoder has no gradient
    "frozen": (512, 1, 4),  # its lowest layer has none
}


class Stopped(Exception):
    """A training that ends in the middle."""


class Stopper:
    """Ends a training after a step, before `Checkpoints` sees the next."""

    def __init__(self, step):
        self.step = step

    def stepped(self, training, loss):
        if training.state.step > self.step:
            raise Stopped


class Last:
    """Keeps weights and moments of a training that is done."""

    def stepped(self, training, loss):
        if training.state.done:
            save_tensors(tensors_of(training), training.folder / "last.safetensors")


class OneForAll(Training):
    """One process that does the work of all: each step is on the batches of every rank."""

    def draws(self, ahead):
        streams = []
        for rank in range(PROCESSES):
            self.group = Group(rank, PROCESSES)
            stream = super().draws(ahead)
            streams.append(chain([next(stream)], stream))
        self.group = Group()
        while True:
            yield [batch for stream in streams for batch in next(stream)]


def corpus():
    rng = np.random.default_rng(0)
    sequences = [synthetic.domain(i % FAMILIES, rng) for i in range(24)]
    domains = np.array([(i, 0, len(s), i % FAMILIES) for i, s in enumerate(sequences)])
    return Corpus(Fold(sequences, [str(i) for i in range(24)], domains, np.zeros(24, bool)))


def network_of(name):
    """The network of a case; it has no dropout, whose masks differ between processes."""
    torch.manual_seed(5)
    if name in ("light", "resumed"):
        network = LightNetwork(LightConfig(FAMILIES, embedding=8, width=16, context=16))
        network.dropout.p = 0.0
        return network
    encoder = tiny_encoder(16, 2, 2, 32)
    if name == "adapters":
        add_adapters(encoder, 2)
    if name == "frozen":
        encoder.encoder.layer[0].requires_grad_(False)
    return EsmNetwork(encoder, FAMILIES, dropout=0.0)


def training(name, folder, group=None, stop=1000):
    """The training of a case by one process of a group, or by one for all."""
    batch, accumulate, pool = CASES[name]
    network = network_of(name) if group is None else group.share(lambda: network_of(name))
    settings = TrainSettings(
        6 * batch * accumulate,
        batch,
        accumulate,
        pool,
        evaluate=2,
        precision="fp32",
        balance="inverse" if name == "inverse" else "none",
    )
    esm = isinstance(network, EsmNetwork)
    drawn = corpus(), FAMILIES, network.block, SamplerSettings(crop=64), 7
    sampler, model = (PackedSampler(*drawn), PackedEsm(network)) if esm else (Sampler(*drawn), None)
    measure = lambda network: 1 / (1 + float(sum(weight.abs().sum() for weight in network.head.parameters())))
    groups = (
        parameter_groups(network, 1e-3, 3e-3)
        if esm
        else [{"params": list(network.parameters()), "lr": 3e-3, "weight_decay": 0.01}]
    )
    callbacks = [Validation(measure)]
    if group is None or group.first:
        callbacks = [Stopper(stop), LogFile(), *callbacks, Last(), Checkpoints(0)]
    common = name, network, groups, sampler, settings, folder / name, torch.device("cpu")
    if group is None:
        return OneForAll(*common, callbacks=callbacks, model=model)
    return Training(*common, group, callbacks, model)


if __name__ == "__main__":
    torch.set_num_threads(1)
    group = join()
    for name in CASES:
        training(name, Path(sys.argv[1]), group).run()
    group.close()
