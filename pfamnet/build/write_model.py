"""The end of a build: a model directory of what was trained.

Each network is calibrated and evaluated as a scan will run it, from the very files that were
written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from pyhmmer.plan7 import HMM
from safetensors.numpy import save_file

from .. import __version__
from ..families import Family, write_families
from ..model.directory import CARD, ENCODER, GRAPH, HEAD, PROFILES, WEIGHTS, WORDS, ModelWriter
from ..network.esm import EsmNetwork
from ..network.esm_files import save_encoder, save_head
from ..network.light import LightNetwork
from ..network.light_onnx import SAMPLES, export_light, family_offsets, quantize_light, save_light
from ..network.runtime import EsmRuntime, LightRuntime
from ..profiles.files import write_profiles
from ..profiles.store import ProfileFile, ProfileStore
from ..profiles.words import Words, columns_of, sensitive_words
from ..scan.evidence import Appraiser
from ..training.checkpoints import write_training_log
from ..training.corpus import Corpus
from ..training.tracking import Tracker
from ..trainset.trainset import Fold, TrainSet
from .calibration import calibrate, never, too_little
from .combination import fit_on_dev
from .evaluation import evaluate, tables, write_tables
from .found import FoundByProfiles
from .inputs import some_sequences
from .model_card import model_card
from .options import BuildOptions
from .sensitivities import choose_sensitivities, dev_ranks, peaks_of_all, recall_by_rank
from .work import Threads, Work

ORDINARY = 1000  # sequences in which families' usual log-odds are looked up, at most


class Effort(NamedTuple):
    """How much each measurement looks at, at most."""

    ranked: int = 2000  # validation sequences whose families are ranked
    peaks: int = 400  # validation sequences whose peaks are taken
    decoys: int = 256_000  # residues of the decoys of each length and kind
    combined: int = 1000  # validation domains that fit and judge the combined score
    evaluated: int = 20_000  # validation domains that the network predicts
    residues: int | None = None  # of these


FULL = Effort()
SLOW = Effort(500, 100, 60_000, 1000, 20_000, 400_000)  # of an ESM-2 on a CPU


@dataclass(frozen=True)
class ModelOutput:
    """Writes the model directory `out`, first within the work directory."""

    out: Path
    work: Work
    options: BuildOptions
    device: torch.device
    threads: Threads
    say: Callable[[str], None]

    def write(
        self,
        trainset: TrainSet,
        hmms: list[HMM],
        light: LightNetwork,
        esm: EsmNetwork | None,
        provenance: dict,
        tracker: Tracker,
    ) -> None:
        """Write the model, measure each network as it will be run, and give the directory its name."""
        with ModelWriter(self.out, self.work.folder) as writer:
            folder = writer.folder
            offsets = write_profiles(folder / PROFILES, hmms, packed=True)
            families = [replace(family, offset=offset) for family, offset in zip(trainset.families, offsets)]
            write_families(folder / "families.tsv", families)
            columns = columns_of(hmms)
            save_file(columns, folder / WORDS)
            words_of = sensitive_words if self.options.emitted_only else Words
            words = words_of(**columns, lengths=[hmm.M for hmm in hmms])
            runtimes = {"light": self.write_light(folder, light.cpu().eval(), trainset.train)}
            if esm is not None:
                save_encoder(esm.encoder, folder / ENCODER)
                save_head(esm, folder / HEAD)
                runtimes["esm"] = EsmRuntime(folder / ENCODER, folder / HEAD, str(self.device))
            store = ProfileStore(ProfileFile(folder / PROFILES, offsets))
            networks, combination, evaluations = self.measured(runtimes, trainset, families, store, words)
            made = tables(families, evaluations)
            write_tables(folder / "evaluation", made)
            figures = {name: evaluation.summary() for name, evaluation in evaluations.items()}
            tracker.finish({f"{n}_{key}": x for n, some in figures.items() for key, x in some.items()}, made)
            write_training_log(self.work.folder, folder / "training.tsv")
            description = {
                "pfamnet": __version__,
                "profiles": PROFILES,
                "words": words.rule,
                "networks": networks,
                "combination": combination,
                "families": len(families),
                "provenance": provenance,
            }
            (folder / CARD).write_text(model_card(description), encoding="utf-8", errors="surrogateescape")
            writer.finish(description)
        self.say(f"{self.out}: a model of {len(families)} families")

    def measured(
        self, runtimes: dict, trainset: TrainSet, families: list[Family], store: ProfileStore, words: Words
    ) -> tuple[dict, dict, dict]:
        """`networks` and `combination` of model.json, and the evaluation of each network."""
        found = FoundByProfiles(store, families)
        appraiser = Appraiser(store, families, self.options.candidates, words)
        dev, networks, combination, evaluations = Corpus(trainset.dev), {}, {}, {}
        for name, runtime in runtimes.items():
            effort = SLOW if name == "esm" and self.device.type == "cpu" else FULL
            networks[name] = self.calibrated(name, runtime, trainset, families, effort, found, words)
            combination[name] = self.combined(name, runtime, appraiser, dev, trainset.dev, effort)
            evaluations[name] = evaluate(runtime, dev, effort.evaluated, self.threads, effort.residues)
            networks[name]["dev"] |= evaluations[name].summary()
        return networks, combination, evaluations

    def write_light(self, folder: Path, light: LightNetwork, train: Fold) -> LightRuntime:
        """Write the light network, quantized."""
        common = family_offsets(light, some_sequences(train, ORDINARY))
        save_light(light, folder / WEIGHTS)
        export_light(light, folder / GRAPH, common)
        quantize_light(folder / GRAPH, some_sequences(train, SAMPLES), light.block)
        return LightRuntime(folder / GRAPH, light.block, light.config.families)

    def calibrated(
        self,
        name: str,
        runtime,
        trainset: TrainSet,
        families: list[Family],
        effort: Effort,
        found: FoundByProfiles,
        words: Words,
    ) -> dict:
        """A network's entry in model.json."""
        options, dev = self.options, trainset.dev
        recall = 1.0 if options.emitted_only else options.recall  # emitted sequences are found too easily
        ranks, peaks = dev_ranks(runtime, dev, effort.ranked, self.threads, words.matches)
        all_peaks = peaks_of_all(runtime, dev, effort.peaks, self.threads, words.matches)
        calibration, check = calibrate(
            runtime, trainset.train, dev, families, effort.decoys, options.seed, self.threads, found
        )
        for row in check:
            kinds = ", ".join(f"{kind} {rate:g}" for kind, rate in row["kinds"].items())
            self.say(f"{name}: E-value {row['nominal']:g}: {row['observed']:g} calls per decoy ({kinds})")
        if lack := too_little(len(ranks), check):
            calibration = never()
            self.say(f"warning: {name}: {lack}: this network only proposes families and calls none by itself")
        return {
            "block": runtime.block,
            "sensitivities": choose_sensitivities(ranks, peaks, all_peaks, options.candidates, recall),
            "calibration": calibration.to_json(),
            "check": check,
            "dev": {"domains": len(ranks), "recall": recall_by_rank(ranks)},
        }

    def combined(
        self, name: str, runtime, appraiser: Appraiser, dev: Corpus, fold: Fold, effort: Effort
    ) -> dict:
        """How the terms of the combined score are weighed against each other."""
        entry = fit_on_dev(runtime, appraiser, dev, fold, effort.combined, self.threads)
        errors, weights = entry["errors"], ", ".join(f"{k} {x:g}" for k, x in entry["weights"].items())
        self.say(
            f"{name}: errors in {entry['domains']} validation domains: network {errors['network']}, "
            f"profiles of its candidates {errors['profiles']}, both {errors['both']} "
            f"(weights: {weights})"
        )
        return entry
