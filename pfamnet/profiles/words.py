"""Matches of proteins and profiles without gaps, found by words.

A word is four residues, in two pairs with another residue between them. Every profile has the words that
score at least so many bits somewhere. Where a protein has one of them too, the two are compared along the
diagonal of that word, as in BLAST (Altschul et al. 1990, J Mol Biol 215:403). By chance a protein of L
residues and a profile of M match states have M L 2^-S such matches of S bits (Karlin & Altschul 1990, PNAS
87:2264).

A match state is replaced by the most similar of at most `COLUMNS` states of the database, so that the states
of 3,183 families take one megabyte, and their scores stay in a processor's cache.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
from pyhmmer.easel import Alphabet
from pyhmmer.plan7 import HMM, Background

from ..errors import PfamnetError, reason

UNIT = 4  # of scores, in a bit
WORD, SENSITIVE = 8.5, 7.5  # bits of a word at least, beside a network that knows proteins and beside none
PATTERN = (0, 1, 3, 4)  # places of its residues
WIDTH = PATTERN[-1] + 1
LETTERS = "ACDEFGHIKLMNPQRSTVWY"  # HMMER's order
LIKELY = 8  # residues of a match state that words are made of, the likeliest ones
COLUMNS = 16384
FLOOR, CEILING = -6, 7  # scores of a column, in bits
UNKNOWN = -UNIT  # score of an unknown residue
OUTSIDE = -1000  # score beyond an end, which no match reaches over
NEAR, FAR = 6, 28  # states on each side of a word in which its match is sought, first and at last
PROMISING = 13 * UNIT  # what a match must score at first
COMPARED = 1 << 11  # match states that are compared with all columns at once
AT_ONCE = 1 << 14  # words, or states, that are looked at together
START = (1 << 32) - 1  # bits of a word's number that say where it begins
REPEATED = 8  # times that a word may occur in each `SPAN` residues of a sequence; others do not count
SPAN = 1024
BUSY = 8  # times as many words as a random residue a sequence's residues share at most, on average,
USUAL = 64  # or so many if that is more
MOST_BYTES, MOST_WORDS = 1 << 28, 1 << 27  # of a file, and wherever in the profiles they begin
MODERATE = 1 << 26  # words that open in some ten seconds
_NONE, _END = len(LETTERS), len(LETTERS) + 1
_ROW = np.int32(32)  # scores of a column as they are kept
_PLACES = np.full(256, _NONE, np.uint8)
for _letters in (LETTERS, LETTERS.lower()):
    _PLACES[[*_letters.encode()]] = range(len(LETTERS))


def columns_of(hmms: Iterable[HMM]) -> dict[str, np.ndarray]:
    """What a model keeps of its profiles' match states for `Words`.

    Returns:
        `columns` (n, 20) int8, scores in quarters of a bit, and `codes` (match states of all profiles in
        turn,) uint16, the column of each.
    """
    background = np.array(Background(Alphabet.amino()).residue_frequencies, np.float32)
    # in double precision: the most similar column shall not depend on the order of sums
    chances = np.concatenate([np.asarray(hmm.match_emissions, float)[1:] for hmm in hmms])
    with np.errstate(divide="ignore"):
        scores = np.clip(np.log2(chances / background), FLOOR, CEILING)
    some = np.random.default_rng(0).permutation(len(scores))[:COLUMNS]
    columns = np.rint(scores[np.sort(some)] * UNIT).astype(np.int8)
    few = columns.T / UNIT
    codes = np.empty(len(scores), np.uint16)
    for start in range(0, len(scores), COMPARED):
        part, weights = scores[start : start + COMPARED], chances[start : start + COMPARED] + 0.02
        distances = weights @ few**2 - 2 * (weights * part) @ few  # squared and weighted, but for a constant
        codes[start : start + COMPARED] = distances.argmin(1)
    return {"columns": columns, "codes": codes}


def read_words(
    path: str | os.PathLike, lengths: Sequence[int], bits: float = WORD, letters: int = LIKELY
) -> Words:
    """The words of profiles with `lengths` match states (F,), by the file of what `columns_of` gave.

    `bits` and `letters` are as of `Words`. Raises PfamnetError if the file is damaged or of other profiles.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES)
        end = 8 + int.from_bytes(data[:8], "little")
        about = json.loads(data[8:end])
        columns, codes = (
            np.frombuffer(data[end:][slice(*about[name]["data_offsets"])], kind)
            for name, kind in (("columns", np.int8), ("codes", "<u2"))
        )
        return Words(columns.reshape(-1, len(LETTERS)), codes, lengths, bits, letters)
    except OSError as error:
        raise PfamnetError(f"{path}: {reason(error)}") from error
    except (PfamnetError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise PfamnetError(f"{path}: not the match states of the model's profiles") from error


def sensitive_words(columns: np.ndarray, codes: np.ndarray, lengths: Sequence[int]) -> Words:
    """The words of `SENSITIVE` bits or, if they are more than `MODERATE`, of as few more as make them fewer.

    Arguments and errors are those of `Words`.
    """
    for score in range(round(SENSITIVE * UNIT), round(WORD * UNIT)):
        with suppress(PfamnetError):
            return Words(columns, codes, lengths, score / UNIT, most=MODERATE)
    return Words(columns, codes, lengths)


class Words:
    """The words of some profiles, and what their matches score; threads may share it.

    Arguments:
        columns, codes: of `columns_of`.
        lengths: the profiles' match states (F,).
        bits: what a word scores at least.
        letters: how many residues of a match state words are made of, the likeliest ones.
        most: how many words there may be.

    Raises PfamnetError if they do not fit each other, or there are more.
    """

    def __init__(
        self,
        columns: np.ndarray,
        codes: np.ndarray,
        lengths: Sequence[int],
        bits: float = WORD,
        letters: int = LIKELY,
        most: int = MOST_WORDS,
    ):
        self.least, self.likely, self.most = round(bits * UNIT), letters, most
        self.lengths = np.array(lengths, int)
        fit = self.lengths.min(initial=1) >= 1 and self.lengths.sum() == len(codes)
        if not (fit and codes.max(initial=0) < len(columns) <= COLUMNS):
            raise PfamnetError("the words of the profiles do not fit the families")
        families = np.repeat(np.arange(len(self.lengths)), self.lengths)
        places = FAR + np.arange(len(codes)) + families  # one end between two profiles
        states = np.full(len(codes) + len(self.lengths) + 2 * FAR + WIDTH, len(columns), np.uint16)
        states[places] = codes
        self.family = np.zeros(len(states), np.int32)
        self.family[places] = families
        scores = np.full((len(columns) + 1, _ROW), OUTSIDE, np.int16)
        scores[:-1, : len(LETTERS)], scores[:-1, _NONE] = columns, UNKNOWN
        self.cells, self.scores = states * _ROW, scores.ravel()  # where each state's scores begin
        self.places, self.first = self.listed(scores[:, : len(LETTERS)], states)

    @property
    def rule(self) -> dict[str, float]:
        """`bits` and `letters`, by which the same words are made again."""
        return {"bits": self.least / UNIT, "letters": self.likely}

    def listed(self, scores: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where each word begins, word by word, and where a word's list begins."""
        likely = np.argsort(-scores, axis=1, kind="stable")[:, : self.likely]
        values = np.take_along_axis(scores, likely, 1)
        best, span = values[:, 0].copy(), (CEILING - FLOOR) * UNIT + 1  # no two letters differ by more
        losses = np.minimum(best[:, None] - values, span)
        # how many of a column's letters lose so many units at most, compared with the best one
        within = (losses[:, :, None] <= np.arange(span)).sum(1, dtype=np.uint8)
        codes = [likely.astype(np.int64) * len(LETTERS) ** power << 32 for power in range(len(PATTERN))[::-1]]
        found, count = [np.zeros(0, np.int64)], len(states) - WIDTH + 1
        for first in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - first)
            left = sum(best[states[first + place :][:size]] for place in PATTERN) - self.least
            starts = np.flatnonzero(left >= 0)
            left, words = left[starts], first + starts  # what may be lost; letters are put before the start
            for place, letters in zip(PATTERN, codes):
                state = states.take((words & START) + place).astype(np.intp)
                number = within.take(state * span + np.minimum(left, span - 1)).astype(np.intp)
                row = np.repeat(np.arange(len(state)), number)
                cell = (state * self.likely - np.cumsum(number) + number).take(row)
                cell += np.arange(len(row))
                words, left = words.take(row), left.take(row) - losses.take(cell)
                words += letters.take(cell)
            found.append(words)
            if sum(map(len, found)) > self.most:
                raise PfamnetError("more words than profiles have")
        words = np.concatenate(found)
        del found  # the largest arrays
        words.sort()
        firsts = np.searchsorted(words, np.arange(len(LETTERS) ** len(PATTERN) + 1) << 32)
        return words.astype(np.int32), firsts  # the lower halves

    def matches(self, sequence: str) -> tuple[np.ndarray, np.ndarray]:
        """The families (m,) whose best match is better than chance, ascending, and by how many nats (m,).

        The nats are the negative natural logarithm of the number of such matches that chance would give.
        """
        letters = _PLACES[np.frombuffer(sequence.encode("latin-1", "replace"), np.uint8)]
        best = np.zeros(len(self.lengths), np.int16)
        padded = np.full(len(letters) + 2 * FAR + WIDTH, _END, np.int32)
        padded[FAR : FAR + len(letters)] = letters
        places, at = self.shared(letters)
        for start in range(0, len(places), AT_ONCE):
            some, there = places[start : start + AT_ONCE], at[start : start + AT_ONCE]
            promising = self.extended(some, there, padded, NEAR) >= PROMISING
            some, there = some[promising], there[promising]
            np.maximum.at(best, self.family[some], self.extended(some, there, padded, FAR))
        families = np.flatnonzero(best)
        nats = best[families] * (math.log(2) / UNIT) - np.log(self.lengths[families] * float(len(letters)))
        return families[nats > 0], nats[nats > 0]

    def shared(self, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the words of the profiles begin that a protein has, and where they begin in the protein.

        Words that are repeated again and again, as in sequences of low complexity, do not count: HMMER would
        need long for what they resemble. Of very many others, the rarest count.
        """
        count = max(0, len(letters) - WIDTH + 1)
        words, known = np.zeros(count, np.int32), np.ones(count, bool)
        for place in PATTERN:
            words = words * len(LETTERS) + letters[place : place + count]
            known &= letters[place : place + count] < _NONE
        at = np.flatnonzero(known)
        words = words[at]
        limit, ordered = REPEATED * -(-len(letters) // SPAN), np.sort(words)
        repeated = ordered[limit:][ordered[limit:] == ordered[: max(0, len(ordered) - limit)]]
        if len(repeated):
            few = ~np.isin(words, repeated)
            at, words = at[few], words[few]
        firsts, numbers = self.first[words], self.first[words + 1] - self.first[words]
        most = len(letters) * max(USUAL, BUSY * len(self.places) // len(self.first))
        if numbers.sum() > most:
            rarest = np.argsort(numbers, kind="stable")
            rarest = rarest[np.cumsum(numbers[rarest]) <= most]
            at, firsts, numbers = at[rarest], firsts[rarest], numbers[rarest]
        before = np.cumsum(numbers) - numbers
        places = self.places[np.arange(numbers.sum()) + np.repeat(firsts - before, numbers)]
        return places, np.repeat(at, numbers)

    def extended(self, places: np.ndarray, at: np.ndarray, padded: np.ndarray, reach: int) -> np.ndarray:
        """The best score (m,) of matches with words, within `reach` states on each side of them."""
        width = 2 * reach + WIDTH
        cells = windows_at(self.cells, places - reach, width)
        cells += windows_at(padded, at + FAR - reach, width)
        scores = self.scores.take(cells, mode="wrap")  # faster than a check of indices, which are right
        scores = scores.T.copy()  # place by place: rows of so few numbers are slow
        left, right = best_sum(scores[reach - 1 :: -1]), best_sum(scores[reach + WIDTH :])
        return scores[reach : reach + WIDTH].sum(0, dtype=np.int16) + left + right


def windows_at(array: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """The windows (m, width) of a contiguous array that begin at `starts` (m,)."""
    # each is copied as one item: rows of so few numbers are slow
    items = np.ndarray(len(array) - width + 1, f"V{width * array.itemsize}", array, strides=array.itemsize)
    return items[starts].view(array.dtype).reshape(-1, width)


def best_sum(scores: np.ndarray) -> np.ndarray:
    """The largest sum (m,) of the first of some rows of scores (n, m), 0 for none of them."""
    best, total = np.zeros_like(scores[0]), np.zeros_like(scores[0])
    for row in scores:
        total += row
        np.maximum(best, total, out=best)
    return best
