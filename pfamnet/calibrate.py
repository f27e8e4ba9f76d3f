"""How a finished network is to be read: candidate threshold and P-values.

The threshold is chosen on the dev fold for a stated recall: the share of dev
domains whose family is among the candidates of their protein.  The P-values
come from decoys: windows of dev sequences, half of them shuffled and half
reversed, of several lengths.  Both go through the very runtime that scans.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator

import numpy as np

from .candidates import CALLED, propose
from .pvalues import Calibration

DECOY_LENGTHS = (64, 128, 256, 512, 1024)
FEWEST = 20     # decoys of a length
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
            window += sequence[start:start + length - len(window)]
        if number % 2:
            yield window[::-1]
        else:
            yield "".join(rng.permutation(list(window)))


def calibrate(runtime, fold, families: int, residues: int, seed: int, cpus: int,
              watch: Callable) -> tuple[Calibration, list[dict]]:
    """Calibration of a network, and its check on other decoys.

    Decoys of `residues` residues in all, of each length, for either.  The check counts, for nominal E from
    0.001 to 10, how many calls a decoy has on average: it should be about E.
    """
    def scores(seed: int) -> dict[int, np.ndarray]:
        return {length: decoy_scores(
                    runtime, list(decoys(fold, length, max(residues // length, FEWEST), seed)), cpus, watch)
                for length in DECOY_LENGTHS}

    calibration, check, fresh = Calibration.fit(scores(seed), families), [], scores(seed + 1)
    for nominal in NOMINAL:
        calls = sum(int((families * np.exp(calibration.log_p(rows, length)) <= nominal).sum())
                    for length, rows in fresh.items())
        observed = calls / sum(len(rows) for rows in fresh.values())
        check.append({"nominal": nominal, "observed": round(observed, 5)})
    return calibration, check


def decoy_scores(runtime, sequences: list[str], cpus: int, watch: Callable) -> np.ndarray:
    """Best scores of each decoy (n, min(CALLED, families)), in no order."""
    def look(sequence: str) -> np.ndarray:
        return propose(runtime.logits(sequence), runtime.block, len(sequence)).scores[:CALLED]

    with ThreadPoolExecutor(cpus) as pool:
        rows = list(watch(pool.map(look, sequences), len(sequences)))
    width = min(len(row) for row in rows)
    return np.array([row[:width] for row in rows])
