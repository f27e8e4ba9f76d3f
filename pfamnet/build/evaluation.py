"""What a finished network is right about on dev, and how fast it is, as tables.

Each network is asked as a scan asks it, through its runtime, and without
profiles.  Written into `evaluation/` of a model directory, one row for each
network and

    accuracy_by_family.tsv   family: training rows, dev domains, how many named rightly
    accuracy_by_size.tsv     range of training rows: families, dev domains, named rightly
    confusion_in_clans.tsv   family, and the sister of its clan that it was taken for: how often
    latency.tsv              length: milliseconds for one sequence, one thread
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PfamnetError
from ..families import Family
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure

FOLDER, LATENCY = "evaluation", "latency.tsv"
SIZES = ((0, 0), (1, 3), (4, 10), (11, 30), (31, 100), (101, None))  # training rows
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)  # residues
PATIENCE = 2.0  # seconds for one sequence


@dataclass(frozen=True)
class Evaluation:
    """What a network said of dev domains: (n,) each, families by index.

    `called` is the family named; `right` whether it is one of those that are
    there. `latency`: (residues, seconds) for several lengths.
    """

    family: np.ndarray
    called: np.ndarray
    right: np.ndarray
    latency: list[tuple[int, float]]

    def summary(self) -> dict:
        """What model.json keeps of it: accuracy over domains, its mean over families, macro-F1."""
        if not len(self.family):
            return {}
        return {
            "regions": len(self.family),
            "accuracy": round(float(self.right.mean()), 5),
            "family_mean": round(
                float(
                    np.mean([self.right[self.family == family].mean() for family in np.unique(self.family)])
                ),
                5,
            ),
            "families": len(np.unique(self.family)),
            "macro_f1": round(self.macro_f1(), 5),
        }

    def macro_f1(self) -> float:
        """Mean over families of the harmonic mean of precision and recall.

        Over families that are there or were called, as scikit-learn does it; a
        sister family that is there too counts as the family itself.
        """
        called = np.where(self.right, self.family, self.called)
        wanted, named, right = (
            np.bincount(rows, minlength=int(max(self.family.max(), called.max())) + 1)
            for rows in (self.family, called, self.family[self.right])
        )
        seen = wanted + named > 0
        return float((2 * right[seen] / (wanted + named)[seen]).mean())


def evaluate(
    runtime, dev: Corpus, limit: int, cpus: int, watch: Callable, residues: int | None = None
) -> Evaluation:
    """Name `limit` domains of dev at most, of `residues` at most, the same ones each time.

    `watch` wraps the iteration.
    """
    measure = Measure(dev, runtime.block, limit)
    regions = measure.regions
    if residues is not None:
        within = np.cumsum([len(region.tokens) for region in regions]) <= residues
        regions = regions[: max(1, int(within.sum()))]

    def name(region) -> int:
        logits = runtime.run(region.tokens.astype(np.int64))
        return int(logits[region.first : region.last, 1:].mean(0).argmax())

    with ThreadPoolExecutor(cpus) as pool:
        called = list(watch(pool.map(name, regions), len(regions)))
    right = [family in measure.right[region.row] for region, family in zip(regions, called)]
    rows = [region.row for region in regions]
    return Evaluation(dev.domains[rows, 3], np.array(called, int), np.array(right, bool), latency(runtime))


def latency(runtime) -> list[tuple[int, float]]:
    """Seconds for one sequence of several lengths, median of three; none longer once that takes long."""
    rng, found = np.random.default_rng(0), []
    for length in LENGTHS:
        sequence = "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), length))
        runtime.logits(sequence)  # the first of a shape takes longer
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            runtime.logits(sequence)
            times.append(time.perf_counter() - begun)
        found.append((length, float(np.median(times))))
        if found[-1][1] > PATIENCE:
            break
    return found


def write_evaluations(folder: Path, families: list[Family], evaluations: dict[str, Evaluation]) -> None:
    """The tables of all networks, in a directory that is made."""
    folder.mkdir()
    tables = {
        "accuracy_by_family.tsv": (
            ("accession", "name", "clan", "rows", "domains", "right", "accuracy"),
            by_family,
        ),
        "accuracy_by_size.tsv": (
            ("least_rows", "most_rows", "families", "domains", "right", "accuracy"),
            by_size,
        ),
        "confusion_in_clans.tsv": (("clan", "family", "called", "times", "domains"), confusion),
        LATENCY: (("residues", "milliseconds", "residues_per_second"), lambda e, _: by_length(e)),
    }
    for file, (columns, rows) in tables.items():
        lines = [("network", *columns)]
        lines += [
            (name, *row) for name, evaluation in evaluations.items() for row in rows(evaluation, families)
        ]
        (folder / file).write_text(
            "".join("\t".join(map(str, line)) + "\n" for line in lines), encoding="utf-8"
        )


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of one of the tables."""
    try:
        head, *rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise PfamnetError(f"{path}: no table ({error})") from None
    return head, rows


def counts(evaluation: Evaluation, families: list[Family]) -> tuple[np.ndarray, np.ndarray]:
    """Of each family (F,): dev domains, and how many were named rightly."""
    return (
        np.bincount(evaluation.family, minlength=len(families)),
        np.bincount(evaluation.family[evaluation.right], minlength=len(families)),
    )


def by_family(evaluation: Evaluation, families: list[Family]):
    """Families without a dev domain have no row."""
    for family, domains, right in zip(families, *counts(evaluation, families)):
        if domains:
            yield (
                family.accession,
                family.name,
                family.clan or "-",
                family.rows,
                domains,
                right,
                f"{right / domains:.4f}",
            )


def by_size(evaluation: Evaluation, families: list[Family]):
    domains, right = counts(evaluation, families)
    rows = np.array([family.rows for family in families])
    for least, most in SIZES:
        chosen = (rows >= least) & (rows <= (rows.max() if most is None else most)) & (domains > 0)
        if chosen.any():
            share = right[chosen].sum() / domains[chosen].sum()
            yield (
                least,
                "-" if most is None else most,
                int(chosen.sum()),
                domains[chosen].sum(),
                right[chosen].sum(),
                f"{share:.4f}",
            )


def confusion(evaluation: Evaluation, families: list[Family]):
    """Wrong names that are another family of the same clan, the most frequent first."""
    domains, _ = counts(evaluation, families)
    wrong = ~evaluation.right
    pairs = Counter(zip(evaluation.family[wrong].tolist(), evaluation.called[wrong].tolist()))
    for (family, called), times in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0])):
        clan = families[family].clan
        if clan and clan == families[called].clan:
            yield clan, families[family].name, families[called].name, times, domains[family]


def by_length(evaluation: Evaluation):
    for length, seconds in evaluation.latency:
        yield length, f"{1000 * seconds:.3f}", f"{length / seconds:.0f}"
