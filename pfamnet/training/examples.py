"""Which residues and domains each training example holds, drawn by arithmetic on whole arrays.

An example is one of

- a crop of a full-length protein around a domain, or from anywhere (background);
- an isolated domain, alone, or between shuffled residues, perhaps with a second isolated domain;
- a sequence emitted from a profile, alone or between shuffled residues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .corpus import Corpus
from .emission import Emission

NEIGHBOUR = 0.3  # fraction of the flanked domains beside a second domain
BARE = 0.25  # fraction of emitted sequences without flanks
RARER = 0.3  # a family's sequences are emitted as its (rows + 1) ** RARER
LEAST = 8  # residues of a longer domain in an example, from which these are its family's; fewer are ignored


@dataclass(frozen=True)
class SamplerSettings:
    """How examples are drawn."""

    crop: int = 256  # residues of the longest example; a multiple of the block
    power: float = 0.6  # a family is drawn as its rows ** power
    background: float = 0.1  # fraction of crops from anywhere in a full-length protein
    alone: float = 0.4  # fraction of isolated domains that get no flanks
    emitted: float = 0.0  # fraction of examples emitted from profiles
    substitutions: float = 0.06  # fraction of residues replaced
    soft: float = 0.5  # part of the target that a teacher, if there is one, decides


class Dice:
    """Random numbers, which a seed decides (on one kind of device)."""

    def __init__(self, seed: list[int], device: torch.device):
        self.generator, self.device = torch.Generator(device), device
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self.generator.manual_seed(int(state >> np.uint64(1)))

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Numbers from 0 to below 1."""
        return torch.rand(*shape, generator=self.generator, device=self.device, dtype=dtype)

    def between(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Integers from low to high (n,), both included."""
        return low + (self.uniform(len(low)) * (high - low + 1)).long().minimum(high - low)

    def up_to(self, high: torch.Tensor) -> torch.Tensor:
        """Integers from 0 to high (n,), both included."""
        return self.between(torch.zeros_like(high), high)

    def pick(self, cdf: torch.Tensor, n: int) -> torch.Tensor:
        """n indices of a cumulative distribution; the last sum may be below 1."""
        return torch.searchsorted(cdf, self.uniform(n, dtype=torch.float64)).clamp(max=len(cdf) - 1)


@dataclass
class Pieces:
    """The first piece of each of n examples."""

    sequence: torch.Tensor  # (n,) it is taken from
    source: torch.Tensor  # (n,) its first token
    first: torch.Tensor  # (n,) its first residue in the sequence
    size: torch.Tensor  # (n,) residues
    flanked: torch.Tensor  # (n,) whether shuffled residues surround it
    family: torch.Tensor  # (n,) of a piece that is one domain, else -1
    emitted: torch.Tensor  # (m, crop) tokens of the last m, which are emitted


@dataclass
class Examples:
    """n examples before they are made: up to two pieces each, and the domains on them."""

    length: torch.Tensor  # (n,)
    source: torch.Tensor  # (n, 2) first token of a piece: of the corpus or, behind it, of `emitted`
    size: torch.Tensor  # (n, 2) residues of a piece; 0: none
    place: torch.Tensor  # (n, 2) where a piece lies in the example
    other: torch.Tensor  # (n,) sequence whose residues, shuffled, surround the pieces
    starts: torch.Tensor  # (n, K) of the domains
    ends: torch.Tensor  # (n, K), 0 where there is none
    families: torch.Tensor  # (n, K), -1: unknown
    rows: torch.Tensor  # (n, K) of `Corpus.domains`; -1: none
    pooled: torch.Tensor  # (n,) class of an example that is exactly one domain, else -1
    emitted: torch.Tensor  # (m,) tokens of all emitted pieces


class ExampleSource:
    """Draws examples from a corpus of F families, on a device; `Sampler` describes the arguments."""

    def __init__(
        self,
        corpus: Corpus,
        families: int,
        settings: SamplerSettings,
        emission: Emission | None,
        device: torch.device,
    ):
        self.settings, self.device = settings, device
        put = lambda array: torch.as_tensor(array, device=device)
        self.tokens, self.offsets, self.whole = put(corpus.tokens), put(corpus.offsets), put(corpus.whole)
        self.domains, self.first = put(corpus.domains), put(corpus.first)
        self.emission = emission.to(device) if emission is not None and settings.emitted else None
        family, lengths = corpus.domains[:, 3], np.diff(corpus.offsets)
        rows = np.bincount(family[family >= 0], minlength=families)
        weights = np.where(family >= 0, rows[family].astype(float).clip(1) ** (settings.power - 1), 0)
        self.domain_cdf = put(cumulative(weights))
        self.emitted_cdf = put(cumulative((rows + 1.0) ** RARER))
        emitted = settings.emitted if self.emission else 0.0
        drawn = [np.bincount(family[family >= 0], weights[family >= 0], families), (rows + 1.0) ** RARER]
        self.shares = sum(part * of / of.sum() for part, of in zip((1 - emitted, emitted), drawn))
        self.whole_cdf = put(cumulative(lengths * corpus.whole)) if corpus.whole.any() else None

    def draw(self, n: int, dice: Dice) -> Examples:
        """n examples, those emitted from profiles last."""
        crop, pieces = self.settings.crop, self.pieces(n, dice)
        length = torch.where(pieces.flanked, crop, pieces.size)
        sequences, sizes, places = self.placed(pieces, length, dice)
        firsts = torch.stack([pieces.first, torch.zeros_like(pieces.first)], 1)
        sources = torch.stack([pieces.source, self.offsets[sequences[:, 1]]], 1)
        counts = torch.where(sizes > 0, self.first[sequences + 1] - self.first[sequences], 0)
        counts[n - len(pieces.emitted) :, 0] = 0  # the domain of an emitted sequence is none of the corpus
        starts, ends, rows = self.spans(sequences, counts, firsts, sizes, places)
        _, begin, end, family = self.domains[rows].unbind(-1)
        known = (rows >= 0) & (ends - starts >= (end - begin).clamp(max=LEAST))
        domains = starts, ends, torch.where(known, family, -1), rows
        pooled = torch.where(pieces.flanked | (pieces.family < 0), -1, pieces.family + 1)
        other = dice.up_to(torch.full_like(pieces.first, len(self.offsets) - 2))
        domains = with_emitted(pieces, places[:, 0], domains)
        return Examples(length, sources, sizes, places, other, *domains, pooled, pieces.emitted.flatten())

    def sizes(self, sequences: torch.Tensor) -> torch.Tensor:
        return self.offsets[sequences + 1] - self.offsets[sequences]

    def pieces(self, n: int, dice: Dice) -> Pieces:
        """The first piece of n examples: a crop, an isolated domain, or an emitted sequence."""
        row = dice.pick(self.domain_cdf, n)
        sequence, first = self.crops(row, dice)
        isolated = ~self.whole[sequence]
        room = (self.sizes(sequence) - self.settings.crop).clamp(min=0)
        first = torch.where(isolated, dice.up_to(room), first)
        size = self.sizes(sequence).clamp(max=self.settings.crop)
        flanked = isolated & (size < self.settings.crop) & (dice.uniform(n) >= self.settings.alone)
        family = torch.where(isolated, self.domains[row, 3], -1)
        none = self.tokens.new_zeros(0, self.settings.crop)
        pieces = Pieces(sequence, self.offsets[sequence] + first, first, size, flanked, family, none)
        emitted = round(n * self.settings.emitted) if self.emission else 0
        return self.emit(pieces, emitted, dice) if emitted else pieces

    def crops(self, row: torch.Tensor, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
        """Sequence and first residue of a crop around each domain, or of one from anywhere."""
        crop, (sequence, start, end, _) = self.settings.crop, self.domains[row].T
        room = (self.sizes(sequence) - crop).clamp(min=0)
        long = end - start > crop
        low = torch.where(long, start - crop // 4, end - crop)
        high = torch.where(long, end - crop + crop // 4, start)
        first = dice.between(torch.minimum(low, high), torch.maximum(low, high)).clamp(min=0).minimum(room)
        if self.whole_cdf is None:
            return sequence, first
        anywhere = dice.uniform(len(row)) < self.settings.background
        sequence = torch.where(anywhere, dice.pick(self.whole_cdf, len(row)), sequence)
        room = (self.sizes(sequence) - crop).clamp(min=0)
        return sequence, torch.where(anywhere, dice.up_to(room), first)

    def emit(self, pieces: Pieces, emitted: int, dice: Dice) -> Pieces:
        """Replace the last pieces by sequences emitted from profiles."""
        crop, tail = self.settings.crop, slice(len(pieces.size) - emitted, None)
        pieces.family[tail] = family = dice.pick(self.emitted_cdf, emitted)
        pieces.emitted, pieces.size[tail] = self.emission.emit(family, crop, dice.generator)
        pieces.flanked[tail], pieces.first[tail] = dice.uniform(emitted) >= BARE, 0
        pieces.source[tail] = len(self.tokens) + torch.arange(emitted, device=self.device) * crop
        return pieces

    def placed(self, pieces: Pieces, length: torch.Tensor, dice: Dice) -> tuple[torch.Tensor, ...]:
        """Sequences, sizes and places (n, 2) of the pieces, with a second domain beside some."""
        n, size = len(length), pieces.size
        place = torch.where(pieces.flanked, dice.up_to(length - size), 0)
        second = self.domains[dice.pick(self.domain_cdf, n), 0]
        added = self.sizes(second)
        free = self.settings.crop - size - added
        beside = pieces.flanked & ~self.whole[second] & (free >= 0) & (dice.uniform(n) < NEIGHBOUR)
        left = dice.up_to(free.clamp(min=0))
        gap = dice.up_to((free - left).clamp(min=0))
        before = dice.uniform(n) < 0.5  # the first piece is
        place = torch.where(beside, torch.where(before, left, left + added + gap), place)
        places = torch.stack([place, torch.where(before, left + size + gap, left)], 1)
        sizes = torch.stack([size, torch.where(beside, added, 0)], 1)
        return torch.stack([pieces.sequence, second], 1), sizes, places

    def spans(self, sequences, counts, firsts, sizes, places) -> tuple[torch.Tensor, ...]:
        """Starts, ends and rows (n, K) of the domains on the pieces (n, 2), those that are there first."""
        turn = torch.arange(int(counts.max()), device=self.device)
        rows = torch.where(turn < counts[..., None], self.first[sequences][..., None] + turn, -1)
        start = (self.domains[rows, 1] - firsts[..., None]).clamp(min=0)
        end = torch.minimum(self.domains[rows, 2] - firsts[..., None], sizes[..., None])
        rows = torch.where(end > start, rows, -1).flatten(1)
        start, end = ((part + places[..., None]).flatten(1) for part in (start, end))
        there, order = torch.sort(rows >= 0, dim=1, descending=True, stable=True)
        order = order[:, : int(there.sum(1).max())]
        rows = rows.gather(1, order)
        return start.gather(1, order), torch.where(rows >= 0, end.gather(1, order), 0), rows


def with_emitted(pieces: Pieces, place: torch.Tensor, domains: tuple) -> tuple[torch.Tensor, ...]:
    """Starts, ends, families and rows (n, K) of the domains; those of emitted pieces are added in front."""
    if not len(pieces.emitted):
        return domains
    tail = slice(len(place) - len(pieces.emitted), None)
    start, end, family, row = place.new_tensor([0, 0, -1, -1])[:, None].repeat(1, len(place))
    start[tail], end[tail], family[tail] = place[tail], (place + pieces.size)[tail], pieces.family[tail]
    return tuple(torch.cat([own[:, None], part], 1) for own, part in zip((start, end, family, row), domains))


def cumulative(weights: np.ndarray) -> np.ndarray:
    """The cumulative distribution of weights."""
    return np.cumsum(weights) / weights.sum()
