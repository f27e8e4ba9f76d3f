"""How a network's modes choose candidates: a threshold on peaks, and a limit.

Proteins differ in how many families they resemble.  So what is given is how many
candidates there are on average, and one threshold for all proteins: with as many
candidates it finds more than an equal number for each protein would.  Where fewer
are enough for the recall that is aimed at, if that is below 1, the threshold is the higher one of that.
The limit for one protein, twice the average, guards against the odd one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..network.candidates import best_blocks, spans
from .calibration import choose_threshold

MOST = 2  # times the average that one protein may have


def mode_settings(candidates: int, recall: float) -> dict[str, tuple[int, float]]:
    """(candidates of a span on average, recall aimed at) of each mode, from those of the default."""
    return {
        "fast": (max(candidates // 2, 1), 1 - 3 * (1 - recall)),
        "default": (candidates, recall),
        "sensitive": (4 * candidates, 1.0),
    }


def choose_modes(
    ranks: np.ndarray,
    peaks: np.ndarray,
    all_peaks: list[tuple[int, np.ndarray]],
    candidates: int,
    recall: float,
) -> dict[str, dict]:
    """The entries of `modes` in model.json.

    `ranks` and `peaks` are those of right families (`dev_ranks`), `all_peaks` those of all.
    """
    modes = {}
    for mode, (mean, wanted) in mode_settings(candidates, recall).items():
        threshold = usual_threshold(all_peaks, mean)
        if wanted < 1:  # what keeps all of some dev domains says little of those to come
            threshold = max(threshold, choose_threshold(ranks, peaks, MOST * mean, wanted))
        modes[mode] = {"candidates": mean, "most": MOST * mean, "recall": wanted, "threshold": threshold}
    return modes


def peaks_of_all(runtime, fold, limit: int, cpus: int, watch: Callable) -> list[tuple[int, np.ndarray]]:
    """(spans, peaks of all families, falling) of `limit` sequences of a fold; `watch` wraps the iteration."""
    chosen = np.random.default_rng(1).permutation(len(fold.sequences))[:limit].tolist()

    def look(index: int) -> tuple[int, np.ndarray]:
        logits = runtime.logits(fold.sequences[index])
        return spans(len(logits)), np.sort(best_blocks(logits))[::-1]

    with ThreadPoolExecutor(cpus) as pool:
        return list(watch(pool.map(look, chosen), len(chosen)))


def usual_threshold(all_peaks: list[tuple[int, np.ndarray]], mean: int) -> float:
    """The threshold that a span's candidates pass, of which there are `mean` on average.

    No sequence counts with more than `MOST` times as many.
    """
    passing = np.sort(np.concatenate([peaks[: MOST * mean * count] for count, peaks in all_peaks]))[::-1]
    wanted = mean * sum(count for count, _ in all_peaks)
    return float(passing[min(wanted, len(passing)) - 1])
