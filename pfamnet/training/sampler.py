"""Training examples: crops of proteins with the families of each block.

A fold of a train set becomes a `Corpus`; a `Sampler` draws from it.  Families
are drawn as (rows of the family) ** power, so that the rare ones are seen.
An example is one of

- a crop of a full-length protein around a domain, or anywhere (background);
- an isolated domain exactly as it stands;
- an isolated domain between flanks: shuffled residues of another sequence, or
  a second isolated domain as neighbour.

A block of residues may have several right families (sister families of a
clan often fit the same residues; domains nest): the weight of a block is
shared among them.  What overlaps a domain of a family that the model does not
have (index -1) is neither family nor background: it is left out of the loss.
Everything drawn depends on the seed and the step alone, so that a resumed
training goes on as if it had not stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..network.tokens import MASK, PAD, encode

RESIDUE_IDS = np.arange(4, 24, dtype=np.uint8)  # the twenty amino acids
BACKGROUND_WEIGHT = 0.2


class Corpus:
    """The sequences of a fold as one token array, with their domains.

    `soft`, where given, holds for each domain a teacher's view: classes
    (n, k) and their probabilities (n, k), all zero where it has none.
    """

    def __init__(self, fold):
        encoded = [encode(sequence).astype(np.uint8) for sequence in fold.sequences]
        self.offsets = np.concatenate([[0], np.cumsum([len(e) for e in encoded])]).astype(np.int64)
        self.tokens = np.concatenate(encoded) if encoded else np.zeros(0, np.uint8)
        self.whole = np.asarray(fold.whole, bool)
        domains = np.asarray(fold.domains, np.int64).reshape(-1, 4)
        self.domains = domains[np.argsort(domains[:, 0], kind="stable")]
        self.first = np.searchsorted(self.domains[:, 0], np.arange(len(encoded) + 1))
        self.soft = None

    def __len__(self):
        return len(self.offsets) - 1

    def sequence(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def domains_of(self, index: int) -> range:
        """Rows of `domains` that lie on sequence `index`."""
        return range(self.first[index], self.first[index + 1])


@dataclass
class Example:
    """Tokens of one crop, and where its domains lie: (start, end, domain row)."""

    tokens: np.ndarray
    spans: list = field(default_factory=list)
    alone: int = -1  # the row of the domain that the example is, and nothing else


@dataclass
class Batch:
    """tokens (B, L) padded; lengths (B,); targets as sparse rows.

    `blocks` (n, 3): row, block, class with `weights` (n,); `pooled` (m, 2):
    row and class of the examples that are one domain and nothing else.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    blocks: np.ndarray
    weights: np.ndarray
    pooled: np.ndarray


@dataclass(frozen=True)
class SamplerSettings:
    crop: int = 256  # residues an example has at most
    power: float = 0.6  # a family is drawn as its rows ** power
    background: float = 0.1  # share of crops from anywhere in a full-length protein
    alone: float = 0.4  # share of isolated domains given as they stand
    substitutions: float = 0.06
    masked: float = 0.0
    by_length: bool = True  # examples drawn for several batches are sorted before they are cut into these
    soft: float = 0.5  # share of the target that a teacher, if there is one, has


