"""How a finished network is to be read: candidate threshold and P-values.

The threshold is chosen on the dev fold for a stated recall: the share of dev
domains whose family is among the candidates of their protein.  The P-values
come from decoys of several lengths, of two sorts, and are those of the sort that scores higher:

order    windows of dev sequences, half of them shuffled and half reversed;
others   dev domains as they are, of which the families that lie there and all of their
         clans are struck out: what the network makes of a family that it does not know is
         what it makes of a known one when it may not name it.

The latter are much harder where domains are long: a family that the network never saw
resembles some that it knows, as no shuffled sequence does.  Log-odds are against "no family",
and striking out others leaves these as they are; but a network that was trained to be sure
of a family holds all others down there.  Families that are truly unseen were taken for
others as often as the E-value says by a light network, twice as often by a fine-tuned ESM-2.

All go through the very runtime that scans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..network.candidates import CALLED, propose
from ..network.evalues import Calibration

DECOY_LENGTHS = (64, 128, 256, 512, 1024)
FEWEST = 20  # decoys of a length
LONG = 50  # domains of a length
KINDS = ("shuffled", "reversed", "others")
NOMINAL = (0.001, 0.01, 0.1, 1.0, 10.0)
RANKS = (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def dev_ranks(runtime, fold, limit: int, cpus: int, watch: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Rank (0 = first) and peak of the right family, for the domains of `limit` dev sequences.

    `watch` wraps the iteration (progress).
    """
    of_sequence: dict[int, list[int]] = {}
    for index, _, _, family in fold.domains.tolist():
        if family >= 0:
            of_sequence.setdefault(index, []).append(family)
    chosen = np.random.default_rng(0).permutation(list(of_sequence))[:limit].tolist()

    def look(index: int) -> list[tuple[float, float]]:
        sequence = fold.sequences[index]
        proposal = propose(runtime.logits(sequence), runtime.block, len(sequence))
        places = {family: place for place, family in enumerate(proposal.families.tolist())}
        return [(places[family], proposal.peaks[places[family]]) for family in of_sequence[index]]

    with ThreadPoolExecutor(cpus) as pool:
        found = [pair for pairs in watch(pool.map(look, chosen), len(chosen)) for pair in pairs]
    ranks, peaks = np.array(found, float).reshape(-1, 2).T
    return ranks, peaks


def choose_threshold(ranks: np.ndarray, peaks: np.ndarray, most: int, recall: float) -> float:
    """The highest peak threshold that, with at most `most` candidates, keeps `recall`.

    Where the limit on candidates alone loses more than that, the threshold
    loses nothing in addition: it is the lowest peak among those kept.
    """
    kept = np.sort(peaks[ranks < most])[::-1]
    if not len(kept):
        return 0.0
    wanted = min(len(kept), int(np.ceil(recall * len(peaks))))
    return float(kept[wanted - 1])


def recall_by_rank(ranks: np.ndarray) -> dict[str, float]:
    """Share of the domains whose family is among the first n, for several n."""
    return {str(n): round(float((ranks < n).mean()), 5) for n in RANKS}


def decoys(fold, length: int, count: int, seed: int) -> Iterator[str]:
    """`count` decoys of `length` residues from a fold, shuffled and reversed in turn."""
    rng = np.random.default_rng([seed, length])
    for number in range(count):
        window = ""
        while len(window) < length:
            sequence = fold.sequences[int(rng.integers(len(fold.sequences)))]
            start = int(rng.integers(0, max(len(sequence) - length, 0) + 1))
            window += sequence[start : start + length - len(window)]
        if number % 2:
            yield window[::-1]
        else:
            yield "".join(rng.permutation(list(window)))


