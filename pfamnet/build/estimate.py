"""About how long a build takes, from a trial of a few seconds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from ..network.light import LightNetwork
from ..training.corpus import Corpus
from ..training.loop import Training
from ..training.sampler import Sampler, SamplerSettings
from ..training.settings import TrainSettings
from ..trainset.trainset import Fold

STEPS = 2  # that are timed, after a first one


def duration(seconds: float) -> str:
    """An estimate in words."""
    if seconds < 90:
        return "about a minute" if seconds > 30 else "less than a minute"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"


def training_seconds(
    network: LightNetwork, settings: TrainSettings, folder: Path, device: torch.device
) -> float:
    """About how long a network is trained. The network is changed; nothing is written to `folder`."""
    families, block = network.config.families, network.block
    letters = np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), (64, 200))
    domains = np.array([(n, 50, 150, n % families) for n in range(len(letters))], np.int32)
    corpus = Corpus(Fold(["".join(row) for row in letters], [""] * 64, domains, np.ones(64, bool)))
    sampler = Sampler(corpus, families, block, SamplerSettings(), device=device)
    groups = [{"params": list(network.to(device).parameters()), "lr": settings.lr}]
    training = Training("trial", network, groups, sampler, settings, folder, device)
    times = []
    for step in range(1 + STEPS):
        begun = time.monotonic()
        float(training.step(sampler.batches(step, settings.step_residues)))
        times.append(time.monotonic() - begun)
    return settings.steps * min(times)