def block_range(start: int, end: int, block: int) -> tuple[int, int]:
    """The blocks that a domain at [start, end) claims: those it half fills, at least one."""
    first, last = (start + block // 2) // block, (end + block // 2) // block
    if last > first:
        return first, last
    middle = (start + end - 1) // 2 // block
    return middle, middle + 1


class Sampler:
    """Draws batches from a corpus; `block` is the network's block size."""

    def __init__(self, corpus: Corpus, families: int, block: int, settings: SamplerSettings, seed: int = 0):
        self.corpus, self.families, self.block = corpus, families, block
        self.settings, self.seed = settings, seed
        families = corpus.domains[:, 3]
        counts = np.bincount(families[families >= 0])
        weights = np.where(families >= 0, counts[families].astype(float) ** (settings.power - 1), 0)
        self.domain_cdf = np.cumsum(weights) / weights.sum()
        whole = np.flatnonzero(corpus.whole)
        self.whole = whole
        lengths = np.diff(corpus.offsets)[whole]
        self.whole_cdf = np.cumsum(lengths) / max(lengths.sum(), 1)

    def class_counts(self) -> np.ndarray:
        """How many domains of each class the corpus holds (F + 1,), class 0 first."""
        families = self.corpus.domains[:, 3]
        return np.bincount(families[families >= 0] + 1, minlength=self.families + 1)

    def batches(self, step: int, residues: int, pool: int = 1) -> list[Batch]:
        """`pool` batches of about `residues` tokens each, for one step number.

        With a pool of several, examples are sorted by length before they are
        cut into batches, so that little is padded (unless `by_length` is off).
        """
        rng = np.random.default_rng([self.seed, step])
        examples, total = [], 0
        while total < pool * residues or len(examples) < pool:
            examples.append(self.example(rng))
            total += len(examples[-1].tokens) if pool > 1 else self.settings.crop
        if pool == 1:
            return [self.collate(examples, rng, self.settings.crop)]
        if self.settings.by_length:
            examples.sort(key=lambda example: len(example.tokens))
        ends = np.cumsum([len(e.tokens) for e in examples])
        places = np.arange(1, pool)
        cuts = np.searchsorted(ends, total * places / pool) + 1
        # no batch without an example, where batches are hardly longer than these
        cuts = np.minimum(np.maximum.accumulate(cuts - places), len(examples) - pool) + places
        batches = [self.collate(examples[a:b], rng) for a, b in zip([0, *cuts], [*cuts, len(examples)])]
        return [batches[i] for i in rng.permutation(len(batches))]

    def example(self, rng) -> Example:
        if len(self.whole) and rng.random() < self.settings.background:
            index = self.whole[np.searchsorted(self.whole_cdf, rng.random())]
            room = len(self.corpus.sequence(index)) - self.settings.crop
            return self.crop(index, int(rng.integers(0, max(room, 0) + 1)))
        row = self.draw_domain(rng)
        index, start, end, _ = self.corpus.domains[row]
        if not self.corpus.whole[index]:
            return self.isolated(row, rng)
        size = self.settings.crop
        low, high = sorted(
            (
                start - size // 4 if end - start > size else end - size,
                end - size + size // 4 if end - start > size else start,
            )
        )
        room = max(len(self.corpus.sequence(index)) - size, 0)
        return self.crop(index, int(np.clip(rng.integers(low, high + 1), 0, room)))

    def draw_domain(self, rng) -> int:
        row = int(np.searchsorted(self.domain_cdf, rng.random()))
        return min(row, len(self.domain_cdf) - 1)  # the last sum may be a little below 1

    def crop(self, index: int, start: int) -> Example:
        """`settings.crop` residues of sequence `index` from `start`."""
        end = start + self.settings.crop
        spans = [
            (max(s, start) - start, min(e, end) - start, row)
            for row in self.corpus.domains_of(index)
            for s, e in [self.corpus.domains[row, 1:3]]
            if s < end and e > start
        ]
        return Example(self.corpus.sequence(index)[start:end].copy(), spans)

    def isolated(self, row: int, rng) -> Example:
        index = self.corpus.domains[row, 0]
        domain = self.corpus.sequence(index)
        size = self.settings.crop
        if len(domain) > size:
            start = int(rng.integers(0, len(domain) - size + 1))
            return Example(domain[start : start + size].copy(), [(0, size, row)], row)
        if rng.random() < self.settings.alone:
            return Example(domain.copy(), [(0, len(domain), row)], row)
        left = int(rng.integers(0, size - len(domain) + 1))
        right = size - len(domain) - left
        parts, spans = [], []
        for room, before in ((left, True), (right, False)):
            flank, flank_spans = self.flank(room, before, rng)
            offset = 0 if before else left + len(domain)
            parts.append(flank)
            spans += [(s + offset, e + offset, r) for s, e, r in flank_spans]
        tokens = np.concatenate([parts[0], domain, parts[1]])
        return Example(tokens, spans + [(left, left + len(domain), row)])

    def flank(self, room: int, before: bool, rng) -> tuple[np.ndarray, list]:
        """`room` residues: a neighbour domain next to shuffled residues, or these alone."""
        neighbour, spans = np.zeros(0, np.uint8), []
        if rng.random() < 0.3:
            row = self.draw_domain(rng)
            domain = self.corpus.sequence(self.corpus.domains[row, 0])
            if not self.corpus.whole[self.corpus.domains[row, 0]] and len(domain) <= room:
                neighbour = domain
                start = room - len(domain) if before else 0
                spans = [(start, start + len(domain), row)]
        other = self.corpus.sequence(int(rng.integers(len(self.corpus))))
        shuffled = rng.choice(other, room - len(neighbour))
        return np.concatenate([shuffled, neighbour] if before else [neighbour, shuffled]), spans

    def collate(self, examples: list[Example], rng, length: int = 0) -> Batch:
        length = max(length, max(len(e.tokens) for e in examples))
        # whole blocks, so that few shapes occur: each costs the processor's kernels anew
        length += -length % self.block
        tokens = np.full((len(examples), length), PAD, np.int64)
        lengths = np.array([len(e.tokens) for e in examples], np.int64)
        for row, example in enumerate(examples):
            tokens[row, : lengths[row]] = example.tokens
        self.disturb(tokens, rng)
        blocks, weights = [], []
        for row, example in enumerate(examples):
            self.targets(row, example, blocks, weights)
        pooled = [
            (row, self.corpus.domains[e.alone, 3] + 1) for row, e in enumerate(examples) if e.alone >= 0
        ]
        return Batch(
            tokens,
            lengths,
            np.array(blocks, np.int64).reshape(-1, 3),
            np.array(weights, np.float32),
            np.array(pooled, np.int64).reshape(-1, 2),
        )

    def disturb(self, tokens: np.ndarray, rng) -> None:
        """Substitute and mask a share of the residues, in place."""
        chance = rng.random(tokens.shape, dtype=np.float32)
        residue = tokens != PAD
        swap = residue & (chance < self.settings.substitutions)
        # replaced by residues of the batch itself, so that the composition stays
        tokens[swap] = rng.choice(tokens[residue], int(swap.sum()))
        tokens[residue & (chance > 1 - self.settings.masked)] = MASK

    def targets(self, row: int, example: Example, blocks: list, weights: list) -> None:
        """Append (row, block, class) and weights of every block of an example."""
        count = -(-len(example.tokens) // self.block)
        claims: list[list] = [[] for _ in range(count)]
        for start, end, domain in example.spans:
            if end == len(example.tokens):  # the last block may be short, but it is full
                end = count * self.block
            first, last = block_range(start, end, self.block)
            for claim in claims[first : min(last, count)]:
                claim.append(domain)
        for block, claim in enumerate(claims):
            classes = [c for domain in dict.fromkeys(claim) for c in self.classes(domain)]
            if not claim:
                classes, scale = [(0, 1.0)], BACKGROUND_WEIGHT
            else:
                scale = 1.0
            total = sum(weight for _, weight in classes)
            blocks += [(row, block, label) for label, _ in classes]
            weights += [scale * weight / total for _, weight in classes]

    def classes(self, domain: int) -> list[tuple[int, float]]:
        """The classes of one domain with weights: its family, and what a teacher says."""
        family = int(self.corpus.domains[domain, 3])
        if family < 0:
            return []
        if self.corpus.soft is None or not self.corpus.soft[1][domain].any():
            return [(family + 1, 1.0)]
        share = self.settings.soft
        labels, chances = self.corpus.soft[0][domain], self.corpus.soft[1][domain]
        return [(family + 1, 1 - share)] + [(int(c), share * float(p)) for c, p in zip(labels, chances)]
