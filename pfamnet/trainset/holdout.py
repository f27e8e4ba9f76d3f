"""A dev fold for inputs that have none: the same rows in every run, on every machine."""

from collections import Counter
from hashlib import blake2b

import numpy as np

from pfamnet.trainset.similarity import Clusters, relatives


def hold_out(entries, share, seed):
    """Put every entry whose fold is open into "train" or "dev".

    Isolated domains: of each family about `share` of its rows, identical sequences
    together, and never all of them. Proteins: those whose name hashes low, except
    where a family would lose its last training row.
    """
    undecided = [entry for entry in entries if not entry.fold]
    for entry in undecided:
        entry.fold = "train"
    if share > 0:
        _hold_out_domains([e for e in undecided if not e.whole], share, seed)
        _hold_out_proteins(entries, [e for e in undecided if e.whole], share, seed)


def hold_out_clusters(entries, share, seed, similarity):
    """As `hold_out`, but what resembles each other stays in one fold.

    All entries are joined to clusters, single linkage: of relatives as `kmers.relatives`
    tells them with `similarity`. A cluster becomes dev as a whole, while no family gets
    more than about `share` of its open rows into dev or loses its last training row;
    which ones depends on `seed` and the residues in it.

    Entries with a fold keep it, and what resembles them goes with them. Open ones of a
    cluster with entries of both folds become train, except those that resemble a dev
    entry themselves: they get the fold "none".

    Returns how many got that.
    """
    undecided = [i for i, entry in enumerate(entries) if not entry.fold]
    labels, near_dev = _clusters(entries, similarity)
    members, given = {}, {}
    for i, entry in enumerate(entries):
        (given if entry.fold else members).setdefault(labels[i], []).append(entry)
    folds = {label: {entry.fold for entry in there} for label, there in given.items()}
    for i in undecided:
        fold = folds.get(labels[i], set())
        both = len(fold) > 1 and near_dev[i]
        entries[i].fold = "none" if both else "dev" if fold == {"dev"} else "train"
    free = [there for label, there in members.items() if label not in folds]
    _hold_out_whole(entries, free, share, seed)
    return sum(entries[i].fold == "none" for i in undecided)


def _clusters(entries, similarity):
    """The cluster of each entry, and which open ones resemble an entry of the dev fold."""
    clusters, near_dev = Clusters(len(entries)), np.zeros(len(entries), bool)
    dev = np.array([entry.fold == "dev" for entry in entries], bool)
    for index, others, _ in relatives([entry.sequence for entry in entries], similarity):
        clusters.join(index, others)
        near_dev[index] |= dev[others].any()
        near_dev[others] |= dev[index]
    same = {}
    for i, entry in enumerate(entries):
        same.setdefault(entry.sequence, []).append(i)
    for twins in same.values():  # some are too short to share words
        if len(twins) > 1:
            clusters.join(twins[0], twins[1:])
            near_dev[twins] |= dev[twins].any()
    return clusters.labels().tolist(), near_dev


def _hold_out_whole(entries, clusters, share, seed):
    """Put clusters of open entries into dev, as many as each of their families allows."""
    rows = Counter(key for e in entries if e.fold == "train" for _, _, key in e.labels)
    wanted = Counter(key for there in clusters for e in there for _, _, key in e.labels)
    left = {key: int(share * count + 0.5) for key, count in wanted.items()}
    drawn = [(min(draw_number(seed, entry.sequence) for entry in there), there) for there in clusters]
    for draw, there in sorted(drawn, key=lambda pair: pair[0]):
        lost = Counter(key for entry in there for _, _, key in entry.labels)
        fits = all(left[key] >= count < rows[key] for key, count in lost.items())
        # proteins without a domain count for no family
        if fits and (lost or draw < share):
            rows.subtract(lost)
            for key, count in lost.items():
                left[key] -= count
            for entry in there:
                entry.fold = "dev"


def draw_number(seed, text):
    """Return a number from 0 to below 1 that depends on nothing but seed and text."""
    digest = blake2b(f"{seed}\n{text}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _hold_out_domains(entries, share, seed):
    families = {}
    for entry in entries:
        same = families.setdefault(entry.labels[0][2], {})
        same.setdefault(entry.sequence, []).append(entry)
    for groups in families.values():
        left = int(share * sum(map(len, groups.values())) + 0.5)
        # the last group in the order stays in train whatever its size
        for sequence in sorted(groups, key=lambda text: draw_number(seed, text))[:-1]:
            if len(groups[sequence]) <= left:
                left -= len(groups[sequence])
                for entry in groups[sequence]:
                    entry.fold = "dev"


def _hold_out_proteins(entries, proteins, share, seed):
    rows = Counter(key for e in entries if e.fold == "train" for _, _, key in e.labels)
    drawn = sorted((draw_number(seed, entry.name), i) for i, entry in enumerate(proteins))
    for draw, i in drawn:
        if draw >= share:
            break
        lost = Counter(key for _, _, key in proteins[i].labels)
        if all(rows[key] > count for key, count in lost.items()):
            rows.subtract(lost)
            proteins[i].fold = "dev"
