"""From train sets to a model directory, step by step.

`Build.make` lists the steps. Each leaves its result in a work directory beside the model, so that a
resumed build repeats no finished step, and a training continues from its last checkpoint. The training needs
neither pyhmmer, unless it begins with the network of a model, nor the input of the build, if the work
directory holds what is learnt from.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors

from ..errors import PfamnetError
from ..model.directory import DESCRIPTION
from ..network.devices import autocast, pick_device
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
from ..training.distributed import Group, own_device
from ..training.loop import Training
from ..training.lora import merge_adapters
from ..training.packed import PackedSampler
from ..training.sampler import Sampler, SamplerSettings
from ..training.settings import TrainSettings, optimizer_class
from ..training.tracking import STATE as TRACKED
from ..training.tracking import Tracker, check_tracker, open_tracker
from .fine_tune import (
    base_encoder,
    emitted,
    esm_network,
    esm_sampler,
    esm_settings,
    light_settings,
    new_light,
)
from .material import MATERIAL, Material, load_material, save_material
from .options import BuildOptions
from .work import Threads, Work, check_files, writing

if TYPE_CHECKING:
    from .warm_start import Stored

VECTORS = "esm/vectors.npy"  # of the frozen layers, in the work directory


class Build:
    """One build; of several processes the first reads, builds and writes, the others only train with it.

    Arguments:
        out: the model directory; it must not exist.
        options: all that the model depends on.
        cpus: threads.
        device: as of `pick_device`.
        resume: continue an interrupted build of the same options and input.
        progress: show progress bars on stderr.
        track: what follows the training: none, tensorboard or wandb.
        group: the processes of this training.
        until: stop when the `data` are prepared, or after the `training`, for which a work directory that was
            made with `data` is enough: the input is not read again.

    Raises:
        PfamnetError: if the build cannot begin.
    """

    def __init__(
        self,
        out: str | Path,
        options: BuildOptions,
        cpus: int = 1,
        device: str = "auto",
        resume: bool = False,
        progress: bool = False,
        track: str = "none",
        group: Group | None = None,
        until: str | None = None,
    ):
        self.until = until
        self.out, self.options, self.progress, self.track = Path(out), options, progress, track
        self.tracked = Path(f"{self.out}.track")
        self.work = Work(Path(f"{self.out}.work"), options, resume)
        self.threads, self.group, self.tracker = Threads(cpus, progress), group or Group(), Tracker()
        self.device = pick_device(own_device(device, self.group))
        trains = until != "data" and not self.trained()  # what another machine trains need not fit this one
        self.context = autocast(self.device, options.precision if trains else "auto")[0]
        if trains:
            optimizer_class(options.optimizer, self.device)
        if options.cache and self.group.size > 1:
            raise PfamnetError("outputs of frozen layers can be kept for one process only")
        check_tracker(track)
        self.group.share(self.check)

    def check(self) -> None:
        if os.path.lexists(self.out):  # a link that leads nowhere too
            if (self.out / DESCRIPTION).exists():
                raise PfamnetError(f"{self.out}: exists already; delete it or choose another name")
            raise PfamnetError(
                f"{self.out}: exists already and is no model; the first argument is the model to write"
            )
        if self.track != "none" and os.path.lexists(self.tracked) and not self.work.resume:
            raise PfamnetError(f"{self.tracked}: exists already; delete it or choose another name")
        check_files(self.options)
        self.work.check()

    def trained(self) -> bool:
        """Whether the work directory has all trainings, done."""
        wanted = {"esm": self.options.base, "light": self.options.light_residues}
        return all(finished(self.work / name) for name, asked in wanted.items() if asked)

    def run(self) -> None:
        """Build the model and remove the work directory, or stop at `until` and keep it."""
        with writing(self.work.folder):
            self.make()

    def make(self) -> None:
        torch.set_num_threads(max(1, self.threads.cpus // self.group.local_size))
        self.material = self.group.share(self.prepare)
        if self.until != "data":
            with closing(self.open_tracker()) as self.tracker:
                self.make_networks()
        if self.group.first and self.until is None:
            self.work.remove()
        elif self.until:
            when = "before" if self.until == "data" else "after"
            self.say(f"{self.work.folder}: stopped {when} the training; resume the build to continue")

    def make_networks(self) -> None:
        """Train both networks, and write the model unless only the training is wanted."""
        train = self.material.train
        esm = self.fine_tune() if self.options.base else None
        if esm is not None:
            train.soft = self.group.share(lambda: self.teach(esm, train))
        light = self.train_light()
        self.group.close()
        if self.group.first and self.until is None:
            self.write(light, esm)

    def say(self, text: str) -> None:
        if self.group.first and text:
            print(text, file=sys.stderr)

    def open_tracker(self) -> Tracker:
        """What follows the trainings of this process."""
        kind, config = self.track if self.group.first else "none", asdict(self.options)
        return open_tracker(kind, self.tracked, self.work / TRACKED, self.out.name, config, self.say)

    def prepare(self) -> Material:
        """What the networks are trained on."""
        self.encoder = base_encoder(self.options)
        self.start = self.stored()
        kept = self.work / MATERIAL
        if self.until == "training" and kept.exists():  # the input may be on another machine
            return load_material(kept)
        from .preparation import Preparation  # needs pyhmmer

        self.prepared = Preparation(self.options, self.work, self.threads, self.device, self.say)
        if self.until == "data":
            return self.work.step(MATERIAL, self.prepared.material, load_material, save_material)
        return self.prepared.material()

    def stored(self) -> Stored | None:
        """The light network to begin with, if it is that of a model."""
        if not self.options.light_from:
            return None
        from .warm_start import Stored  # needs pyhmmer

        return Stored(self.options.light_from)

    # -- networks

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

    def write(self, light: LightNetwork, esm: EsmNetwork | None) -> None:
        """Write the model directory."""
        from .provenance import provenance  # need pyhmmer
        from .write_model import ModelOutput

        made, cpus = self.prepared, self.threads.cpus
        history = provenance(
            self.options, made.plan, made.gathering, made.trainset.warnings, made.digests, self.device, cpus
        )
        output = ModelOutput(self.out, self.work, self.options, self.device, self.threads, self.say)
        output.write(made.trainset, made.hmms, light, esm, history, self.tracker)