def others(fold, clans: list[str], length: int, count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """`count` windows of `length` residues of a fold's domains, and the families (F,) bool that may be named there.

    A family is drawn, then one of its domains, as families that a network does not know are not mostly
    large ones.  Windows are of domains of their length, if there are `LONG` of them, else of the longest,
    end to end: a chance resemblance goes on to the end of a domain.  `clans` are those of the families, "" for none.
    """
    rng = np.random.default_rng([seed, length, 1])
    _, clan = np.unique([name or f"#{place}" for place, name in enumerate(clans)], return_inverse=True)
    labels = Labels(fold)
    groups = labels.by_family(length)
    for _ in range(count if groups else 0):
        window, there = "", []
        while len(window) < length:
            group = groups[int(rng.integers(len(groups)))]
            index, start, end, _ = group[int(rng.integers(len(group)))].tolist()
            start += int(rng.integers(0, max(end - start - length, 0) + 1))
            end = min(end, start + length - len(window))
            window += fold.sequences[index][start:end]
            there += labels.on(index, start, end)
        yield window, ~np.isin(clan, clan[there])


class Labels:
    """The labelled domains of a fold: `known` (n, 4), of families that the model has."""

    def __init__(self, fold):
        domains = fold.domains[np.argsort(fold.domains[:, 0], kind="stable")]
        self.known = domains[domains[:, 3] >= 0]

    def by_family(self, length: int) -> list[np.ndarray]:
        """Domains of `length` residues or more, or else the `LONG` longest, of each family that has one."""
        lengths = self.known[:, 2] - self.known[:, 1]
        chosen = self.known[lengths >= min([length, *np.sort(lengths)[-LONG:][:1]])]
        return [chosen[chosen[:, 3] == family] for family in np.unique(chosen[:, 3])]

    def on(self, index: int, start: int, end: int) -> list[int]:
        """The families with a label on residues [start, end) of a sequence."""
        first, last = np.searchsorted(self.known[:, 0], (index, index + 1))
        here = self.known[first:last]
        return here[(here[:, 1] < end) & (here[:, 2] > start), 3].tolist()


def calibrate(
    runtime,
    fold,
    families: int,
    residues: int,
    seed: int,
    cpus: int,
    watch: Callable,
    clans: list[str] | None = None,
) -> tuple[Calibration, list[dict]]:
    """Calibration of a network, and its check on other decoys.

    Decoys of `residues` residues in all, of each length and either kind.  `clans` are those of the
    families, "" for none.  The check counts, for nominal E from 0.001 to 10, how many calls a decoy has on
    average, of the sort that has more: it should be about E; and the same for each kind.
    """
    clans = clans or [""] * families

    def scores(seed: int) -> dict[int, dict[str, np.ndarray]]:
        return {length: scores_of(length, seed) for length in DECOY_LENGTHS}

    def scores_of(length: int, seed: int) -> dict[str, np.ndarray]:
        count = max(residues // length, FEWEST)
        rows = decoy_scores(runtime, list(decoys(fold, length, count, seed)), cpus, watch)
        hard = [
            window for window in others(fold, clans, length, count, seed) if 2 * window[1].sum() >= families
        ]  # else there is little left to name
        found = {"shuffled": rows[::2], "reversed": rows[1::2]}
        if hard:
            windows, named = zip(*hard)
            found["others"] = decoy_scores(runtime, windows, cpus, watch, named)
        width = min(part.shape[1] for part in found.values())
        return {kind: part[:, :width] for kind, part in found.items()}

    calibration = Calibration.fit({length: harder(found) for length, found in scores(seed).items()}, families)
    calls = {kind: [] for kind in KINDS}
    for length, found in scores(seed + 1).items():
        for kind, rows in found.items():
            calls[kind].append(families * np.exp(calibration.log_p(rows, length)))
    return calibration, [checked(nominal, calls) for nominal in NOMINAL]


def harder(found: dict[str, np.ndarray]) -> np.ndarray:
    """The scores of one length, rank by rank those of the sort of decoys that has the higher ones."""
    order = np.concatenate([found["shuffled"], found["reversed"]])
    if "others" not in found:
        return order
    others = found["others"][np.arange(len(order)) % len(found["others"])]  # as many
    return np.maximum(np.sort(order, axis=None), np.sort(others, axis=None)).reshape(order.shape)


def checked(nominal: float, calls: dict[str, list[np.ndarray]]) -> dict:
    """How many calls a decoy has at an E-value: of the sort that has more, and by kind."""
    rates = {
        kind: sum(int((rows <= nominal).sum()) for rows in parts) / sum(len(rows) for rows in parts)
        for kind, parts in calls.items()
        if parts
    }
    observed = max((rates["shuffled"] + rates["reversed"]) / 2, rates.get("others", 0.0))
    return {
        "nominal": nominal,
        "observed": round(observed, 5),
        "kinds": {kind: round(rate, 5) for kind, rate in rates.items()},
    }


def decoy_scores(runtime, sequences, cpus: int, watch: Callable, named=None) -> np.ndarray:
    """Best scores of each decoy (n, at most CALLED), in no order; `named` are the families that may be, bool (F,)."""

    def look(place: int) -> np.ndarray:
        logits = runtime.logits(sequences[place])
        if named is not None:
            logits = logits[:, np.concatenate([[True], named[place]])]
        return propose(logits, runtime.block, len(sequences[place])).scores[:CALLED]

    with ThreadPoolExecutor(cpus) as pool:
        rows = list(watch(pool.map(look, range(len(sequences))), len(sequences)))
    width = min(len(row) for row in rows)
    return np.array([row[:width] for row in rows])
