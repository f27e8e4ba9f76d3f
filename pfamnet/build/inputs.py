"""What a build reads, and what it adds: a validation set, facts of the profiles, emitted sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyhmmer.plan7 import HMM

from ..errors import PfamnetError
from ..families import PAIRS, Family, accession_key, flaw
from ..model.hmm_database import pressed_number, read_dat
from ..profiles.files import emit_sequences, family_of, read_hmms, text_of
from ..records import shown
from ..trainset.domains import DomainTable
from ..trainset.recipes import RECIPES
from ..trainset.sampling import Plan, plan
from ..trainset.trainset import Fold, TrainSet, read_trainset
from .options import BuildOptions

STAND_IN = 1000  # training sequences that stand in for a validation set
EMITTED_NAME = "emitted:"  # begins the names of emitted sequences
MEMBERS = 1.75  # power of the match probabilities with which sequences score as much as real members


class Inputs(NamedTuple):
    """What a build learns from."""

    trainset: TrainSet  # of a recipe's families only; with a validation set, if there are any rows
    hmms: list[HMM]  # the given profiles of its families, in their order
    quotas: np.ndarray | None = None  # how many rows of each family the recipe takes, int (F,)
    plan: Plan | None = None  # of the recipe


def read_inputs(options: BuildOptions, labels: DomainTable | None = None) -> Inputs:
    """Read the train sets and the given profiles, and apply the recipe; `labels` are of `--proteins`.

    Raises PfamnetError, as `read_trainset` and `given_profiles`, or if no table holds a family.
    """
    odd: list[str] = []
    given = given_profiles(options.hmm, odd.append) if options.hmm else {}
    trainset = read_trainset(
        options.trainsets,
        options.domains,
        options.families,
        holdout=options.holdout,
        seed=options.seed,
        top=options.max_families,
        only=set(given) if given else None,
        # a family whose profile can emit sequences needs no rows
        also=[Family(key_text(hmm), text_of(hmm, "name")) for hmm in given.values()] if options.emit else [],
        cut=options.cut_domains,
        searched=labels and (options.proteins, labels),
    )
    about = read_dat(Path(options.hmm)) if options.hmm else {}
    trainset.families[:] = [family.completed(**about.get(family.key, {})) for family in trainset.families]
    for family in trainset.families:
        if why := flaw(family):
            raise PfamnetError(f"family {shown(family.accession)}: {why}")
    trainset.warnings[:0] = [text.removeprefix("warning: ") for text in odd]
    chosen = ()
    if options.recipe is not None:
        trainset, *chosen = plan(RECIPES[options.recipe], trainset, options.seed, options.power)
    hmms = [given[family.key] for family in trainset.families] if given else []
    if not options.emitted_only:
        trainset = with_dev(trainset, options.seed)
    return Inputs(trainset, hmms, *chosen)


def given_profiles(path: str, warn: Callable[[str], None] | None = None) -> dict[str, HMM]:
    """The profiles of a file, by the key of the family's accession (of its name if it has none).

    `warn` takes a line about odd profiles.

    Raises:
        PfamnetError: if two profiles share an accession, whatever its version, or a name; if the file is
            cut off, or a family cannot stand in a table.
    """
    hmms, first = {}, {}
    for number, hmm in enumerate(read_hmms(str(path), warn), 1):
        key, name = accession_key(key_text(hmm)), text_of(hmm, "name")
        where = f"{path}: profile {number} '{shown(name)}'"
        if why := flaw(own_family(hmm)):
            raise PfamnetError(f"{where}: {why}")
        for what, value in ("accession", key), ("name", name):
            before = first.setdefault((what, value), number)
            if before != number:
                raise PfamnetError(f"{where}: has the {what} of profile {before}: {shown(value)}")
        hmms[key] = hmm
    if (counted := pressed_number(Path(path))) and counted > len(hmms):
        raise PfamnetError(f"{path}: {len(hmms)} profiles, and hmmpress counted {counted} (.h3i)")
    return hmms


def key_text(hmm: HMM) -> str:
    """What a profile's family is known by: its accession, or its name if it has none."""
    return text_of(hmm, "accession") or text_of(hmm, "name")


