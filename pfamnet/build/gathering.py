"""Gathering thresholds (GA) for profiles that have none, so that `--cut_ga` works.

Pfam's curators set two bit scores for each family, for the whole sequence and for a
domain, above what they know to be false.  Here they are set from what each profile
scores, full sequence and best domain:

    known    dev domains of the family, cut out; without filters
    train    where dev has fewer than `FEW` of them, train domains too.  The profile was
             made of these and scores them too well: they only bound the threshold from
             above, at `TRAIN_SHARE` of what the weaker ones score
    others   a sample of domains of other families, about as many of each, and the same
             reversed and shuffled; with the filters, which pass whatever is strong

Domains of the same clan, or on the same residues as one of it, are not among the
others of a family; nor is what overlaps families that were left out.  Residues of
proteins without a label count for nothing, as they may be domains that nobody labelled.

The threshold is where the fewest errors are (known lost, others called), but at most
`MOST_LOST` of the known may be lost to others; beyond the strongest of the others
below it, it goes on for `MARGIN` bits or half-way to the weakest of the known, as a
sample does not hold the strongest there is.  It is never below the score whose
P-value, by the profile's own statistics, times the number of families is `E_VALUE`, or
which the filters pass in sequences without the domain.  Steps are `STEP` bits.

Cost: 50 to 60 ms a family (480 families of 150 residues), so that 20,000 families
take about 20 minutes of one core.
"""

from __future__ import annotations

import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequenceBlock
from pyhmmer.plan7 import HMM, Pipeline
from tqdm import tqdm

from ..profiles.search import to_digital
from ..profiles.thresholds import Thresholds
from ..trainset.holdout import draw_number
from ..trainset.trainset import Fold, TrainSet

FEW = 5  # dev domains, below which train domains are looked at
MOST = 100  # known domains of a family, and train ones
RESIDUES = 300_000  # of the others; as many reversed and shuffled
LONGEST = 10_000  # residues of a domain that are looked at
E_VALUE = 0.001  # chosen on dev: benchmarks/README.md
MARGIN = 2.0  # bits
MOST_LOST = 0.25
TRAIN_SHARE = 0.5
STEP = 0.25  # bits; whole steps are the same number in any format
FILTERED = Thresholds(E=1e300, domE=1e300, Z=1.0, domZ=1.0)
NOT_FOUND = -math.inf
KEPT = "gathering.json"
_AMINO = Alphabet.amino()


class Piece(NamedTuple):
    """A labelled domain, cut out; `near` are all families with a label on its residues."""

    sequence: str
    family: int
    near: tuple[int, ...]


@dataclass(frozen=True)
class Evidence:
    """Bits (n, 2), of the sequence and of its best domain, of what a profile was tried on."""

    known: np.ndarray
    train: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Rule:
    """What a threshold is made by; the module's text says what its numbers mean."""

    e_value: float = E_VALUE
    p_value: float = FILTERED.F3
    margin: float = MARGIN
    most_lost: float = MOST_LOST

    def gathering(self, evidence: Evidence, statistics, families: int) -> tuple[float, float]:
        """The two thresholds of one profile, in bits: (sequence, domain).

        `statistics` are the profile's `evalue_parameters`; `families` are those of the model.
        """
        least = score_at(statistics, min(self.e_value / families, self.p_value))
        sequence, domain = (
            self.threshold(evidence.known[:, i], evidence.train[:, i], evidence.others[:, i], least)
            for i in (0, 1)
        )
        return sequence, min(sequence, domain)

    def threshold(self, known: np.ndarray, train: np.ndarray, others: np.ndarray, least: float) -> float:
        """The threshold from scores of one kind, each (n,) bits, and the least it may be."""
        ceiling = min(self.weaker(known), TRAIN_SHARE * self.weaker(train))
        bases = np.array([least, *sorted(set(others[(others > least) & (others < ceiling)].tolist()))])
        errors = [(known <= base).sum() + (others > base).sum() for base in bases]
        base = float(bases[int(np.argmin(errors))])
        if base > least:
            weakest = min([ceiling, *known[known > base].tolist()])
            base += min(self.margin, (weakest - base) / 2)
        return STEP * (math.floor(base / STEP) + 1)

    def weaker(self, scores: np.ndarray) -> float:
        """The score below which `most_lost` of these are, infinite where there are none."""
        return float(np.sort(scores)[int(self.most_lost * (len(scores) - 1))]) if len(scores) else math.inf


def score_at(statistics, p: float) -> float:
    """Bits at which a profile's P-value (Forward scores' exponential tail) is p."""
    return statistics.f_tau - math.log(p) / statistics.f_lambda


def pieces(fold: Fold) -> list[Piece]:
    """The labelled domains of a fold that overlap nothing of families left out."""
    on, cut = {}, []
    for index, start, end, family in fold.domains.tolist():
        on.setdefault(index, []).append((start, end, family))
    for index, labels in on.items():
        for start, end, family in labels:
            near = {other for a, b, other in labels if a < end and b > start}
            if -1 not in near:
                sequence = fold.sequences[index][start : min(end, start + LONGEST)]
                cut.append(Piece(sequence, family, tuple(sorted(near))))
    return cut


