"""From a train set to a model directory, step by step.

read and check -> profiles -> GA cutoffs for those without -> emitted sequences
for families with few rows -> fine-tune ESM-2 (with --base) -> its view of the
train domains -> train `light` -> thresholds and calibration -> model directory.  Each step leaves what it
made in a work directory beside the model, so that `--resume` repeats nothing
that was finished and training goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from tqdm import tqdm

from ..errors import PfamnetError
from ..network.devices import autocast, pick_device
from ..network.esm import EsmNetwork
from ..network.light import LightConfig, LightNetwork, dilations_for
from ..profiles.files import read_hmms, write_profiles
from ..training.callbacks import Bar, Checkpoints, LogFile, Validation
from ..training.checkpoints import CHECKPOINT
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from ..training.discriminant import finish_head, start_head
from ..training.distillation import soft_labels
from ..training.distributed import Group, own_device
from ..training.light_reshape import check_shape
from ..training.light_start import Stored
from ..training.loop import Training
from ..training.sampler import Sampler, SamplerSettings
from ..training.settings import TrainSettings, optimizer_class
from ..training.tracking import STATE as TRACKED
from ..training.tracking import Tracker, check_tracker, open_tracker
from ..trainset.sampling import sample
from ..trainset.trainset import TrainSet
from .data import describe, with_dev, with_emitted
from .fine_tune import base_encoder, esm_groups, esm_network, esm_sampler, esm_settings, plain
from .gathering import set_gathering
from .hmms import build_profiles
from .inputs import planned, read_inputs
from .provenance import input_digests, provenance
from .write_model import ModelOutput

# in the work directory: what the build was begun with
OPTIONS, INPUTS = "options.json", "inputs.json"
START_EXAMPLES = 131072  # residues by which the weights of another model are taken over


@dataclass(frozen=True)
class BuildOptions:
    """What the user asked for; all of it is stored in the model."""

    trainsets: tuple[str, ...]
    domains: str | None = None
    families: str | None = None
    hmm: str | None = None
    base: str | None = None
    top: int | None = None
    recipe: str | None = None
    cut_domains: bool = False
    holdout: float = 0.1
    holdout_by: str = "row"
    similarity: float = 0.05
    aligner: str = "hmmalign"
    emit: int = 50
    light_from: str | None = None
    light_width: int | None = None
    light_stride: int | None = None
    light_residues: int = 150_000_000
    light_lr: float = 3e-3
    esm_residues: int = 40_000_000
    lr: float = 4e-4
    head_lr: float = 1e-3
    batch: int = 4096
    crop: int = 256
    accumulate: int = 1
    precision: str = "auto"
    optimizer: str = "adamw"
    lora: int = 0
    freeze: int = 0
    checkpoint_activations: bool = False
    balance: str = "none"
    power: float = 0.6
    recall: float = 0.995
    candidates: int = 512
    compress: bool = False
    light_precision: str = "int8"
    license: str | None = None
    seed: int = 42


class Build:
    """One build: `run` returns when the model directory stands.

    `track` is what the training is followed with, `group` the processes it has.
    The first of them reads, builds and writes; the others only train with it.
    """

    def __init__(
        self,
        out: str,
        options: BuildOptions,
        cpus: int = 1,
        device: str = "auto",
        resume: bool = False,
        keep_work: bool = False,
        progress: bool = False,
        track: str = "none",
        group: Group | None = None,
    ):
        self.out, self.work = Path(out), Path(f"{str(out).rstrip('/')}.work")
        self.options, self.cpus, self.progress, self.keep_work = options, cpus, progress, keep_work
        self.resume = resume
        self.track, self.group, self.tracker = track, group or Group(), Tracker()
        if not (options.light_residues or options.light_from):
            raise PfamnetError("--light-residues 0 needs a model to take the network from: --light-from")
        self.device = pick_device(own_device(device, self.group))
        autocast(self.device, options.precision)
        optimizer_class(options.optimizer, self.device)
        check_tracker(track)
        self.group.share(self.check_work)

    def check_work(self) -> None:
        """See that there is no model yet, and work to go on with where that is asked for."""
        if self.out.exists():
            raise PfamnetError(f"{self.out}: exists already; remove it or name another")
        if self.track != "none" and self.tracked.exists() and not self.resume:
            raise PfamnetError(
                f"{self.tracked}: a training was tracked there; remove it or name another model"
            )
        if not self.resume:
            if self.work.exists():
                raise PfamnetError(f"{self.work}: a build was begun there; go on with --resume, or remove it")
            return
        try:
            begun = json.loads((self.work / OPTIONS).read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise PfamnetError(f"{self.work}: nothing to resume") from None
        except ValueError:
            raise PfamnetError(
                f"{self.work}: {OPTIONS} is damaged; remove the directory and start anew"
            ) from None
        # options that came later have their defaults there
        if as_json(BuildOptions(())) | begun != as_json(self.options):
            raise PfamnetError(
                f"{self.work}: was begun with other options; repeat these, or remove it and start anew"
            )

    def begin(self) -> None:
        """Make the work directory, now that the input is found good; or see that it is the same."""
        kept = self.work / INPUTS
        if not self.resume:
            self.work.mkdir(parents=True)
            kept.write_text(json.dumps(self.digests, indent=1))
            (self.work / OPTIONS).write_text(json.dumps(as_json(self.options), indent=1))
        elif kept.exists():
            begun = json.loads(kept.read_text())
            for file in sorted(begun.keys() | self.digests.keys()):
                if begun.get(file) != self.digests.get(file):
                    raise PfamnetError(
                        f"{file}: is not what it was when {self.work} was begun; remove that and start anew"
                    )

    @property
    def tracked(self) -> Path:
        """Where what is tracked goes."""
        return Path(f"{str(self.out).rstrip('/')}.track")

    def run(self) -> None:
        torch.set_num_threads(max(1, self.cpus // self.group.local_size))
        train, families = self.group.share(self.prepare)
        if self.group.first:
            self.tracker = open_tracker(
                self.track, self.tracked, self.work / TRACKED, self.out.name, asdict(self.options), self.say
            )
        try:
            esm = self.fine_tune(train, families) if self.options.base else None
            if esm is not None:
                train.soft = self.group.share(lambda: self.teach(esm, train))
            light = self.train_light(train, families)
            self.group.close()
            if self.group.first:
                ModelOutput(
                    self.out, self.work, self.options, self.device, self.cpus, self.progress, self.say
                ).write(self.trainset, self.hmms, light, esm, self.provenance(), self.tracker)
        finally:
            self.tracker.close()
        if self.group.first and not self.keep_work:
            shutil.rmtree(self.work)

    def prepare(self) -> tuple[Corpus, int]:
        """Read the train set and build the profiles: what is learnt from, and the number of families."""
        self.encoder = base_encoder(self.options)
        self.start = Stored(self.options.light_from) if self.options.light_from else None
        if self.start:
            check_shape(self.start.config, self.options.light_width, self.options.light_stride)
        trainset, given, quotas = self.read()
        self.begin()
        hmms = given or self.build_profiles(trainset)
        self.gathering = set_gathering(trainset, hmms, self.options.seed, self.cpus, self.work, self.progress)
        trainset.families[:] = [describe(family, hmm) for family, hmm in zip(trainset.families, hmms)]
        if quotas is not None:  # profiles are made of all rows, the networks learn from these
            trainset = sample(trainset, quotas, self.options.seed)
        trainset = with_emitted(trainset, hmms, self.options.emit, self.options.seed)
        self.say(
            f"{len(trainset.families)} families, {len(trainset.train.sequences)} sequences "
            f"to train on, {len(trainset.dev.sequences)} to choose by"
        )
        self.trainset, self.hmms = trainset, hmms
        return Corpus(trainset.train), len(trainset.families)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of every input file."""
        return input_digests(self.options)

    def provenance(self) -> dict:
        return provenance(
            self.options,
            self.plan,
            self.gathering,
            self.trainset.warnings,
            self.digests,
            self.device,
            self.cpus,
        )

    def say(self, text: str) -> None:
        if self.group.first and text:
            print(text, file=sys.stderr)

    # -- data and profiles

    def read(self) -> tuple:
        """The train set, of `--hmm` the profile of each of its families, and the recipe's rows of each."""
        trainset, given = read_inputs(self.options)
        trainset, quotas, self.plan = planned(trainset, self.options)
        trainset = with_dev(trainset, self.options.seed)
        for warning in trainset.warnings:
            self.say(f"warning: {warning}")
        for line in self.plan.lines() if self.plan else ():
            self.say(line)
        return trainset, [given[family.key] for family in trainset.families] if given else [], quotas

    def build_profiles(self, trainset: TrainSet) -> list:
        """Profiles from the train rows; kept in the work directory as they are made."""
        folder = self.work / "profiles"
        folder.mkdir(exist_ok=True)
        existing = {int(path.stem): next(read_hmms(path)) for path in folder.glob("*.h3m")}
        bar = tqdm(
            total=len(trainset.families),
            initial=len(existing),
            desc="profiles",
            file=sys.stderr,
            disable=not self.progress,
        )

        def done(index, hmm):
            partial = folder / f"{index}.partial"
            write_profiles(partial, [hmm])
            os.replace(partial, folder / f"{index}.h3m")
            bar.update()

        with bar:
            return build_profiles(trainset, self.options.aligner, self.cpus, done, existing)

    # -- networks

    def fine_tune(self, train: Corpus, families: int) -> EsmNetwork:
        options = self.options
        torch.manual_seed(options.seed)
        network = self.group.share(lambda: self.esm_network(train, families)).to(self.device)
        self.train(
            "esm",
            network,
            esm_groups(network, options),
            esm_sampler(train, families, network.block, options),
            esm_settings(options),
        )
        network = plain(network, options)
        self.say(
            self.group.share(
                lambda: finish_head(
                    network,
                    train,
                    self.measure("esm", network.block),
                    self.work / "esm" / "head.safetensors",
                    autocast(self.device, options.precision)[0],
                    self.progress,
                    options.esm_residues,
                )
            )
        )
        return network

    def esm_network(self, train: Corpus, families: int) -> EsmNetwork:
        """The network to begin with, its head where the encoder's vectors of the families are."""
        network = esm_network(self.encoder, families, self.options).to(self.device)
        if not (self.work / "esm" / CHECKPOINT).exists():
            start_head(
                network,
                train,
                autocast(self.device, self.options.precision)[0],
                self.progress,
                self.options.esm_residues,
            )
        return network.cpu()

    def teach(self, network: EsmNetwork, train: Corpus):
        """What the fine-tuned network says of each train domain, once, kept in a file."""
        context, _ = autocast(self.device, self.options.precision)
        return soft_labels(
            network, train, self.work / "soft.safetensors", context, self.progress, self.options.esm_residues
        )

    def light_network(self, sampler: Sampler) -> LightNetwork:
        """The light network to begin with."""
        shape = {
            name: value
            for name, value in (("width", self.options.light_width), ("stride", self.options.light_stride))
            if value
        }
        if self.start is None:
            if "stride" in shape:
                shape["dilations"] = dilations_for(shape["stride"])
            return LightNetwork(LightConfig(sampler.families, **shape))
        examples = sampler.batches(0, START_EXAMPLES)[0]
        return self.start.network(self.trainset.families, torch.from_numpy(examples.tokens), **shape)

    def train_light(self, train: Corpus, families: int) -> LightNetwork:
        options, block = self.options, LightConfig(families).block
        torch.manual_seed(options.seed)  # the same whether or not the fine-tuning was resumed
        sampler = Sampler(train, families, block, SamplerSettings(power=options.power), options.seed)
        network = self.group.share(lambda: self.light_network(sampler))
        if not options.light_residues:
            return network.eval()
        network.to(self.device)
        settings = TrainSettings(
            options.light_residues,
            lr=options.light_lr,
            evaluate=1000,
            patience=1000,
            precision=options.precision,
            optimizer=options.optimizer,
            balance=options.balance,
        )
        groups = [
            {"params": list(network.parameters()), "lr": settings.lr, "weight_decay": settings.weight_decay}
        ]
        self.train("light", network, groups, sampler, settings)
        return network

    def measure(self, name: str, block: int) -> Measure:
        """What looks at dev for a network."""
        return Measure(
            Corpus(self.trainset.dev), block, 2000 if name == "light" or self.device.type != "cpu" else 600
        )

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


def as_json(options: BuildOptions) -> dict:
    """Options as they come back from a JSON file."""
    return json.loads(json.dumps(asdict(options)))
