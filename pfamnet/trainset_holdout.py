"""A dev fold for inputs that have none: the same rows in every run, on every machine."""

from collections import Counter
from hashlib import blake2b


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


def _draw(seed, text):
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
        for sequence in sorted(groups, key=lambda text: _draw(seed, text))[:-1]:
            if len(groups[sequence]) <= left:
                left -= len(groups[sequence])
                for entry in groups[sequence]:
                    entry.fold = "dev"


def _hold_out_proteins(entries, proteins, share, seed):
    rows = Counter(key for e in entries if e.fold == "train" for _, _, key in e.labels)
    drawn = sorted((_draw(seed, entry.name), i) for i, entry in enumerate(proteins))
    for draw, i in drawn:
        if draw >= share:
            break
        lost = Counter(key for _, _, key in proteins[i].labels)
        if all(rows[key] > count for key, count in lost.items()):
            rows.subtract(lost)
            proteins[i].fold = "dev"
