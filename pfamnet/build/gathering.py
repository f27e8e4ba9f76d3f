"""Gathering cutoffs (GA) for profiles that have none, so that `--cut_ga` works with every model.

Each family has two bit scores, one for the sequence and one for a domain. They are set from what
its profile scores on three sets:

known    validation domains of the family; searched without filters
train    training domains too, if there are fewer than `FEW` known ones. The profile was made from
         them and overrates them: they only bound the cutoff, by `TRAIN_FRACTION` of a weak score.
         Sequences that its profile emits stand in for those of a family that has none
others   a domain of each of the other families and clans and, of few families, more; some of these
         reversed and shuffled; searched with the filters, which pass what is strong

A cutoff is the quarter bit above the score with the fewest errors (known domains lost, others
accepted), but at most `MOST_LOST` of the known ones may be lost. It is never below the score whose
P-value, by the profile's own statistics, times the number of families is `E_VALUE`, nor below what
passes the filters by chance. Of a thousand families this takes 50 to 60 ms each, and more of more.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequenceBlock
from pyhmmer.plan7 import HMM, Pipeline

from ..families import clan_numbers
from ..profiles.search import check_overflow, to_digital
from ..profiles.thresholds import Thresholds
from ..trainset.holdout import draw_number
from ..trainset.trainset import Fold, TrainSet
from .inputs import filled_up
from .work import Threads, Work, load_json, save_json

FEW = 5  # known domains, below which training domains are searched
MOST = 100  # known domains of a family, and training ones
RESIDUES = 300_000  # of the others, unless one domain of each family has more; of those reversed or shuffled
LONGEST = 10_000  # residues of a domain that are searched
E_VALUE = 0.001
MOST_LOST = 0.25
TRAIN_FRACTION = 0.5
FILTERED = Thresholds(E=1e300, domE=1e300, Z=1.0, domZ=1.0)
NOT_FOUND = -math.inf
KEPT = "gathering.json"
AMINO = Alphabet.amino()


class Piece(NamedTuple):
    """A labelled domain, cut out; `near` are all families with a label on its residues."""

    sequence: str
    family: int
    near: tuple[int, ...]


class Scores(NamedTuple):
    """What a profile scored: (n, 2) each, bits of the sequence and of its best domain."""

    known: np.ndarray
    train: np.ndarray
    others: np.ndarray


def set_gathering(trainset: TrainSet, hmms: list[HMM], seed: int, work: Work, threads: Threads) -> dict:
    """Give GA cutoffs to the profiles that have none.

    Arguments:
        trainset: with every row that the profiles were made from, and none emitted.
        hmms: profiles of its families, in their order; changed in place.
        seed: draws the sequences that are searched.

    Returns:
        What model.json says of it: how many were made, and by which numbers.
    """
    # nothing can be searched with a profile without statistics
    fit = [hmm.cutoffs.gathering is None and hmm.evalue_parameters.f_tau is not None for hmm in hmms]
    lacking = np.flatnonzero(fit).tolist()
    summary = {"made": len(lacking), "of": len(hmms)}
    if not lacking:
        return summary

    def make() -> list[tuple[float, float]]:
        train = filled_up(trainset.train, hmms, FEW, seed, rowless=True)
        material = Searched(replace(trainset, train=train), seed)
        cutoffs = lambda i: gathering(material.scores(i, hmms[i]), hmms[i], len(hmms))
        return threads.map("GA cutoffs", cutoffs, lacking)

    for index, pair in zip(lacking, work.step(KEPT, make, load_json, save_json)):
        hmms[index].cutoffs.gathering = tuple(pair)
    return summary | {"e_value": E_VALUE, "most_lost": MOST_LOST}


def gathering(scores: Scores, hmm: HMM, families: int) -> tuple[float, float]:
    """The cutoffs of one profile of a model of `families`, in bits: (sequence, domain)."""
    least = score_at(hmm.evalue_parameters, min(E_VALUE / families, FILTERED.F3))
    sequence, domain = (threshold(*(part[:, column] for part in scores), least) for column in (0, 1))
    return sequence, min(sequence, domain)


def threshold(known: np.ndarray, train: np.ndarray, others: np.ndarray, least: float) -> float:
    """The cutoff from scores of one kind, each (n,) bits, and a score that it must exceed."""
    ceiling = min(weak(known), TRAIN_FRACTION * weak(train))
    bases = np.array([least, *sorted(set(others[(others > least) & (others < ceiling)].tolist()))])
    errors = [(known <= base).sum() + (others > base).sum() for base in bases]
    base = float(bases[int(np.argmin(errors))])
    return (math.floor(4 * base) + 1) / 4  # a quarter bit is the same number in every format


def weak(scores: np.ndarray) -> float:
    """The score below which `MOST_LOST` of these are, infinite if there are none."""
    return float(np.sort(scores)[int(MOST_LOST * (len(scores) - 1))]) if len(scores) else math.inf


def score_at(statistics, p: float) -> float:
    """Bits at which a profile's P-value (exponential tail of Forward scores) is p."""
    return statistics.f_tau - math.log(p) / statistics.f_lambda


