"""What P-values the scores of a finished network have, by the runtime that scans.

They come from decoys of several lengths and three kinds; the strictest kind counts:

shuffled, reversed   windows of validation sequences
others               validation domains, with their own families and the clans of these masked, so that they
                     stand for domains of unknown families

A family that its profile finds in a decoy, or in the sequence that `others` come from, is no false call of
the network: reversed collagen is like collagen, and labels do not tell of a domain within another. Where a
profile finds something, a scan reports that, and not what the network alone is sure of.

A validation set lacks many families. So each family's own training rows, reversed, give its baseline, over
which its scores count. They come with what surrounds them: repeats stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..families import Family
from ..network.blocks import Blocks
from ..network.candidates import CALLED, Scoring, propose
from ..network.evalues import MOST as SCORES_BELOW
from ..network.evalues import Calibration, Tail
from ..trainset.trainset import Fold
from .sensitivities import LEAST
from .work import Threads

DECOY_LENGTHS = (64, 128, 256, 512, 1024)
FEWEST = 20  # decoys of a length
LONG = 50  # sequences, or domains, of a length
BASELINE, OWN = 0.75, 8  # the quantile of a family's reversed rows that is its baseline; how many, at most
CONTEXT = 512  # residues of the protein on each side of such a row, at most
ALL_OWN = 40  # times as many residues as decoys of a length and kind have all families' rows, at most
JUDGED = 8  # calls of a decoy that profiles judge, the best ones
KINDS = ("shuffled", "reversed", "others")
NOMINAL = (0.001, 0.01, 0.1, 1.0, 10.0)


def never() -> Calibration:
    """The calibration of a network that is never sure: every P-value is 1."""
    return Calibration((Tail(1.0, (SCORES_BELOW,), (0.0,), 1.0),))


def too_little(domains: int, check: list[dict]) -> str:
    """Why E-values cannot be calibrated, "" if they can."""
    if domains < LEAST:
        return f"{domains} validation domains, {LEAST} are needed"
    return "" if "others" in check[0]["kinds"] else "no domains of other families to compare with"


def calibrate(
    runtime,
    train: Fold,
    fold: Fold,
    families: Sequence[Family],
    residues: int,
    seed: int,
    threads: Threads,
    found: Callable[[str, list[int]], set[int]],
) -> tuple[Calibration, list[dict]]:
    """Calibrate a network, and check it on other decoys.

    Arguments:
        train: the training set, of whose rows the baselines are.
        fold: the validation set.
        residues: of the decoys of each length and kind.
        found: those of some `families` that the profiles find in a sequence.

    Returns:
        The calibration; and for several nominal E-values how many calls a decoy has on
        average, of the kind that has more, which should be about E, and of each kind.
    """
    count, scoring = len(families), Scoring.of(families, runtime.block)
    levels = baselines(runtime, train, scoring, ALL_OWN * residues, seed, threads, found)

    def scores(length: int, seed: int) -> dict[str, np.ndarray]:
        wanted = max(residues // length, FEWEST)
        made = list(decoys(fold, length, 2 * wanted, seed))  # of both kinds
        itself = lambda place, some: found(made[place], some)
        rows = decoy_scores(runtime, made, scoring, levels, threads, itself)
        kinds = {"shuffled": rows[::2], "reversed": rows[1::2]}
        # a window in which most families are masked has little left to call
        drawn = others(fold, scoring.clans, length, wanted, seed)
        hard = [other for other in drawn if 2 * other[1].sum() >= count]
        if hard:
            windows, allowed, sources = zip(*hard)
            known = lambda place, some: set().union(*(found(fold.sequences[i], some) for i in sources[place]))
            kinds["others"] = decoy_scores(runtime, windows, scoring, levels, threads, known, allowed)
        width = min(part.shape[1] for part in kinds.values())
        return {kind: part[:, :width] for kind, part in kinds.items()}

    kept = [(int(family), float(levels[family])) for family in np.flatnonzero(levels)]
    calibration = Calibration.fit({n: stricter(scores(n, seed)) for n in DECOY_LENGTHS}, count, kept)
    evalues: dict[str, list] = {kind: [] for kind in KINDS}
    for length in DECOY_LENGTHS:
        for kind, rows in scores(length, seed + 1).items():
            evalues[kind].append(count * np.exp(calibration.log_p(rows, length)))
    return calibration, [checked(nominal, evalues) for nominal in NOMINAL]


def baselines(
    runtime,
    train: Fold,
    scoring: Scoring,
    residues: int,
    seed: int,
    threads: Threads,
    found: Callable[[str, list[int]], set[int]],
) -> np.ndarray:
    """The baseline of each family (F,) in nats, to a tenth: the score that three of four of its training rows
    do not exceed when they are reversed, at least 0. Rows in which the profile finds the family do not count.

    A row has up to `CONTEXT` residues of its protein on each side. The rows have about `residues` in all at
    most; one of each family is scored in any case.
    """
    sizes = np.array([len(sequence) for sequence in train.sequences], int)
    domains = train.domains[np.random.default_rng([seed, 2]).permutation(len(train.domains))]
    domains = domains[np.argsort(domains[:, 3], kind="stable")]
    families = len(scoring.clans)
    first = np.searchsorted(domains[:, 3], np.arange(families + 1))
    index, start, end, _ = domains[first[0] :].T
    lengths = np.minimum(end + CONTEXT, sizes[index]) - np.maximum(start - CONTEXT, 0)
    rows = int(np.clip(residues / (families * lengths.mean()), 1, OWN)) if len(lengths) else 0

    def look(family: int) -> float:
        own = []
        for index, start, end, _ in domains[first[family] : first[family + 1]][:rows].tolist():
            sequence = train.sequences[index][max(start - CONTEXT, 0) : end + CONTEXT][::-1]
            scores, *_ = scoring.best_runs(runtime.blocks(sequence), np.array([family]))
            if scores[0] <= 0 or not found(sequence, [family]):
                own.append(float(scores[0]))
        return max(0.0, round(float(np.quantile(own, BASELINE)), 1)) if own else 0.0

    return np.array(threads.map("baselines", look, range(families)))


def decoy_scores(
    runtime,
    sequences: Sequence[str],
    scoring: Scoring,
    levels: np.ndarray,
    threads: Threads,
    known: Callable[[int, list[int]], set[int]],
    allowed: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Best scores of each decoy (n, at most CALLED) over the families' baselines, `levels` (F,), falling.

    `known` gives those of some families that are in a decoy after all, and have no score but the lowest;
    `allowed` are each decoy's families, bool (F,).
    """

    def look(place: int) -> np.ndarray:
        blocks, there = runtime.blocks(sequences[place]), np.arange(len(levels))
        if allowed is not None:
            there = np.flatnonzero(allowed[place])
            blocks = Blocks.of(blocks.logits()[:, np.concatenate([[0], there + 1])])
        proposal = propose(blocks, runtime.block, len(sequences[place]), scoring.take(there))
        families = there[proposal.families[: len(proposal.scores)]]
        scores = proposal.scores - levels[families]
        order = np.argsort(-scores, kind="stable")[:CALLED]
        families, scores = families[order], scores[order]
        judged = families[:JUDGED][scores[:JUDGED] > 0].tolist()
        there_after_all = np.isin(families, list(known(place, judged) if judged else ()))
        return np.sort(np.where(there_after_all, min(scores[-1], 0), scores))[::-1]

    rows = threads.map("decoys", look, range(len(sequences)))
    width = min(len(row) for row in rows)
    return np.array([row[:width] for row in rows])