def own_family(hmm: HMM) -> Family:
    """The family that a profile states, under its `key_text`."""
    return replace(family_of(hmm), accession=key_text(hmm))


def with_dev(trainset: TrainSet, seed: int) -> TrainSet:
    """The train set with a validation set, for which training sequences stand in if nothing was held out."""
    if trainset.dev is not None and (trainset.dev.domains[:, 3] >= 0).any():
        return trainset
    train = trainset.train
    labelled = np.unique(train.domains[train.domains[:, 3] >= 0, 0])
    chosen = np.sort(np.random.default_rng(seed).permutation(labelled)[:STAND_IN])
    domains = train.domains[np.isin(train.domains[:, 0], chosen)]
    domains[:, 0] = np.searchsorted(chosen, domains[:, 0])
    sequences, names = ([part[i] for i in chosen] for part in (train.sequences, train.names))
    dev = Fold(sequences, names, domains, np.asarray(train.whole)[chosen])
    warning = f"no validation set: {len(chosen)} training sequences stand in for it, "
    warning += "so that accuracy and recall are overestimated"
    return replace(trainset, dev=dev, warnings=[*trainset.warnings, warning])


def describe(family: Family, hmm: HMM) -> Family:
    """A family completed by its profile: accession, name, length, cutoffs and, if missing, description."""
    own = family_of(hmm)
    stated = {name: getattr(own, name) for name in ("name", "length", *PAIRS)}
    accession, description = own.accession or family.accession, family.description or own.description
    return replace(family, accession=accession, description=description, **stated)


def with_emitted(trainset: TrainSet, hmms: list[HMM], wanted: int, seed: int) -> TrainSet:
    """The train set, its families of fewer than `wanted` rows filled up from their profiles.

    If there is no validation set, sequences that the profiles emit stand in for it.
    """
    train, dev, warnings = (
        filled_up(trainset.train, hmms, wanted, seed, MEMBERS),
        trainset.dev,
        trainset.warnings,
    )
    if dev is None:
        nothing = Fold([], [], np.zeros((0, 4), np.int32), np.zeros(0, bool))
        dev = filled_up(nothing, hmms, -(-STAND_IN // len(hmms)), seed + 1, MEMBERS)
        warning = f"no proteins: {len(dev.sequences)} sequences from the profiles are the validation set"
        warnings = [*warnings, f"{warning}: accuracy and recall are not those of proteins"]
    return replace(trainset, train=train, dev=dev, warnings=warnings)


def filled_up(
    fold: Fold, hmms: list[HMM], wanted: int, seed: int, power: float = 1.0, rowless: bool = False
) -> Fold:
    """The fold, its families of fewer than `wanted` rows, or of none, filled up from their profiles.

    `power` as of `emit_sequences`.
    """
    counts = np.bincount(fold.domains[fold.domains[:, 3] >= 0, 3], minlength=len(hmms))
    sequences, names, rows = list(fold.sequences), list(fold.names), [fold.domains]
    for index, (hmm, count) in enumerate(zip(hmms, counts)):
        if rowless and count:
            continue
        for sequence in emit_sequences(hmm, max(0, wanted - int(count)), seed, power):
            rows.append(np.array([[len(sequences), 0, len(sequence), index]], fold.domains.dtype))
            names.append(f"{EMITTED_NAME}{text_of(hmm, 'name')}")
            sequences.append(sequence)
    whole = np.zeros(len(sequences), bool)
    whole[: len(fold.whole)] = fold.whole
    return Fold(sequences, names, np.concatenate(rows), whole)


def some_sequences(fold: Fold, count: int) -> list[str]:
    """At most `count` sequences of a fold; emitted ones only if there are no others."""
    order = np.random.default_rng(0).permutation(len(fold.sequences))
    real = [i for i in order if not fold.names[i].startswith(EMITTED_NAME)]
    return [fold.sequences[i] for i in (real or order)[:count]]
