"""Trainings of tiny networks, by one process or by one of several: parallel_worker.py FOLDER.

Run by tests/test_parallel.py; the environment says which of the processes it is.
"""

import sys
from pathlib import Path

import numpy as np
import synthetic
import torch
from encoders import tiny_encoder

from pfamnet.network.esm import EsmNetwork, parameter_groups
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.training.distributed import join
from pfamnet.training.loop import Training, TrainSettings
from pfamnet.training.lora import add_adapters
from pfamnet.training.sampler import Corpus, Sampler, SamplerSettings
from pfamnet.trainset.trainset import Fold

FAMILIES = 4
# name -> (network, batch in residues, accumulate, pool, resumed at this step)
CASES = {
    "light": ("light", 5 * 64, 2, 1, None),  # five rows for three processes
    "resumed": ("light", 5 * 64, 2, 1, 3),
    "few": ("light", 2 * 64, 1, 1, None),  # one process has no row at all
    "esm": ("esm", 512, 1, 4, None),
    "inverse": ("esm", 512, 2, 4, None),
    "adapters": ("esm", 512, 1, 4, None),  # LoRA: most of the encoder has no gradient
    "frozen": ("esm", 512, 1, 4, None),  # its lowest layer has none
}


class Stopped(Exception):
    """A training that ends in the middle."""


def corpus():
    rng = np.random.default_rng(0)
    sequences = [synthetic.domain(i % FAMILIES, rng) for i in range(24)]
    domains = np.array([(i, 0, len(s), i % FAMILIES) for i, s in enumerate(sequences)])
    return Corpus(Fold(sequences, [str(i) for i in range(24)], domains, np.zeros(24, bool)))


def training(name, folder, group):
    kind, batch, accumulate, pool, _ = CASES[name]
    torch.manual_seed(5)

    def make():
        if kind == "light":
            return LightNetwork(LightConfig(FAMILIES, embedding=8, width=16, context=16))
        encoder = tiny_encoder(16, 2, 2, 32)
        if name == "adapters":
            add_adapters(encoder, 2)
        if name == "frozen":
            encoder.encoder.layer[0].requires_grad_(False)
        return EsmNetwork(encoder, FAMILIES)

    network = group.share(make)
    settings = TrainSettings(
        6 * batch * accumulate,
        batch,
        accumulate,
        pool,
        lr=3e-3,
        evaluate=2,
        precision="fp32",
        balance="inverse" if name == "inverse" else "none",
        checkpoint_seconds=0,
    )
    sampler = Sampler(corpus(), FAMILIES, network.block, SamplerSettings(crop=64), 7)
    measure = lambda network: (
        1
        / (
            1
            + float(
                network.head.weight.abs().sum() if kind == "light" else network.head[-1].weight.abs().sum()
            )
        )
    )
    groups = (
        parameter_groups(network, 1e-3, 3e-3)
        if kind == "esm"
        else [{"params": list(network.parameters()), "lr": 3e-3, "weight_decay": 0.01}]
    )
    return Training(
        name,
        network,
        groups,
        sampler,
        measure if group.first else None,
        settings,
        folder / name,
        torch.device("cpu"),
        group=group,
    )


def stop_at(made, last):
    step = made.step

    def stopping(batches):
        if made.state["step"] == last:
            raise Stopped
        return step(batches)

    made.step = stopping
    try:
        made.run()
    except Stopped:
        pass


def train_all(folder, group):
    for name in CASES:
        made = training(name, folder, group)
        made.run()
        assert not any("forward" in vars(module) for module in made.network.modules())


if __name__ == "__main__":
    torch.set_num_threads(1)
    group = join()
    train_all(Path(sys.argv[1]), group)
    group.close()
