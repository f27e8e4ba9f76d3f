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

import torch

from ..errors import PfamnetError
from ..network.devices import autocast, pick_device
from ..network.esm import EsmNetwork
from ..network.light import LightNetwork
from ..training.checkpoints import finished
from ..training.distributed import Group, own_device
from ..training.settings import optimizer_class
from ..training.tracking import STATE as TRACKED
from ..training.tracking import Tracker, check_tracker, open_tracker
from .fine_tune import base_encoder
from .material import MATERIAL, Material, load_material, save_material
from .options import BuildOptions
from .trainings import Trainings
from .work import Threads, Work, check_files, writing

if TYPE_CHECKING:
    from .warm_start import Stored


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
        self.encoder = self.start = None  # what the trainings begin with, in the first process
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
            if (self.out / "model.json").exists():
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
        """Train the networks, and write the model unless only the training is wanted."""
        given = self.options, self.material, self.encoder, self.start
        process = self.work, self.device, self.context, self.group, self.tracker, self.progress, self.say
        light, esm = Trainings(*given, *process).run()
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
