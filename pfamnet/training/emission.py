"""Sequences emitted from profiles, anew for each batch, in arithmetic of whole arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..network.tokens import encode

SHARPEST = 3.0  # the largest power of the match probabilities
SHORTEST, PART = 20, 0.4  # match states of a fragment, and its least part of the profile
LONGEST_INSERT = 12  # residues


@dataclass
class Emission:
    """The probabilities of all profiles, one after another.

    `starts` (F + 1,) is each profile's first row of `match` (S, 20), the logarithms of the match emissions,
    and of `moves` (S, 4): match to insert, match to delete, insert to insert, delete to delete.
    `residues` (20,) are the tokens of the alphabet, `background` (20,) their frequencies in inserts.
    """

    starts: torch.Tensor
    match: torch.Tensor
    moves: torch.Tensor
    residues: torch.Tensor
    background: torch.Tensor

    @classmethod
    def of(cls, hmms) -> Emission:
        """The tables of pyhmmer HMMs of the amino alphabet."""
        match = np.concatenate([np.asarray(hmm.match_emissions)[1:] for hmm in hmms])
        moves = np.concatenate([np.asarray(hmm.transition_probabilities)[1:] for hmm in hmms])
        starts = np.concatenate([[0], np.cumsum([hmm.M for hmm in hmms])])
        residues = encode(hmms[0].alphabet.symbols[:20]).astype(np.int64)
        return cls(
            torch.from_numpy(starts.astype(np.int64)),
            torch.from_numpy(np.log(np.maximum(match, 1e-7)).astype(np.float16)),
            torch.from_numpy(moves[:, [1, 2, 4, 6]].astype(np.float16)),
            torch.from_numpy(residues),
            torch.from_numpy(match.mean(0, dtype=np.float32)),
        )

    def to(self, device: torch.device) -> Emission:
        return Emission(*(tensor.to(device) for tensor in vars(self).values()))

    def emit(
        self, families: torch.Tensor, longest: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One sequence of each family (n,): tokens (n, longest) uint8, and lengths (n,).

        Half of them are of a part of the profile. Match probabilities are raised to a power between 1 and
        `SHARPEST`, drawn for each sequence: real members are closer to the consensus than independent draws.
        """
        draw = lambda *shape: torch.rand(*shape, generator=generator, device=families.device)
        n, place = len(families), torch.arange(longest, device=families.device)
        size = self.starts[families + 1] - self.starts[families]
        part = torch.where(draw(n) < 0.5, 1.0, PART + (1 - PART) * draw(n))
        states = torch.maximum((size * part).long(), size.clamp(max=SHORTEST)).clamp(max=longest)
        first = (draw(n) * (size - states + 1)).long()
        kept = place < states[:, None]
        row = (self.starts[families] + first)[:, None] + torch.minimum(place, states[:, None] - 1)
        insert, delete, longer_insert, longer_delete = self.moves[row].float().unbind(-1)

        power = 1 + (SHARPEST - 1) * draw(n, 1, 1)
        chances = torch.softmax(self.match[row].float() * power, -1).cumsum(-1)
        letters = (chances < draw(n, longest, 1)).sum(-1).clamp(max=19)

        deleted = delete.roll(1, 1)  # a state is deleted by a move from the one before it
        opened = (draw(n, longest) < deleted) & (place > 0)
        until = torch.where(opened, place + run_lengths(draw(n, longest), longer_delete), 0)
        kept &= until.cummax(1).values <= place  # the rest is deleted
        added = (draw(n, longest) < insert) & kept & (place < states[:, None] - 1)
        added = added * run_lengths(draw(n, longest), longer_insert).clamp(max=LONGEST_INSERT)
        width = kept + added
        at = torch.where(kept, width.cumsum(1) - width, longest).clamp(max=longest)

        cumulative = (self.background / self.background.sum()).cumsum(0)
        out = torch.searchsorted(cumulative, draw(n, longest + 1)).clamp(max=19)
        out.scatter_(1, at, letters)
        length = width.sum(1).clamp(1, longest)
        return self.residues[out[:, :longest]].to(torch.uint8), length


def run_lengths(chance: torch.Tensor, again: torch.Tensor) -> torch.Tensor:
    """Lengths, at least 1, of runs that go on with probability `again`."""
    return 1 + (chance.clamp(min=1e-6).log() / again.clamp(1e-6, 0.999).log()).long()