class Material:
    """What the profiles of a train set are tried on.

    It depends on the seed and what the train set holds, not on its order.  Dev
    sequences that are train sequences too (where these stand in for dev) are train.
    """

    def __init__(self, trainset: TrainSet, seed: int, residues: int = RESIDUES):
        self.families, seen = trainset.families, set(trainset.train.sequences)
        train, dev = pieces(trainset.train), pieces(trainset.dev) if trainset.dev else []
        self.train = self.by_family(train, seed)
        self.dev = self.by_family([piece for piece in dev if piece.sequence not in seen], seed)
        self.chosen = self.sample(self.by_family(train + dev, seed), residues)
        rng = np.random.default_rng(seed)
        texts = [piece.sequence for piece in self.chosen]
        texts += [text[::-1] for text in texts] + ["".join(rng.permutation(list(text))) for text in texts]
        self.others = to_block(texts)

    def by_family(self, cut: list[Piece], seed: int) -> list[list[Piece]]:
        """Pieces of each family in an order drawn by their residues."""
        groups = [[] for _ in self.families]
        for piece in sorted(set(cut), key=lambda piece: (draw_number(seed, piece.sequence), piece)):
            groups[piece.family].append(piece)
        return groups

    @staticmethod
    def sample(groups: list[list[Piece]], residues: int) -> list[Piece]:
        """The first of each family, the second of each, and so on, up to so many residues."""
        chosen, left, depth = [], residues, 0
        while left > 0 and any(len(group) > depth for group in groups):
            layer = [group[depth] for group in groups if len(group) > depth]
            # the last layer is taken in part: not always of the same families
            for piece in sorted(layer, key=lambda piece: draw_number(depth, piece.sequence)):
                if left > 0:
                    chosen.append(piece)
                    left -= len(piece.sequence)
            depth += 1
        return chosen

    def evidence(self, index: int, hmm: HMM) -> Evidence:
        """What the profile of a family scores."""
        known = [piece.sequence for piece in self.dev[index][:MOST]]
        train = [piece.sequence for piece in self.train[index][:MOST]] if len(known) < FEW else []
        found = bits(hmm, to_block(known + train), FILTERED.unfiltered())
        return Evidence(
            found[: len(known)], found[len(known) :], bits(hmm, self.others, FILTERED)[self.strange(index)]
        )

    def strange(self, index: int) -> np.ndarray:
        """Which of the others are no relatives of a family, as a mask; decoys always are."""
        related = [any(self.related(index, other) for other in piece.near) for piece in self.chosen]
        return np.concatenate([~np.array(related, bool), np.ones(2 * len(related), bool)])

    def related(self, one: int, other: int) -> bool:
        clan = self.families[one].clan
        return one == other or bool(clan) and clan == self.families[other].clan


def to_block(texts: list[str]) -> DigitalSequenceBlock:
    return DigitalSequenceBlock(_AMINO, [to_digital(text, str(number)) for number, text in enumerate(texts)])


def bits(hmm: HMM, block: DigitalSequenceBlock, thresholds: Thresholds) -> np.ndarray:
    """Scores (n, 2) of sequences named 0 to n - 1, of the sequence and its best domain.

    `NOT_FOUND` is what does not pass the filters.
    """
    scores = np.full((len(block), 2), NOT_FOUND)
    for hit in hits(hmm, block, thresholds):
        scores[int(hit.name)] = hit.score, hit.best_domain.score
    return scores


def hits(hmm: HMM, block: DigitalSequenceBlock, thresholds: Thresholds) -> list:
    """Hits of a profile, without sequences in which HMMER's arithmetic overflows."""
    if not len(block):
        return []
    try:
        return list(Pipeline(_AMINO, **vars(thresholds)).search_hmm(hmm, block))
    except OverflowError:
        middle = len(block) // 2
        parts = (block[:middle], block[middle:]) if middle else ()
        return [hit for part in parts for hit in hits(hmm, part, thresholds)]


def set_gathering(
    trainset: TrainSet, hmms: list[HMM], seed: int, cpus: int, work: Path, progress: bool
) -> dict:
    """Give profiles that have none their GA cutoffs; those of others stay.

    Arguments:
        trainset: with every row that the profiles were made of, and none emitted.
        hmms: profiles of its families, in their order; changed in place.
        seed: draws the sequences that they are tried on.
        cpus: threads; the thresholds do not depend on their number.
        work: a directory that keeps the thresholds made, so that they are not made again.
        progress: whether a bar is shown on stderr.

    Returns what model.json says of it: how many were made, and by which numbers.
    """
    # without statistics nothing can be searched for at all
    lacking = [
        index
        for index, hmm in enumerate(hmms)
        if hmm.cutoffs.gathering is None and hmm.evalue_parameters.f_tau is not None
    ]
    made, rule, kept = {}, Rule(), work / KEPT
    if lacking and kept.exists():
        made = {int(index): pair for index, pair in json.loads(kept.read_text()).items()}
    elif lacking:
        material = Material(trainset, seed)

        def look(index: int) -> tuple[float, float]:
            hmm = hmms[index]
            return rule.gathering(material.evidence(index, hmm), hmm.evalue_parameters, len(hmms))

        with ThreadPoolExecutor(cpus) as pool:
            try:
                pairs = tqdm(
                    pool.map(look, lacking), "GA cutoffs", len(lacking), file=sys.stderr, disable=not progress
                )
                made = dict(zip(lacking, pairs))
            finally:  # a build that is stopped waits for none
                pool.shutdown(cancel_futures=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(made))
        os.replace(partial, kept)
    for index, pair in made.items():
        hmms[index].cutoffs.gathering = tuple(pair)
    return {"made": len(made), "of": len(hmms), **(asdict(rule) if made else {})}
