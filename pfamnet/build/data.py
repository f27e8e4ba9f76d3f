"""What a build makes of its train set: a dev fold, families with their profiles' facts, more rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import PfamnetError
from ..families import Family, accession_key
from ..profiles.files import emit_sequences, read_hmms
from ..trainset.trainset import Fold, TrainSet

STAND_IN = 1000  # train sequences to choose by where there is no dev fold


def given_profiles(path) -> dict:
    """The profiles of a file, by the key of the family's accession, or its name where it has none.

    Raises PfamnetError where two have one accession, whatever its version, or one name:
    hits tell their family by it.
    """
    hmms, first = {}, {}
    for number, hmm in enumerate(read_hmms(str(path)), 1):
        key = accession_key(hmm.accession or hmm.name)
        for what, value in ("accession", key), ("name", hmm.name):
            before = first.setdefault((what, value), number)
            if before != number:
                raise PfamnetError(
                    f"{path}: profile {number} '{hmm.name}': has the {what} of profile {before}: {value}"
                )
        hmms[key] = hmm
    return hmms


def with_dev(trainset: TrainSet, seed: int) -> TrainSet:
    """The train set with a dev fold: where it has none to choose by, some of the train sequences.

    So it is where nothing was held out: each family's only row must stay.
    """
    if trainset.dev is not None and (trainset.dev.domains[:, 3] >= 0).any():
        return trainset
    train = trainset.train
    labelled = np.unique(train.domains[train.domains[:, 3] >= 0, 0])
    chosen = np.sort(np.random.default_rng(seed).permutation(labelled)[:STAND_IN])
    domains = train.domains[np.isin(train.domains[:, 0], chosen)]
    domains[:, 0] = np.searchsorted(chosen, domains[:, 0])
    dev = Fold(
        [train.sequences[i] for i in chosen],
        [train.names[i] for i in chosen],
        domains,
        np.asarray(train.whole)[chosen],
    )
    warning = (
        f"no dev fold: {len(chosen)} of the train sequences stand in for it, "
        "so that accuracy and recall will seem better than they are"
    )
    return replace(trainset, dev=dev, warnings=[*trainset.warnings, warning])


def describe(family: Family, hmm) -> Family:
    """A family with what its profile says of it, where the train set did not."""
    cutoffs = {"ga": hmm.cutoffs.gathering, "tc": hmm.cutoffs.trusted, "nc": hmm.cutoffs.noise}
    return replace(
        family,
        accession=hmm.accession or family.accession,
        name=hmm.name,
        length=hmm.M,
        description=family.description or hmm.description or "",
        **{name: tuple(pair) if pair else None for name, pair in cutoffs.items()},
    )


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


def some_sequences(fold: Fold, count: int) -> list[str]:
    """At most `count` sequences of a fold, those read from the input before emitted ones."""
    order = np.random.default_rng(0).permutation(len(fold.sequences))
    real = [i for i in order if not fold.names[i].startswith("emitted:")]
    return [fold.sequences[i] for i in (real or order)[:count]]
