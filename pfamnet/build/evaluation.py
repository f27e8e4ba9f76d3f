"""How accurate a finished network is on the validation set, and how fast.

The network predicts through the runtime that scans, without profiles. `tables` are written to
`evaluation/` of a model directory, one row for each network and

    accuracy_by_family.tsv   family: training rows, validation domains, how many predicted correctly
    accuracy_by_size.tsv     range of training rows: families, validation domains, predicted correctly
    confusion_in_clans.tsv   family, and the sister of its clan that it was taken for: how often
    latency.tsv              length: milliseconds for one sequence, one thread
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..families import Family
from ..training.corpus import Corpus
from ..training.dev_accuracy import Measure
from .work import Threads

SIZES = ((0, 0), (1, 3), (4, 10), (11, 30), (31, 100), (101, None))  # training rows
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)  # residues
PATIENCE = 2.0  # seconds for one sequence
Tables = dict[str, tuple[tuple[str, ...], list[tuple]]]  # name: columns, rows


@dataclass(frozen=True)
class Evaluation:
    """What a network predicts for validation domains (n,), families by index."""

    family: np.ndarray
    called: np.ndarray  # the predicted family
    right: np.ndarray  # whether it is one of those that are there
    latency: list[tuple[int, float]]  # residues and seconds

    def summary(self) -> dict:
        """What model.json keeps: accuracy over domains, its mean over families, macro-F1."""
        if not len(self.family):
            return {}
        domains, right = self.counts(0)
        return {
            "regions": len(self.family),
            "accuracy": round(float(self.right.mean()), 5),
            "family_mean": round(float((right[domains > 0] / domains[domains > 0]).mean()), 5),
            "families": int((domains > 0).sum()),
            "macro_f1": round(self.macro_f1(), 5),
        }

    def counts(self, families: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each of at least so many families: domains, and how many are predicted correctly."""
        domains = np.bincount(self.family, minlength=families)
        return domains, np.bincount(self.family[self.right], minlength=len(domains))

    def macro_f1(self) -> float:
        """Mean over families of the harmonic mean of precision and recall, as in scikit-learn.

        A sister family that is there too counts as the family itself.
        """
        called = np.where(self.right, self.family, self.called)
        domains, right = self.counts(int(called.max()) + 1)
        both = domains + np.bincount(called, minlength=len(domains))
        return float((2 * right[both > 0] / both[both > 0]).mean())


def evaluate(runtime, dev: Corpus, limit: int, threads: Threads, residues: int | None = None) -> Evaluation:
    """Predict at most `limit` validation domains, of at most `residues`; the same ones each time."""
    measure = Measure(dev, runtime.block, limit)
    regions = measure.regions
    if residues is not None:
        within = np.cumsum([len(region.tokens) for region in regions]) <= residues
        regions = regions[: max(1, int(within.sum()))]

    def predict(region) -> int:
        rising = runtime.run(region.tokens.astype(np.int64))[0]  # logits, or levels that rise with them
        return int(rising[region.first : region.last, 1:].mean(0).argmax())

    called = threads.map("evaluation", predict, regions)
    right = [family in measure.right[region.row] for region, family in zip(regions, called)]
    family = dev.domains[[region.row for region in regions], 3]
    return Evaluation(family, np.array(called, int), np.array(right, bool), latency(runtime))


def latency(runtime) -> list[tuple[int, float]]:
    """(residues, seconds) for several lengths, median of three runs; no length beyond a slow one."""
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


def tables(families: list[Family], evaluations: dict[str, Evaluation]) -> Tables:
    """The tables of all networks, without their suffix."""
    kinds = {
        "accuracy_by_family": ("accession name clan rows domains right accuracy", by_family),
        "accuracy_by_size": ("least_rows most_rows families domains right accuracy", by_size),
        "confusion_in_clans": ("clan family called times domains", confusion),
        "latency": ("residues milliseconds residues_per_second", by_length),
    }
    found = {}
    for table, (columns, of) in kinds.items():
        rows = [(name, *map(str, row)) for name, made in evaluations.items() for row in of(made, families)]
        found[table] = ("network", *columns.split()), rows
    return found


def write_tables(folder: Path, tables: Tables) -> None:
    """Write tables to a directory, which is made."""
    folder.mkdir()
    for name, (columns, rows) in tables.items():
        text = "".join("\t".join(line) + "\n" for line in (columns, *rows))
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8", errors="surrogateescape")


def by_family(made: Evaluation, families: list[Family]):
    """Families without a validation domain have no row."""
    for family, domains, right in zip(families, *made.counts(len(families))):
        if domains:
            clan, accuracy = family.clan or "-", f"{right / domains:.4f}"
            yield family.accession, family.name, clan, family.rows, domains, right, accuracy


def by_size(made: Evaluation, families: list[Family]):
    domains, right = made.counts(len(families))
    rows = np.array([family.rows for family in families])
    for least, most in SIZES:
        chosen = (rows >= least) & (rows <= (rows.max() if most is None else most)) & (domains > 0)
        if chosen.any():
            there, correct = domains[chosen].sum(), right[chosen].sum()
            yield least, "-" if most is None else most, chosen.sum(), there, correct, f"{correct / there:.4f}"


def confusion(made: Evaluation, families: list[Family]):
    """Wrong predictions of another family of the same clan, the most frequent first."""
    domains, _ = made.counts(len(families))
    pairs = Counter(zip(made.family[~made.right].tolist(), made.called[~made.right].tolist()))
    for (family, called), times in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0])):
        clan = families[family].clan
        if clan and clan == families[called].clan:
            yield clan, families[family].name, families[called].name, times, domains[family]


def by_length(made: Evaluation, _):
    for length, seconds in made.latency:
        yield length, f"{1000 * seconds:.3f}", f"{length / seconds:.0f}"
