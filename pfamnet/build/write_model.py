"""The end of a build: a model directory of what was trained.

Each network is calibrated and evaluated as a scan will run it, from the very
files that were written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from .. import __version__
from ..families import write_families
from ..model.directory import CARD, ENCODER, GRAPH, HEAD, ModelWriter
from ..network.esm import EsmNetwork
from ..network.esm_files import save_encoder, save_head
from ..network.light import LightNetwork
from ..network.light_onnx import export_light, family_offsets
from ..network.quantize import SAMPLES, quantize_light
from ..network.runtime import EsmRuntime, LightRuntime
from ..profiles.files import write_profiles
from ..profiles.store import ProfileStore
from ..scan.evidence import Appraiser
from ..training.checkpoints import write_training_log
from ..training.corpus import Corpus
from ..training.tracking import Tracker
from ..trainset.trainset import Fold, TrainSet
from .calibration import calibrate, dev_ranks, recall_by_rank
from .combination import fit_on_dev, told
from .data import some_sequences
from .evaluation import FOLDER as EVALUATION
from .evaluation import Evaluation, evaluate, read_table, write_evaluations
from .model_card import model_card
from .modes import choose_modes, peaks_of_all

DECOY_RESIDUES = 256_000  # of each length
EVALUATED = 20_000  # dev domains that a network is asked to name, at most
IN_MINUTES = 400_000  # residues of them, at most, where ESM-2 runs on a CPU
COMBINED = 1000  # dev domains by which the combined score is fitted and judged, at most; fewer
COMBINED_SLOW = 400  # where ESM-2 runs on a CPU
ORDINARY = 1000  # sequences in which families' usual log-odds are looked up, at most


class ModelOutput:
    """Writes the model directory `out`, first within `work`; `options` are a `BuildOptions`."""

    def __init__(
        self,
        out: Path,
        work: Path,
        options,
        device: torch.device,
        cpus: int,
        progress: bool,
        say: Callable[[str], None],
    ):
        self.out, self.work, self.options, self.device = out, work, options, device
        self.cpus, self.progress, self.say = cpus, progress, say

    def write(
        self,
        trainset: TrainSet,
        hmms: list,
        light: LightNetwork,
        esm: EsmNetwork | None,
        provenance: dict,
        tracker: Tracker,
    ) -> None:
        """Write the model, calibrate each network as it will be run, and give it its name."""
        with ModelWriter(self.out, self.work) as writer:
            folder = writer.folder
            profiles = "profiles.h3m.gz" if self.options.compress else "profiles.h3m"
            offsets = write_profiles(str(folder / profiles), hmms)
            families = [replace(family, offset=offset) for family, offset in zip(trainset.families, offsets)]
            write_families(folder / "families.tsv", families)
            light.cpu().eval()
            common = family_offsets(light, some_sequences(trainset.train, ORDINARY))
            export_light(light, folder, common)
            if self.options.light_precision == "int8":
                quantize_light(light, folder, some_sequences(trainset.train, SAMPLES), common)
            runtimes = {"light": LightRuntime(folder / GRAPH, light.block)}
            if esm is not None:
                save_encoder(esm.encoder, folder / ENCODER)
                save_head(esm, folder / HEAD)
                runtimes["esm"] = EsmRuntime(folder / ENCODER, folder / HEAD, str(self.device))
            networks = {
                name: self.calibrated(name, runtime, trainset.dev, families)
                for name, runtime in runtimes.items()
            }
            dev = Corpus(trainset.dev)
            appraisers = self.appraisers(runtimes, ProfileStore.open(folder / profiles, offsets), families)
            combination = {
                name: self.combined(name, runtime, appraisers[name], dev, trainset.dev)
                for name, runtime in runtimes.items()
            }
            evaluations = {name: self.evaluated(name, runtime, dev) for name, runtime in runtimes.items()}
            for name, evaluation in evaluations.items():
                networks[name]["dev"] |= evaluation.summary()
            write_evaluations(folder / EVALUATION, families, evaluations)
            tracker.finish(
                {
                    f"{name}_{key}": value
                    for name, evaluation in evaluations.items()
                    for key, value in evaluation.summary().items()
                },
                {path.stem: read_table(path) for path in sorted((folder / EVALUATION).iterdir())},
            )
            write_training_log(self.work, folder / "training.tsv")
            description = {
                "pfamnet": __version__,
                "profiles": profiles,
                "networks": networks,
                "combination": combination,
                "families": len(families),
                "provenance": provenance,
            }
            (folder / CARD).write_text(model_card(description), encoding="utf-8")
            writer.finish(description)
        self.say(f"{self.out}: a model of {len(families)} families")

    def calibrated(self, name: str, runtime, dev: Fold, families: list) -> dict:
        """A network's entry in model.json."""
        options = self.options
        watch = self.watch(f"calibrating {name}")
        slow = self.slow(name)
        ranks, peaks = dev_ranks(runtime, dev, 500 if slow else 2000, self.cpus, watch)
        everyones = peaks_of_all(runtime, dev, 100 if slow else 400, self.cpus, watch)
        modes = choose_modes(ranks, peaks, everyones, options.candidates, options.recall)
        residues = 20_000 if slow else DECOY_RESIDUES
        calibration, check = calibrate(
            runtime,
            dev,
            len(families),
            residues,
            options.seed,
            self.cpus,
            watch,
            [family.clan for family in families],
        )
        for row in check:
            kinds = ", ".join(f"{kind} {rate:g}" for kind, rate in row["kinds"].items())
            self.say(f"{name}: E-value {row['nominal']:g}: {row['observed']:g} calls a decoy ({kinds})")
        return {
            "block": runtime.block,
            "modes": modes,
            "calibration": calibration.to_json(),
            "check": check,
            "dev": {"domains": len(ranks), "recall": recall_by_rank(ranks)},
        }

    def appraisers(self, runtimes: dict, store: ProfileStore, families: list) -> dict[str, Appraiser]:
        """What appraises the candidates of each network."""
        return dict.fromkeys(runtimes, Appraiser(store, families, self.options.candidates))

    def combined(self, name: str, runtime, appraiser: Appraiser, dev: Corpus, fold: Fold) -> dict:
        """How a network's calls and profiles' bits are weighed against each other."""
        limit = COMBINED_SLOW if self.slow(name) else COMBINED
        entry = fit_on_dev(runtime, appraiser, dev, fold, limit, self.cpus, self.watch(f"combining {name}"))
        self.say(told(name, entry))
        return entry

    def slow(self, name: str) -> bool:
        """Whether a network is an ESM-2 on a CPU."""
        return name == "esm" and self.device.type == "cpu"

    def evaluated(self, name: str, runtime, dev: Corpus) -> Evaluation:
        """What a network is right about on dev."""
        slow = self.slow(name)
        return evaluate(
            runtime, dev, EVALUATED, self.cpus, self.watch(f"evaluating {name}"), IN_MINUTES if slow else None
        )

    def watch(self, what: str):
        """A bar round an iteration, where somebody looks on."""
        return lambda items, total: tqdm(
            items, what, total, file=sys.stderr, disable=not self.progress, leave=False
        )
