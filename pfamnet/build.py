"""From a train set to a model directory, step by step.

read and check -> profiles -> emitted sequences for families with few rows ->
fine-tune ESM-2 (with --base) -> its view of the train domains -> train `light`
-> thresholds and calibration -> model directory.  Each step leaves what it
made in a work directory beside the model, so that `--resume` repeats nothing
that was finished and training goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from . import __version__
from .align import build_profiles
from .calibrate import calibrate, choose_threshold, dev_ranks, recall_by_rank
from .devices import autocast, pick_device
from .distil import soft_labels
from .errors import PfamnetError
from .esm import (EsmNetwork, load_encoder, parameter_groups, resolve_base, save_encoder,
                  save_head)
from .examples import Corpus, Sampler, SamplerSettings
from .families import Family, accession_key, write_families
from .light import LightConfig, LightNetwork
from .light_graph import export_light
from .measure import Measure
from .model import ENCODER, GRAPH, HEAD, ModelWriter, file_digest
from .profiles import emit_sequences, read_hmms, write_profiles
from .runtime import EsmRuntime, LightRuntime
from .train import Training, TrainSettings, write_training_log
from .trainset import Fold, TrainSet, read_trainset


@dataclass(frozen=True)
class BuildOptions:
    """What the user asked for; all of it is stored in the model."""

    trainsets: tuple[str, ...]
    domains: str | None = None
    families: str | None = None
    hmm: str | None = None
    base: str | None = None
    top: int | None = None
    holdout: float = 0.1
    aligner: str = "hmmalign"
    emit: int = 50
    light_residues: int = 150_000_000
    esm_residues: int = 40_000_000
    lr: float = 4e-4
    head_lr: float = 4e-3
    layer_decay: float = 0.8
    batch: int = 4096
    crop: int = 256
    accumulate: int = 1
    precision: str = "auto"
    optimizer: str = "adamw"
    balance: str = "none"
    recall: float = 0.99
    candidates: int = 64
    compress: bool = False
    seed: int = 42


class Build:
    """One build: `run` returns when the model directory stands."""

    def __init__(self, out: str, options: BuildOptions, cpus: int = 1, device: str = "auto",
                 resume: bool = False, keep_work: bool = False, progress: bool = False):
        self.out, self.work = Path(out), Path(f"{str(out).rstrip('/')}.work")
        self.options, self.cpus, self.progress, self.keep_work = options, cpus, progress, keep_work
        self.device = pick_device(device)
        self.prepare(resume)

    def prepare(self, resume: bool) -> None:
        """Make the work directory, or check that it is one of the same options."""
        if self.out.exists():
            raise PfamnetError(f"{self.out}: exists already; remove it or name another")
        stored, wanted = self.work / "options.json", json.loads(json.dumps(asdict(self.options)))
        if self.work.exists() and not resume:
            raise PfamnetError(f"{self.work}: a build was begun there; go on with --resume, "
                               "or remove it")
        if resume and not stored.exists():
            raise PfamnetError(f"{self.work}: nothing to resume")
        if resume and json.loads(stored.read_text()) != wanted:
            raise PfamnetError(f"{self.work}: was begun with other options; repeat these, "
                               "or remove it and start anew")
        if not resume:
            self.work.mkdir(parents=True)
            stored.write_text(json.dumps(wanted, indent=1))

    def run(self) -> None:
        torch.set_num_threads(self.cpus)
        torch.manual_seed(self.options.seed)
        trainset, hmms = self.read()
        trainset = with_emitted(trainset, hmms, self.options.emit, self.options.seed)
        self.say(f"{len(trainset.families)} families, {len(trainset.train.sequences)} sequences "
                 f"to train on, {len(trainset.dev.sequences)} to choose by")
        train, dev = Corpus(trainset.train), Corpus(trainset.dev)
        esm = self.fine_tune(train, dev, len(trainset.families)) if self.options.base else None
        if esm is not None:
            train.soft = self.teach(esm, train)
        light = self.train_light(train, dev, len(trainset.families))
        self.finish(trainset, hmms, light, esm)
        if not self.keep_work:
            shutil.rmtree(self.work)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)

    # -- data and profiles

    def read(self) -> tuple[TrainSet, list]:
        """The train set and a profile for each of its families."""
        options = self.options
        given = {}
        if options.hmm:
            given = {accession_key(hmm.accession or hmm.name): hmm for hmm in read_hmms(options.hmm)}
        trainset = read_trainset(options.trainsets, options.domains, options.families,
                                 holdout=options.holdout, seed=options.seed, top=options.top,
                                 only=set(given) if given else None)
        for warning in trainset.warnings:
            self.say(f"warning: {warning}")
        hmms = ([given[family.key] for family in trainset.families] if given
                else self.build_profiles(trainset))
        trainset.families[:] = [describe(family, hmm) for family, hmm in zip(trainset.families, hmms)]
        return trainset, hmms

    def build_profiles(self, trainset: TrainSet) -> list:
        """Profiles from the train rows; kept in the work directory as they are made."""
        folder = self.work / "profiles"
        folder.mkdir(exist_ok=True)
        existing = {int(path.stem): next(read_hmms(path)) for path in folder.glob("*.h3m")}
        bar = tqdm(total=len(trainset.families), initial=len(existing), desc="profiles",
                   file=sys.stderr, disable=not self.progress)

        def done(index, hmm):
            partial = folder / f"{index}.partial"
            write_profiles(partial, [hmm])
            os.replace(partial, folder / f"{index}.h3m")
            bar.update()

        with bar:
            return build_profiles(trainset, self.options.aligner, self.cpus, done, existing)

    # -- networks

    def fine_tune(self, train: Corpus, dev: Corpus, families: int) -> EsmNetwork:
        options = self.options
        network = EsmNetwork(load_encoder(resolve_base(options.base)), families).to(self.device)
        groups = parameter_groups(network, options.lr, options.head_lr, options.layer_decay)
        settings = TrainSettings(
            options.esm_residues, options.batch, options.accumulate, pool=16, evaluate=200,
            precision=options.precision, optimizer=options.optimizer, balance=options.balance)
        sampler = Sampler(train, families, network.block,
                          SamplerSettings(crop=options.crop, alone=0.8, masked=0.03, substitutions=0.03),
                          options.seed)
        self.train("esm", network, groups, sampler, dev, settings)
        return network

    def teach(self, network: EsmNetwork, train: Corpus):
        """What the fine-tuned network says of each train domain, once, kept in a file."""
        context, _ = autocast(self.device, self.options.precision)
        return soft_labels(network, train, self.work / "soft.safetensors", context, self.progress)

    def train_light(self, train: Corpus, dev: Corpus, families: int) -> LightNetwork:
        options = self.options
        network = LightNetwork(LightConfig(families)).to(self.device)
        settings = TrainSettings(options.light_residues, evaluate=1000, patience=1000,
                                 precision=options.precision, optimizer=options.optimizer,
                                 balance=options.balance)
        groups = [{"params": list(network.parameters()), "lr": settings.lr,
                   "weight_decay": settings.weight_decay}]
        sampler = Sampler(train, families, network.block, SamplerSettings(), options.seed)
        self.train("light", network, groups, sampler, dev, settings)
        return network

    def train(self, name, network, groups, sampler, dev, settings) -> None:
        limit = 2000 if name == "light" or self.device.type != "cpu" else 600
        training = Training(name, network, groups, sampler,
                            Measure(dev, network.block, limit), settings,
                            self.work / name, self.device, self.progress)
        best = training.run()
        self.say(f"{name}: dev accuracy {best:.4f} after {training.state['step']} steps, "
                 f"{training.state['seconds'] / 60:.1f} minutes")

    # -- the model directory

    def finish(self, trainset: TrainSet, hmms: list, light: LightNetwork,
               esm: EsmNetwork | None) -> None:
        """Write the model, calibrate each network as it will be run, and give it its name."""
        with ModelWriter(self.out) as writer:
            folder = writer.folder
            profiles = "profiles.h3m.gz" if self.options.compress else "profiles.h3m"
            offsets = write_profiles(str(folder / profiles), hmms)
            families = [replace(family, offset=offset)
                        for family, offset in zip(trainset.families, offsets)]
            write_families(folder / "families.tsv", families)
            export_light(light.cpu().eval(), folder)
            runtimes = {"light": LightRuntime(folder / GRAPH, light.block)}
            if esm is not None:
                save_encoder(esm.encoder, folder / ENCODER)
                save_head(esm, folder / HEAD)
                runtimes["esm"] = EsmRuntime(folder / ENCODER, folder / HEAD, self.device.type)
            networks = {name: self.calibrated(name, runtime, trainset.dev, len(families))
                        for name, runtime in runtimes.items()}
            write_training_log(self.work, folder / "training.tsv")
            writer.finish({"pfamnet": __version__, "profiles": profiles, "networks": networks,
                           "families": len(families), "provenance": self.provenance()})
        self.say(f"{self.out}: a model of {len(families)} families")

    def calibrated(self, name: str, runtime, dev: Fold, families: int) -> dict:
        """A network's entry in model.json."""
        options = self.options
        watch = lambda items, total: tqdm(items, f"calibrating {name}", total, file=sys.stderr,
                                          disable=not self.progress, leave=False)
        slow = name == "esm" and self.device.type == "cpu"
        ranks, peaks = dev_ranks(runtime, dev, 500 if slow else 2000, self.cpus, watch)
        modes = {mode: {"candidates": most, "recall": recall,
                        "threshold": choose_threshold(ranks, peaks, most, recall)}
                 for mode, most, recall in (
                     ("fast", max(options.candidates // 4, 1), 1 - 2 * (1 - options.recall)),
                     ("default", options.candidates, options.recall),
                     ("sensitive", 2 * options.candidates, 1.0))}
        calibration, check = calibrate(runtime, dev, families, 100 if slow else 400, options.seed,
                                       self.cpus, watch)
        for row in check:
            self.say(f"{name}: E-value {row['nominal']:g}: {row['observed']:g} calls a decoy")
        return {"block": runtime.block, "modes": modes, "calibration": calibration.bins,
                "check": check, "dev": {"domains": len(ranks), "recall": recall_by_rank(ranks)}}

    def provenance(self) -> dict:
        """How the model came to be: options, digests of the input files, versions."""
        given = [*self.options.trainsets, self.options.domains, self.options.families, self.options.hmm]
        files = [file for path in map(Path, filter(None, given)) for file in (
            [shard for fold in ("train", "dev") for shard in sorted(path.glob(f"{fold}/data-*"))]
            if path.is_dir() else [path])]
        return {"options": asdict(self.options),
                "digests": {str(file): file_digest(file) for file in files},
                "versions": {name: version(name) for name in ("torch", "pyhmmer", "numpy", "onnx")},
                "python": platform.python_version()}


def describe(family: Family, hmm) -> Family:
    """A family with what its profile says of it, where the train set did not."""
    cutoffs = {"ga": hmm.cutoffs.gathering, "tc": hmm.cutoffs.trusted, "nc": hmm.cutoffs.noise}
    return replace(family, accession=hmm.accession or family.accession, name=hmm.name,
                   length=hmm.M, description=family.description or hmm.description or "",
                   **{name: tuple(pair) if pair else None for name, pair in cutoffs.items()})


def with_emitted(trainset: TrainSet, hmms: list, wanted: int, seed: int) -> TrainSet:
    """The train set, families of fewer than `wanted` rows filled up from their profiles."""
    fold = trainset.train
    counts = np.bincount(fold.domains[fold.domains[:, 3] >= 0, 3], minlength=len(hmms))
    sequences, names = list(fold.sequences), list(fold.names)
    rows = [fold.domains]
    for index, (hmm, count) in enumerate(zip(hmms, counts)):
        for sequence in emit_sequences(hmm, max(0, wanted - int(count)), seed):
            rows.append(np.array([[len(sequences), 0, len(sequence), index]], fold.domains.dtype))
            names.append(f"emitted:{hmm.name}")
            sequences.append(sequence)
    emitted = len(sequences) - len(fold.sequences)
    whole = np.concatenate([np.asarray(fold.whole, bool), np.zeros(emitted, bool)])
    filled = Fold(sequences=sequences, names=names, domains=np.concatenate(rows), whole=whole)
    return replace(trainset, train=filled)
