"""The trainings of a build, each from its last checkpoint: ESM-2's, if wanted, then the light network's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors
from torch import nn

from ..network.esm import EsmNetwork, parameter_groups
from ..network.esm_packed import PackedEsm
from ..network.light import LightNetwork
from ..training.cache import CachedSampler, load_vectors, save_vectors
from ..training.callbacks import Bar, Checkpoints, LogFile, Validation
from ..training.checkpoints import BEST, CHECKPOINT, ended, finished, save_tensors
from ..training.compilation import Compilation
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from ..training.discriminant import finish_head, start_head
from ..training.distillation import soft_labels
from ..training.distributed import Group
from ..training.loop import Training
from ..training.lora import merge_adapters
from ..training.packed import PackedSampler
from ..training.sampler import Sampler, SamplerSettings
from ..training.settings import TrainSettings
from ..training.tracking import Tracker
from .fine_tune import emitted, esm_network, esm_sampler, esm_settings, light_settings, new_light
from .material import Material
from .options import BuildOptions
from .work import Work

if TYPE_CHECKING:
    from .warm_start import Stored

VECTORS = "esm/vectors.npy"  # of the frozen layers, in the work directory


@dataclass
class Trainings:
    """What the trainings of a build have in common.

    material  what is learnt from
    encoder   ESM-2 to begin with, or None
    start     the light network to begin with, or None
    work      where checkpoints are, and steps that are not repeated
    context   autocast, for what is not trained
    group     the processes of the training
    tracker   what follows it in the first process
    progress  show bars
    say       takes lines for the user
    """

    options: BuildOptions
    material: Material
    encoder: nn.Module | None
    start: Stored | None
    work: Work
    device: torch.device
    context: AbstractContextManager
    group: Group
    tracker: Tracker
    progress: bool
    say: Callable[[str], None]

    def run(self) -> tuple[LightNetwork, EsmNetwork | None]:
        """Train both networks; None is of one that is not wanted."""
        train = self.material.train
        esm = self.fine_tune() if self.options.base else None
        if esm is not None:
            train.soft = self.group.share(lambda: self.teach(esm, train))
        return self.train_light(), esm

    def fine_tune(self) -> EsmNetwork:
        """ESM-2, fine-tuned; its head joined with a discriminant of its vectors."""
        options, (train, _, keys, emission) = self.options, self.material
        torch.manual_seed(options.seed)
        network = self.group.share(lambda: self.esm_network(train, len(keys))).to(self.device)
        sampler = esm_sampler(train, len(keys), network.block, options, emission)
        groups = parameter_groups(network, options.lr, options.head_lr)
        model = PackedEsm(network, options.freeze if options.cache else 0)
        settings = esm_settings(options)
        if options.cache:
            sampler = self.cached(sampler, model, settings)
        self.train("esm", network, groups, sampler, settings, model)
        if options.lora:
            merge_adapters(network.encoder)
        network.head[-1].load_state_dict(self.group.share(lambda: self.finished_head(network, train)))
        return network

    def esm_network(self, train: Corpus, families: int) -> EsmNetwork:
        """The network to begin with; its head is a discriminant of the encoder's vectors."""
        network = esm_network(self.encoder, families, self.options).to(self.device)
        if not (self.work / "esm" / CHECKPOINT).exists():
            start_head(network, train, self.context, self.progress, self.options.esm_residues)
        return network.cpu()

    def cached(self, sampler: PackedSampler, model: PackedEsm, settings: TrainSettings) -> CachedSampler:
        """A sampler that repeats some batches, and reads what the frozen layers give of them."""
        residues = min(self.options.cache, settings.residues)
        common = self.context, self.progress
        save = lambda model, path: save_vectors(model, sampler, settings, residues, path, *common)
        return CachedSampler(sampler, self.work.step(VECTORS, lambda: model, load_vectors, save))

    def finished_head(self, network: EsmNetwork, train: Corpus) -> dict[str, torch.Tensor]:
        """The weights of the head's last layer, joined with a discriminant."""
        measure, residues = Measure(self.material.dev, network.block), self.options.esm_residues

        def make() -> dict[str, torch.Tensor]:
            self.say(finish_head(network, train, measure, self.context, self.progress, residues))
            return network.head[-1].state_dict()

        return self.work.step("esm/head.safetensors", make, load_tensors, save_tensors)

    def teach(self, network: EsmNetwork, train: Corpus) -> tuple[np.ndarray, np.ndarray] | None:
        """What the fine-tuned network predicts for the train domains: classes and probabilities.

        None if the light network has learnt it already.
        """
        if finished(self.work / "light"):
            return None
        residues = self.options.esm_residues
        make = lambda: soft_labels(network, train, self.context, self.progress, residues)
        save = lambda soft, path: save_file(dict(zip(("classes", "chances"), soft)), path)
        soft = self.work.step("soft.safetensors", make, load_file, save)
        return soft["classes"], soft["chances"]

    def light_network(self) -> LightNetwork:
        """The light network to begin with."""
        keys = self.material.keys
        return self.start.network(keys) if self.start else new_light(len(keys))

    def train_light(self) -> LightNetwork:
        options, (train, _, keys, emission) = self.options, self.material
        torch.manual_seed(options.seed)  # the same whether or not the fine-tuning was resumed
        network = self.group.share(self.light_network)
        if not options.light_residues:
            return network.eval()
        network.to(self.device)
        drawn = SamplerSettings(power=options.power, emitted=emitted(options))
        sampler = Sampler(train, len(keys), network.block, drawn, options.seed, emission, self.device)
        settings = light_settings(options)
        group = {"params": list(network.parameters())}
        group |= {"lr": settings.lr, "weight_decay": settings.weight_decay}
        self.train("light", network, [group], sampler, settings)
        return network

    def measure(self, name: str, block: int) -> Measure:
        """What measures a network on the validation set."""
        limit = 2000 if name == "light" or self.device.type != "cpu" else 600
        return Measure(self.material.dev, block, limit)

    def train(self, name, network, groups, sampler, settings, model=None) -> None:
        folder = self.work / name
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        state = self.group.share(lambda: ended(folder, settings))
        if state is None:
            common = name, network, groups, sampler, settings, folder, self.device
            state = Training(*common, self.group, self.callbacks(name, network.block), model).run()
        elif self.group.first:
            network.eval().load_state_dict(load_tensors(folder / BEST))
        step, accuracy = state.best
        kept = "" if step else "; the network as it began was best"
        done = f"{state.step} steps, {state.seconds / 60:.1f} minutes"
        if self.device.type == "cuda":
            done += f", at most {torch.cuda.max_memory_allocated(self.device) / 2**20:,.0f} MiB of the GPU"
        self.say(f"{name}: validation accuracy {accuracy:.4f} after {done}{kept}")

    def callbacks(self, name: str, block: int) -> list:
        """What happens beside a training's steps."""
        measure = self.measure(name, block) if self.group.first else None
        found: list = [Validation(measure, at_start=name == "esm")]
        if self.group.first:
            bars = [Bar()] if self.progress else []
            found = [LogFile(), self.tracker, *bars, *found, Checkpoints()]
        if self.device.type == "cuda" and self.group.size == 1:
            found.insert(0, Compilation(self.say))
        return found
