"""From train sets to a model directory, step by step.

`Build.run` lists the steps. Each leaves its result in a work directory beside the model, so that a
resumed build repeats no finished step, and a training continues from its last checkpoint.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors

from ..errors import PfamnetError
from ..families import read_families
from ..network.devices import autocast, pick_device
from ..network.esm import EsmNetwork, parameter_groups
from ..network.light import LightConfig, LightNetwork
from ..training.callbacks import Bar, Checkpoints, LogFile, Validation
from ..training.checkpoints import CHECKPOINT, save_tensors
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from ..training.discriminant import finish_head, start_head
from ..training.distillation import soft_labels
from ..training.distributed import Group, own_device
from ..training.emission import Emission
from ..training.loop import Training
from ..training.lora import merge_adapters
from ..training.sampler import Sampler, SamplerSettings
from ..training.settings import optimizer_class
from ..training.tracking import STATE as TRACKED
from ..training.tracking import Tracker, check_tracker, open_tracker
from ..trainset.domains import DomainTable
from ..trainset.sampling import sample
from .estimate import duration, training_seconds
from .fine_tune import base_encoder, emitted, esm_network, esm_sampler, esm_settings, light_settings
from .gathering import set_gathering
from .hmms import build_profiles
from .inputs import describe, given_profiles, read_inputs, with_emitted
from .labels import Labelling
from .options import BuildOptions
from .provenance import input_digests, provenance
from .warm_start import Stored
from .work import Threads, Work, writing
from .write_model import ModelOutput


class Build:
    """One build; of several processes the first reads, builds and writes, the others only train with it.

    Arguments:
        out: the model directory; it must not exist.
        options: all that the model depends on.
        resume: continue an interrupted build of the same options and input.
        progress: show progress bars on stderr.
        track: what follows the training: none, tensorboard or wandb.

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
    ):
        self.out, self.options, self.progress, self.track = Path(out), options, progress, track
        self.tracked = Path(f"{self.out}.track")
        self.work = Work(Path(f"{self.out}.work"), options, resume)
        self.threads, self.group, self.tracker = Threads(cpus, progress), group or Group(), Tracker()
        self.device = pick_device(own_device(device, self.group))
        self.context = autocast(self.device, options.precision)[0]
        optimizer_class(options.optimizer, self.device)
        check_tracker(track)
        self.group.share(self.check)

    def check(self) -> None:
        if os.path.lexists(self.out):  # a link that leads nowhere too
            raise PfamnetError(f"{self.out}: exists already; delete it or choose another name")
        if self.track != "none" and os.path.lexists(self.tracked) and not self.work.resume:
            raise PfamnetError(f"{self.tracked}: exists already; delete it or choose another name")
        self.work.check()

    def run(self) -> None:
        """Build the model, and remove the work directory."""
        with writing(self.work.folder):
            self.make()

    def make(self) -> None:
        torch.set_num_threads(max(1, self.threads.cpus // self.group.local_size))
        train, families, emission = self.group.share(self.prepare)
        with closing(self.open_tracker()) as self.tracker:
            esm = self.fine_tune(train, families, emission) if self.options.base else None
            if esm is not None:
                train.soft = self.group.share(lambda: self.teach(esm, train))
            light = self.train_light(train, families, emission)
            self.group.close()
            if self.group.first:
                self.write(light, esm)
        if self.group.first:
            self.work.remove()

    def say(self, text: str) -> None:
        if self.group.first and text:
            print(text, file=sys.stderr)

    def open_tracker(self) -> Tracker:
        """What follows the trainings of this process."""
        kind, config = self.track if self.group.first else "none", asdict(self.options)
        return open_tracker(kind, self.tracked, self.work / TRACKED, self.out.name, config, self.say)

    # -- data and profiles

    def prepare(self) -> tuple[Corpus, int, Emission | None]:
        """What is learnt from: the corpus, the number of families, and the profiles that emit examples."""
        options, seed = self.options, self.options.seed
        self.encoder = base_encoder(options)
        self.start = Stored(options.light_from) if options.light_from else None
        labels = self.label() if options.proteins else None
        trainset, hmms, quotas, self.plan = read_inputs(options, labels)
        plan = self.plan.lines() if self.plan else []
        self.say("\n".join([f"warning: {text}" for text in trainset.warnings] + plan))
        if labels is None:
            self.begin()
        if options.emitted_only:
            self.say(f"{len(hmms)} profiles emit what is learnt from; {self.training_time(len(hmms))}")
        hmms = hmms or build_profiles(trainset, options.aligner, self.work, self.threads)
        self.gathering = set_gathering(trainset, hmms, seed, self.work, self.threads)
        trainset.families[:] = [describe(family, hmm) for family, hmm in zip(trainset.families, hmms)]
        if quotas is not None:  # profiles are built from all rows, the networks learn from these
            trainset = sample(trainset, quotas, seed)
        given, trainset = trainset, with_emitted(trainset, hmms, options.emit, seed)
        self.say("\n".join(f"warning: {text}" for text in trainset.warnings[len(given.warnings) :]))
        self.say(
            f"{len(trainset.families)} families, {len(trainset.train.sequences)} training sequences, "
            f"{len(trainset.dev.sequences)} in the validation set"
        )
        self.trainset, self.hmms = trainset, hmms
        return Corpus(trainset.train), len(trainset.families), Emission.of(hmms) if options.emit else None

    def begin(self) -> None:
        """Make the work directory, or check that it is of the same input."""
        self.digests = input_digests(self.options)
        self.work.begin(self.digests)

    def label(self) -> DomainTable:
        """The domains of the proteins without labels, found by the profiles."""
        options, hmms = self.options, list(given_profiles(self.options.hmm).values())
        labelling = Labelling(options.proteins, hmms, self.threads)
        if options.trainsets:  # errors come now, not after hours
            read_inputs(replace(options, proteins=None))
        elif options.families:
            read_families(options.families)
        self.begin()
        self.say(f"{labelling.plan(self.work)}; {self.training_time(len(hmms))}")
        return labelling.table(self.work, options.cut_domains)

    def training_time(self, families: int) -> str:
        """How the light network is trained, and about how long."""
        settings = light_settings(self.options)
        if not settings.residues:
            return "no training"
        network = self.new_network(min(families, self.options.max_families or families))
        seconds = training_seconds(network, settings, self.work.folder, self.device)
        return f"training on {settings.residues} residues: {duration(seconds)}"

    # -- networks

    def fine_tune(self, train: Corpus, families: int, emission: Emission | None) -> EsmNetwork:
        """ESM-2, fine-tuned; its head joined with a discriminant of its vectors."""
        options = self.options
        torch.manual_seed(options.seed)
        network = self.group.share(lambda: self.esm_network(train, families)).to(self.device)
        sampler = esm_sampler(train, families, network.block, options, emission, self.device)
        groups = parameter_groups(network, options.lr, options.head_lr)
        self.train("esm", network, groups, sampler, esm_settings(options))
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

    def finished_head(self, network: EsmNetwork, train: Corpus) -> dict[str, torch.Tensor]:
        """The weights of the head's last layer, joined with a discriminant."""
        measure, residues = self.measure("esm", network.block), self.options.esm_residues

        def make() -> dict[str, torch.Tensor]:
            self.say(finish_head(network, train, measure, self.context, self.progress, residues))
            return network.head[-1].state_dict()

        return self.work.step("esm/head.safetensors", make, load_tensors, save_tensors)

    def teach(self, network: EsmNetwork, train: Corpus) -> tuple[np.ndarray, np.ndarray]:
        """What the fine-tuned network predicts for the train domains: classes and probabilities."""
        residues = self.options.esm_residues
        make = lambda: soft_labels(network, train, self.context, self.progress, residues)
        save = lambda soft, path: save_file(dict(zip(("classes", "chances"), soft)), path)
        soft = self.work.step("soft.safetensors", make, load_file, save)
        return soft["classes"], soft["chances"]

    def light_network(self, families: int) -> LightNetwork:
        """The light network to begin with."""
        return self.start.network(self.trainset.families) if self.start else self.new_network(families)

    def new_network(self, families: int) -> LightNetwork:
        width = self.options.light_width
        return LightNetwork(LightConfig(families, **({"width": width} if width else {})))

    def train_light(self, train: Corpus, families: int, emission: Emission | None) -> LightNetwork:
        options = self.options
        torch.manual_seed(options.seed)  # the same whether or not the fine-tuning was resumed
        network = self.group.share(lambda: self.light_network(families))
        if not options.light_residues:
            return network.eval()
        network.to(self.device)
        drawn = SamplerSettings(power=options.power, emitted=emitted(options))
        sampler = Sampler(train, families, network.block, drawn, options.seed, emission, self.device)
        settings = light_settings(options)
        group = {"params": list(network.parameters())}
        group |= {"lr": settings.lr, "weight_decay": settings.weight_decay}
        self.train("light", network, [group], sampler, settings)
        return network

    def measure(self, name: str, block: int) -> Measure:
        """What measures a network on the validation set."""
        limit = 2000 if name == "light" or self.device.type != "cpu" else 600
        return Measure(Corpus(self.trainset.dev), block, limit)

    def train(self, name, network, groups, sampler, settings) -> None:
        measure = self.measure(name, network.block) if self.group.first else None
        callbacks: list = [Validation(measure, at_start=name == "esm")]
        if self.group.first:
            bars = [Bar()] if self.progress else []
            callbacks = [LogFile(), self.tracker, *bars, *callbacks, Checkpoints()]
        folder = self.work / name
        state = Training(
            name, network, groups, sampler, settings, folder, self.device, self.group, callbacks
        ).run()
        step, accuracy = state.best
        kept = "" if step else "; the network as it began was best"
        done = f"{state.step} steps, {state.seconds / 60:.1f} minutes"
        self.say(f"{name}: validation accuracy {accuracy:.4f} after {done}{kept}")

    def write(self, light: LightNetwork, esm: EsmNetwork | None) -> None:
        """Write the model directory."""
        warnings, cpus = self.trainset.warnings, self.threads.cpus
        history = provenance(
            self.options, self.plan, self.gathering, warnings, self.digests, self.device, cpus
        )
        output = ModelOutput(self.out, self.work, self.options, self.device, self.threads, self.say)
        output.write(self.trainset, self.hmms, light, esm, history, self.tracker)
