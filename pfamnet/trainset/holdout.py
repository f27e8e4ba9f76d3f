"""A validation set for inputs without one: the same rows in every run, on every machine."""

from __future__ import annotations

from hashlib import blake2b
from itertools import chain

import numpy as np

from .entries import Entry, count_rows
from .similarity import Clusters, relatives

# Two domains that share more than this fraction of their k-mers are held out together; the second figure is
# for pairs with a full-length protein. By the first one proteins that share a domain would be relatives, and
# chains of them join half of Swiss-Prot.
SIMILARITY, OF_PROTEINS = 0.05, 0.15


def hold_out(entries: list[Entry], fraction: float, seed: int, similarity: float = SIMILARITY) -> int:
    """Put every entry without a fold into "train" or "dev", similar ones into the same.

    A cluster (single linkage of `relatives`) becomes dev as a whole, while no family has more than about
    `fraction` of its open rows in dev or loses its last training row. Seed and residues decide which; the
    seed decides too which of the small families have a row in dev. Domains are similar by `similarity`,
    full-length proteins by `OF_PROTEINS` at least.

    Existing folds are preserved: open entries go with the fold of their cluster. In a cluster with
    entries of both they become train, but those similar to a dev entry get the fold "none".

    Returns:
        How many got "none".
    """
    undecided = [i for i, entry in enumerate(entries) if not entry.fold]
    if not fraction or not undecided:
        for i in undecided:
            entries[i].fold = "train"
        return 0
    labels, near_dev = _clusters(entries, similarity)
    members, folds = {}, {}
    for label, entry in zip(labels, entries):
        if entry.fold:
            folds.setdefault(label, set()).add(entry.fold)
        else:
            members.setdefault(label, []).append(entry)
    for i in undecided:
        given = folds.get(labels[i], set())
        both = len(given) > 1 and near_dev[i]
        entries[i].fold = "none" if both else "dev" if given == {"dev"} else "train"
    _hold_out(entries, [there for label, there in members.items() if label not in folds], fraction, seed)
    return sum(entries[i].fold == "none" for i in undecided)


def _clusters(entries: list[Entry], similarity: float) -> tuple[list[int], np.ndarray]:
    """The cluster of each entry, and whether it is similar to an entry of the fold "dev"."""
    places: dict[str, int] = {}  # identical sequences are one; some are too short to share k-mers
    which = [places.setdefault(entry.sequence, len(places)) for entry in entries]
    clusters, dev, whole = Clusters(len(places)), np.zeros(len(places), bool), np.ones(len(places), bool)
    whole[[place for place, entry in zip(which, entries) if not entry.whole]] = False
    dev[[place for place, entry in zip(which, entries) if entry.fold == "dev"]] = True
    near_dev = dev.copy()
    for index, others, shared in relatives(list(places), similarity):
        others = others[(shared > OF_PROTEINS) | ~(whole[index] | whole[others])]
        clusters.join(index, others)
        near_dev[index] |= dev[others].any()
        near_dev[others] |= dev[index]
    return clusters.labels()[which].tolist(), near_dev[which]


def _hold_out(entries: list[Entry], clusters: list[list[Entry]], fraction: float, seed: int) -> None:
    """Put clusters of open entries into dev, as many as each of their families allows."""
    rows, left = count_rows(entry for entry in entries if entry.fold == "train"), count_rows(chain(*clusters))
    for key, count in left.items():
        left[key] = int(fraction * count + draw_number(seed, str(key)))
    # by one sequence: a cluster of many is not drawn more often
    drawn = [(draw_number(seed, min(entry.sequence for entry in there)), there) for there in clusters]
    for draw, there in sorted(drawn, key=lambda pair: pair[0]):
        lost = count_rows(there)
        fits = all(left[key] >= count < rows[key] for key, count in lost.items())
        # proteins without a domain count for no family
        if fits and (lost or draw < fraction):
            rows.subtract(lost)
            left.subtract(lost)
            for entry in there:
                entry.fold = "dev"


def draw_number(seed: int, text: str) -> float:
    """A number from 0 to below 1 that depends on nothing but seed and text."""
    digest = blake2b(f"{seed}\n{text}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
