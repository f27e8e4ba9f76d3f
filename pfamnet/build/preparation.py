"""The steps of a build before its trainings: labels, train set, profiles, gathering cutoffs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..families import read_families
from ..training.corpus import Corpus
from ..training.emission import Emission
from ..trainset.domains import DomainTable
from ..trainset.sampling import sample
from .estimate import duration, training_seconds
from .fine_tune import light_settings, new_light
from .gathering import set_gathering
from .hmms import build_profiles
from .inputs import describe, given_profiles, read_inputs, with_emitted
from .labels import Labelling
from .material import Material
from .options import BuildOptions
from .provenance import input_digests
from .work import Threads, Work


class Preparation:
    """What a build is made from: `trainset`, `hmms` of its families, `plan`, `gathering`, `digests`."""

    def __init__(
        self,
        options: BuildOptions,
        work: Work,
        threads: Threads,
        device: torch.device,
        say: Callable[[str], None],
    ):
        self.options, self.work, self.threads, self.device, self.say = options, work, threads, device, say
        seed = options.seed
        labels = self.label() if options.proteins else None
        trainset, hmms, quotas, self.plan = read_inputs(options, labels)
        plan = self.plan.lines() if self.plan else []
        self.say("\n".join([f"warning: {text}" for text in trainset.warnings] + plan))
        if labels is None:
            self.begin()
        if options.emitted_only:
            self.say(f"{len(hmms)} profiles emit what is learnt from; {self.training_time(len(hmms))}")
        hmms = hmms or build_profiles(trainset, options.aligner, work, threads)
        self.gathering = set_gathering(trainset, hmms, seed, work, threads)
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

    def material(self) -> Material:
        """What the networks are trained on."""
        keys = [family.key for family in self.trainset.families]
        emission = Emission.of(self.hmms) if self.options.emit else None
        return Material(Corpus(self.trainset.train), Corpus(self.trainset.dev), keys, emission)

    def begin(self) -> None:
        """Make the work directory, or check that it is of the same input."""
        self.digests = input_digests(self.options)
        self.work.begin(self.digests)

    def label(self) -> DomainTable:
        """The domains of the proteins without labels, found by the profiles."""
        options, hmms = self.options, list(given_profiles(self.options.hmm).values())
        labelling = Labelling(options.proteins, hmms, self.threads)
        if options.trainsets:  # errors come now, not after hours
            known = read_inputs(replace(options, proteins=None)).trainset
            labelling.refuse_again(known)
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
        network = new_light(min(families, self.options.max_families or families))
        seconds = training_seconds(network, settings, self.work.folder, self.device)
        return f"training on {settings.residues} residues: {duration(seconds)}"
