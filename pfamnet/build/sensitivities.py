"""How candidates are chosen: `sensitivities` of model.json, by the validation set and the runtime that scans.

One threshold on the peaks of all proteins gives the wanted average number of candidates. If fewer
candidates reach the wanted recall, it is higher.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..network.blocks import Blocks
from ..network.candidates import Matches, best_blocks, spans
from ..trainset.trainset import Fold
from .work import Threads

LEAST = 10  # validation domains from which thresholds are learnt; from fewer they are not
MOST = 2  # times the average number of candidates that one protein may have
EVERY_FAMILY = -1e9  # a threshold that every peak passes
RANKS = (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
Matched = Callable[[str], Matches]  # of the words in a sequence
Peaks = list[tuple[int, np.ndarray]]  # spans, and peaks of all families, falling


def dev_ranks(
    runtime, fold: Fold, limit: int, threads: Threads, matched: Matched | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rank (0 = first) and peak of the correct family, for the domains of at most `limit` sequences.

    `matched` gives the matches of a sequence's words.
    """
    families: dict[int, list[int]] = {}
    for index, _, _, family in fold.domains.tolist():
        if family >= 0:
            families.setdefault(index, []).append(family)

    def look(index: int) -> list[tuple[float, float]]:
        sequence = fold.sequences[index]
        peaks = all_of(runtime.blocks(sequence), sequence, matched)
        places = np.argsort(np.argsort(-peaks, kind="stable"))
        return [(places[family], peaks[family]) for family in families[index]]

    chosen = np.random.default_rng(0).permutation(list(families))[:limit].tolist()
    found = [pair for pairs in threads.map("ranks", look, chosen) for pair in pairs]
    ranks, peaks = np.array(found, float).reshape(-1, 2).T
    return ranks, peaks


def recall_by_rank(ranks: np.ndarray) -> dict[str, float]:
    """Fraction of the domains whose family is among the first n, for several n."""
    return {str(n): round(float((ranks < n).mean()), 5) for n in RANKS}


def peaks_of_all(runtime, fold: Fold, limit: int, threads: Threads, matched: Matched | None = None) -> Peaks:
    """The peaks of at most `limit` sequences of a fold; `matched` as for `dev_ranks`."""

    def look(index: int) -> tuple[int, np.ndarray]:
        blocks = runtime.blocks(fold.sequences[index])
        return spans(blocks.count), np.sort(all_of(blocks, fold.sequences[index], matched))[::-1]

    chosen = np.random.default_rng(1).permutation(len(fold.sequences))[:limit].tolist()
    return threads.map("peaks", look, chosen)


def all_of(blocks: Blocks, sequence: str, matched: Matched | None) -> np.ndarray:
    """The peaks of all families in a sequence."""
    return best_blocks(blocks, matches=matched and matched(sequence))[1]


def choose_sensitivities(
    ranks: np.ndarray, peaks: np.ndarray, all_peaks: Peaks, candidates: int, recall: float
) -> dict[str, dict]:
    """`sensitivities` of model.json; by default `candidates` of a span on average, and `recall`.

    If the model has no more families than candidates, every family is one: a threshold would only lose hits.
    From fewer than `LEAST` domains no threshold is learnt either.
    The arrays are those of `dev_ranks` and `peaks_of_all`.
    """
    settings = {
        "fast": (max(candidates // 2, 1), max(0.0, 1 - 3 * (1 - recall))),
        "default": (candidates, recall),
        "sensitive": (4 * candidates, 1.0),
    }
    families, chosen = len(all_peaks[0][1]), {}
    for name, (mean, wanted) in settings.items():
        if families <= mean or len(ranks) < LEAST:
            threshold = EVERY_FAMILY
        else:
            threshold = usual_threshold(all_peaks, mean)
            if wanted < 1:  # a threshold that keeps every validation domain says little of other domains
                threshold = max(threshold, recall_threshold(ranks, peaks, MOST * mean, wanted))
        chosen[name] = {"candidates": mean, "most": MOST * mean, "recall": wanted, "threshold": threshold}
        chosen[name]["passing"] = round(mean_passing(all_peaks, threshold, MOST * mean), 1)
    return chosen


def mean_passing(all_peaks: Peaks, threshold: float, most: int) -> float:
    """The candidates of a span that pass a threshold, on average."""
    passing = [min(int((peaks >= threshold).sum()), most * count) for count, peaks in all_peaks]
    return sum(passing) / sum(count for count, _ in all_peaks)


def usual_threshold(all_peaks: Peaks, mean: int) -> float:
    """The threshold that `mean` candidates of a span pass on average, at most `MOST` times that in one."""
    passing = np.sort(np.concatenate([peaks[: MOST * mean * count] for count, peaks in all_peaks]))[::-1]
    wanted = mean * sum(count for count, _ in all_peaks)
    return float(passing[min(wanted, len(passing)) - 1])


def recall_threshold(ranks: np.ndarray, peaks: np.ndarray, most: int, recall: float) -> float:
    """The highest threshold that keeps `recall` with at most `most` candidates.

    If the limit on candidates alone loses more, the threshold loses nothing in addition.
    """
    kept = np.sort(peaks[ranks < most])[::-1]
    wanted = max(1, min(len(kept), int(np.ceil(recall * len(peaks)))))
    return float(kept[wanted - 1]) if len(kept) else 0.0
