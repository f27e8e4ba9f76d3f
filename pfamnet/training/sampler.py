"""Training examples: crops of proteins with the families of each block. An example is one of

- a crop of a full-length protein around a domain, or from anywhere (background);
- an isolated domain, alone or between shuffled residues of another sequence and a second isolated domain.

Several correct families of a block share its weight: sister families of a clan match the same residues, and
domains nest. The loss ignores residues of a family that the model does not have (index -1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..network.tokens import MASK, PAD
from .corpus import Corpus, block_range

BACKGROUND_WEIGHT = 0.2
NEIGHBOUR = 0.3  # fraction of the flanks that hold a second domain


class Example(NamedTuple):
    """Tokens of one crop, and the places of its domains: (start, end, row of `Corpus.domains`)."""

    tokens: np.ndarray
    spans: list
    alone: int = -1  # the row of the domain that fills the example, if one does


@dataclass
class Batch:
    """Examples and their targets."""

    tokens: np.ndarray  # (B, L), padded
    lengths: np.ndarray  # (B,)
    blocks: np.ndarray  # (n, 3): row, block and class
    weights: np.ndarray  # (n,) of these
    pooled: np.ndarray  # (m, 2): row and class of the examples that are exactly one domain


@dataclass(frozen=True)
class SamplerSettings:
    crop: int = 256  # residues of the longest example
    power: float = 0.6  # a family is drawn as its rows ** power
    background: float = 0.1  # fraction of crops from anywhere in a full-length protein
    alone: float = 0.4  # fraction of isolated domains that get no flanks
    substitutions: float = 0.06  # fraction of residues replaced
    masked: float = 0.0  # fraction of residues masked
    soft: float = 0.5  # part of the target that a teacher, if there is one, decides


class Sampler:
    """Draws batches from a corpus; `block` is the network's block size."""

    def __init__(self, corpus: Corpus, families: int, block: int, settings: SamplerSettings, seed: int = 0):
        self.corpus, self.families, self.block = corpus, families, block
        self.settings, self.seed = settings, seed
        family = corpus.domains[:, 3]
        rows = np.bincount(family[family >= 0])
        weights = np.where(family >= 0, rows[family].astype(float) ** (settings.power - 1), 0)
        self.domain_cdf = np.cumsum(weights) / weights.sum()
        self.whole = np.flatnonzero(corpus.whole)
        lengths = np.diff(corpus.offsets)[self.whole]
        self.whole_cdf = np.cumsum(lengths) / max(lengths.sum(), 1)

    def class_counts(self) -> np.ndarray:
        """The number of domains of each class (F + 1,), class 0 first."""
        families = self.corpus.domains[:, 3]
        return np.bincount(families[families >= 0] + 1, minlength=self.families + 1)

    def batches(self, step: int, residues: int, count: int = 1, rank: int = 0) -> list[Batch]:
        """`count` batches of about `residues` tokens each; seed, step and rank alone decide them.

        Several batches are cut from examples sorted by length, so that little is padded.
        """
        rng = np.random.default_rng([self.seed, step, rank])
        examples, total = [], 0
        while total < count * residues or len(examples) < count:
            examples.append(self.example(rng))
            total += len(examples[-1].tokens) if count > 1 else self.settings.crop
        if count == 1:
            return [self.collate(examples, rng, self.settings.crop)]
        examples.sort(key=lambda example: len(example.tokens))
        ends, places = np.cumsum([len(example.tokens) for example in examples]), np.arange(1, count)
        cuts = np.searchsorted(ends, total * places / count) + 1
        # each batch gets an example, even if one is as long as a batch
        cuts = np.minimum(np.maximum.accumulate(cuts - places), len(examples) - count) + places
        batches = [self.collate(examples[a:b], rng) for a, b in zip([0, *cuts], [*cuts, len(examples)])]
        return [batches[i] for i in rng.permutation(count)]

    def example(self, rng: np.random.Generator) -> Example:
        size = self.settings.crop
        if len(self.whole) and rng.random() < self.settings.background:
            index = self.whole[np.searchsorted(self.whole_cdf, rng.random())]
            room = len(self.corpus.sequence(index)) - size
            return self.crop(index, int(rng.integers(0, max(room, 0) + 1)))
        row = self.draw_domain(rng)
        index, start, end, _ = self.corpus.domains[row]
        if not self.corpus.whole[index]:
            return self.isolated(row, rng)
        if end - start > size:
            low, high = sorted((start - size // 4, end - size + size // 4))
        else:
            low, high = end - size, start
        room = max(len(self.corpus.sequence(index)) - size, 0)
        return self.crop(index, int(np.clip(rng.integers(low, high + 1), 0, room)))

    def draw_domain(self, rng: np.random.Generator) -> int:
        row = int(np.searchsorted(self.domain_cdf, rng.random()))
        return min(row, len(self.domain_cdf) - 1)  # rounding may leave the last sum below 1

    def crop(self, index: int, start: int) -> Example:
        """`settings.crop` residues of sequence `index` from `start`."""
        end = start + self.settings.crop
        rows = self.corpus.domains_of(index)
        spans = [
            (max(first, start) - start, min(last, end) - start, row)
            for row, (first, last) in zip(rows, self.corpus.domains[rows.start : rows.stop, 1:3])
            if first < end and last > start
        ]
        return Example(self.corpus.sequence(index)[start:end], spans)

    def isolated(self, row: int, rng: np.random.Generator) -> Example:
        domain, size = self.corpus.sequence(self.corpus.domains[row, 0]), self.settings.crop
        if len(domain) > size:
            start = int(rng.integers(0, len(domain) - size + 1))
            return Example(domain[start : start + size], [(0, size, row)], row)
        if rng.random() < self.settings.alone:
            return Example(domain, [(0, len(domain), row)], row)
        start = int(rng.integers(0, size - len(domain) + 1))
        end = start + len(domain)
        before, spans = self.flank(start, True, rng)
        after, more = self.flank(size - end, False, rng)
        spans += [(s + end, e + end, other) for s, e, other in more]
        return Example(np.concatenate([before, domain, after]), [*spans, (start, end, row)])

    def flank(self, room: int, before: bool, rng: np.random.Generator) -> tuple[np.ndarray, list]:
        """`room` shuffled residues, some of them replaced by a neighbour domain; and its span, if any."""
        neighbour, spans = np.zeros(0, np.uint8), []
        if rng.random() < NEIGHBOUR:
            row = self.draw_domain(rng)
            index = self.corpus.domains[row, 0]
            domain = self.corpus.sequence(index)
            if not self.corpus.whole[index] and len(domain) <= room:
                start = room - len(domain) if before else 0
                neighbour, spans = domain, [(start, start + len(domain), row)]
        other = self.corpus.sequence(int(rng.integers(len(self.corpus))))
        parts = rng.choice(other, room - len(neighbour)), neighbour
        return np.concatenate(parts if before else parts[::-1]), spans

    def collate(self, examples: list[Example], rng: np.random.Generator, length: int = 0) -> Batch:
        """Pad examples to at least `length` tokens, and disturb them."""
        lengths = np.array([len(example.tokens) for example in examples], np.int64)
        length = max(length, lengths.max())
        length += -length % self.block  # few shapes occur: each new one costs time
        tokens = np.full((len(examples), length), PAD, np.int64)
        for row, example in enumerate(examples):
            tokens[row, : lengths[row]] = example.tokens
        self.disturb(tokens, rng)
        targets = [(row, *target) for row, e in enumerate(examples) for target in self.targets(e)]
        table = np.array(targets, np.float64).reshape(-1, 4)
        families = self.corpus.domains[:, 3]
        pooled = [(row, families[e.alone] + 1) for row, e in enumerate(examples) if e.alone >= 0]
        blocks, weights = table[:, :3].astype(np.int64), table[:, 3].astype(np.float32)
        return Batch(tokens, lengths, blocks, weights, np.array(pooled, np.int64).reshape(-1, 2))

    def disturb(self, tokens: np.ndarray, rng: np.random.Generator) -> None:
        """Substitute and mask a fraction of the residues, in place."""
        chance = rng.random(tokens.shape, dtype=np.float32)
        residue = tokens != PAD
        swap = residue & (chance < self.settings.substitutions)
        # residues of the batch itself replace them, so that the composition stays
        tokens[swap] = rng.choice(tokens[residue], int(swap.sum()))
        tokens[residue & (chance > 1 - self.settings.masked)] = MASK

    def targets(self, example: Example) -> Iterator[tuple[int, int, float]]:
        """Block, class and weight of each target of an example."""
        claims: list = [None] * -(-len(example.tokens) // self.block)
        for start, end, domain in example.spans:
            if end == len(example.tokens):  # the last block may be short, but it is full
                end = len(claims) * self.block
            first, last = block_range(start, end, self.block)
            for block in range(first, min(last, len(claims))):
                claims[block] = (claims[block] or []) + self.classes(domain)
        for block, claim in enumerate(claims):
            if claim is None:
                yield block, 0, BACKGROUND_WEIGHT
            else:
                total = sum(weight for _, weight in claim)
                yield from ((block, label, weight / total) for label, weight in claim)

    def classes(self, domain: int) -> list[tuple[int, float]]:
        """Classes and weights of one domain: its family, and what a teacher predicted."""
        family = int(self.corpus.domains[domain, 3])
        if family < 0:
            return []
        if self.corpus.soft is None or not self.corpus.soft[1][domain].any():
            return [(family + 1, 1.0)]
        share = self.settings.soft
        labels, chances = self.corpus.soft[0][domain], self.corpus.soft[1][domain]
        return [(family + 1, 1 - share), *zip(labels.tolist(), (share * chances).tolist())]