def long_enough(length: int, lengths: np.ndarray) -> np.ndarray:
    """Places of the sequences of at least this length if `LONG` are that long, or else of the longest."""
    return np.flatnonzero(lengths >= min([length, *np.sort(lengths)[-LONG:][:1]]))


def decoys(fold: Fold, length: int, count: int, seed: int) -> Iterator[str]:
    """`count` decoys of `length` residues from a fold, shuffled and reversed in turn.

    They are of `long_enough` sequences, each as often as the others, joined end to end if need be: a reversed
    sequence may resemble its family from end to end, by its composition for instance, and the score of many
    blocks is their sum.
    """
    rng = np.random.default_rng([seed, length])
    places = long_enough(length, np.array(list(map(len, fold.sequences))))
    turns = [in_turn(places, rng), in_turn(places, rng)]
    for number in range(count):
        window = ""
        while len(window) < length:
            sequence = fold.sequences[next(turns[number % 2])]
            start = int(rng.integers(0, max(len(sequence) - length, 0) + 1))
            window += sequence[start : start + length - len(window)]
        yield window[::-1] if number % 2 else "".join(rng.permutation(list(window)))


def in_turn(items: Sequence, rng: np.random.Generator) -> Iterator:
    """The items in a random order, again and again, each time in another."""
    while len(items):
        for place in rng.permutation(len(items)).tolist():
            yield items[place]


def others(
    fold: Fold, clans: np.ndarray, length: int, count: int, seed: int
) -> Iterator[tuple[str, np.ndarray, set[int]]]:
    """`count` windows of `length` residues of domains: residues, the families, bool (F,), that are not
    masked, and the sequences they are of.

    Families take turns, and the domains of each, for unknown families are not mostly large ones.
    Domains are `long_enough`, joined end to end if need be: a chance resemblance continues to the end of a
    domain.
    """
    rng = np.random.default_rng([seed, length, 1])
    known = fold.domains[fold.domains[:, 3] >= 0]
    known = known[np.argsort(known[:, 0], kind="stable")]
    chosen = known[long_enough(length, known[:, 2] - known[:, 1])]
    groups = [in_turn(chosen[chosen[:, 3] == family].tolist(), rng) for family in np.unique(chosen[:, 3])]
    turns = in_turn(groups, rng)
    for _ in range(count if groups else 0):
        window, there, sources = "", [], set()
        while len(window) < length:
            index, start, end, _ = next(next(turns))
            sources.add(index)
            start += int(rng.integers(0, max(end - start - length, 0) + 1))
            end = min(end, start + length - len(window))
            window += fold.sequences[index][start:end]
            here = known[slice(*np.searchsorted(known[:, 0], (index, index + 1)))]
            there += here[(here[:, 1] < end) & (here[:, 2] > start), 3].tolist()
        yield window, ~np.isin(clans, clans[there]), sources


def stricter(found: dict[str, np.ndarray]) -> np.ndarray:
    """The scores of one length, rank by rank those of the kind of decoys with the highest ones."""
    count = max(map(len, found.values()))
    alike = [part[np.arange(count) % len(part)] for part in found.values()]  # as many of each
    return np.max([np.sort(part, axis=None) for part in alike], axis=0).reshape(alike[0].shape)


def checked(nominal: float, evalues: dict[str, list[np.ndarray]]) -> dict:
    """How many calls of at most this E-value a decoy has: of the kind that has more, and of each kind.

    `evalues` are those of each length; the lengths count alike.
    """
    rates = {
        kind: float(np.mean([(rows <= nominal).sum() / len(rows) for rows in parts]))
        for kind, parts in evalues.items()
        if parts
    }
    observed = max(rates.values())
    kinds = {kind: round(rate, 5) for kind, rate in rates.items()}
    return {"nominal": nominal, "observed": round(observed, 5), "kinds": kinds}