class Searched:
    """What the profiles of a train set search.

    It depends on the seed and on what the train set holds, not on its order. Validation sequences
    that are training sequences too (stand-ins) count as these.
    """

    def __init__(self, trainset: TrainSet, seed: int, residues: int = RESIDUES):
        self.families, seen = trainset.families, set(trainset.train.sequences)
        self.clans = clan_numbers([family.clan for family in self.families])
        train, dev = pieces(trainset.train), pieces(trainset.dev) if trainset.dev else []
        self.train = self.by_family(train, seed)
        self.dev = self.by_family([piece for piece in dev if piece.sequence not in seen], seed)
        self.chosen = self.sample(self.by_family(train + dev, seed), residues)
        # the clans near each chosen piece, and its place
        self.near = np.array([self.clans[i] for piece in self.chosen for i in piece.near], int)
        self.places = np.repeat(np.arange(len(self.chosen)), [len(piece.near) for piece in self.chosen])
        rng = np.random.default_rng(seed)
        texts = [piece.sequence for piece in self.chosen]
        ends = accumulate(map(len, texts))
        some = [text for text, end in zip(texts, ends) if end - len(text) < residues]
        decoys = [text[::-1] for text in some] + ["".join(rng.permutation(list(text))) for text in some]
        self.others = to_block(texts + decoys)

    def by_family(self, cut: list[Piece], seed: int) -> list[list[Piece]]:
        """Pieces of each family in an order drawn by their residues."""
        groups = [[] for _ in self.families]
        for piece in sorted(set(cut), key=lambda piece: (draw_number(seed, piece.sequence), piece)):
            groups[piece.family].append(piece)
        return groups

    @staticmethod
    def sample(groups: list[list[Piece]], residues: int) -> list[Piece]:
        """The first of each family; the second of each, and so on, until there are so many residues."""
        chosen = []
        for depth in range(max(map(len, groups), default=0)):
            layer = [group[depth] for group in groups if len(group) > depth]
            # of the last layer only a part is taken: not always the same families
            for piece in sorted(layer, key=lambda piece: draw_number(depth, piece.sequence)):
                if residues <= 0 and depth:
                    return chosen
                chosen.append(piece)
                residues -= len(piece.sequence)
        return chosen

    def scores(self, index: int, hmm: HMM) -> Scores:
        """What the profile of a family scores."""
        known = [piece.sequence for piece in self.dev[index][:MOST]]
        train = [piece.sequence for piece in self.train[index][:MOST]] if len(known) < FEW else []
        own = bits(hmm, to_block(known + train), FILTERED.unfiltered())
        others = bits(hmm, self.others, FILTERED)[self.unrelated(index)]
        return Scores(own[: len(known)], own[len(known) :], others)

    def unrelated(self, index: int) -> np.ndarray:
        """Which of the others are unrelated to a family, as a mask; decoys always are."""
        related = np.zeros(len(self.chosen), bool)
        related[self.places[self.near == self.clans[index]]] = True
        return np.concatenate([~related, np.ones(len(self.others) - len(related), bool)])


def pieces(fold: Fold) -> list[Piece]:
    """The labelled domains of a fold that overlap no family that was left out."""
    labels, cut = {}, []
    for index, *label in fold.domains.tolist():
        labels.setdefault(index, []).append(label)
    for index, here in labels.items():
        for start, end, family in here:
            near = {other for first, last, other in here if first < end and last > start}
            if -1 not in near:
                sequence = fold.sequences[index][start : min(end, start + LONGEST)]
                cut.append(Piece(sequence, family, tuple(sorted(near))))
    return cut


def to_block(texts: list[str]) -> DigitalSequenceBlock:
    return DigitalSequenceBlock(AMINO, [to_digital(text, str(number)) for number, text in enumerate(texts)])


def bits(hmm: HMM, block: DigitalSequenceBlock, thresholds: Thresholds) -> np.ndarray:
    """Scores (n, 2) of sequences named 0 to n - 1, `NOT_FOUND` for what does not pass the filters."""
    scores = np.full((len(block), 2), NOT_FOUND)
    for hit in hits(hmm, block, thresholds):
        scores[int(hit.name)] = hit.score, hit.best_domain.score
    return scores


def hits(hmm: HMM, block: DigitalSequenceBlock, thresholds: Thresholds) -> list:
    """Hits of a profile, without sequences in which HMMER's arithmetic overflows."""
    if not len(block):
        return []
    try:
        return list(Pipeline(AMINO, **vars(thresholds)).search_hmm(hmm, block))
    except (OverflowError, SystemError) as error:
        check_overflow(error)
        middle = len(block) // 2
        parts = (block[:middle], block[middle:]) if middle else ()
        return [hit for part in parts for hit in hits(hmm, part, thresholds)]
