"""Profiles in three tenths of their size, to the bit.

HMMER's ASCII files state a probability by its negative natural logarithm with five decimals. So the
probabilities of a published profile are natural numbers, in units of 1e-5, and the lower 16 bits of
these are noise. A packed profile, little-endian:

    magic, flags, number of states M, sizes of the three texts    `_HEAD`
    lower 16 bits of all match emissions but the largest of a state    uint16 [M, 19]
    one raw deflate stream of the rest:
      upper bits of the same                           uint8 [M, 19]
      residue of the largest                           uint8 [M]
      the largest, and transitions MM, II and DD, less the number of 1 - the others   int8 [4M + 3]
      transitions MI, MD, IM, DM                       uint24 [M + 1, 4]
      whether insert emissions differ from the prior   bits [M + 1]
      these, see `_from_prior`                         uint24 [those, 21] in planes
      steps of the alignment map, if it has one        int32 [M + 1] in planes
      number of exceptions, their places, their bits   uint32
      texts: what HMMER writes before the consensus, before the map, after it

Exceptions are those of the M * 20 + (M + 1) * 27 probabilities whose float32 is another one. No
machine's exponential function has a part in this: the product of two numbers of an exact table is
the same everywhere.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from ..errors import PfamnetError
from .hmm_guard import ACC, CA, CONS, CS, DESC, MAGIC, MAP, MM, MOST_STATES, RF

PACKED = b"H3Z\n"
MOST_BYTES = 1 << 25  # of one profile: what the most states that are searched take
_HEAD, _H3M = struct.Struct("<4sII3I"), struct.Struct("<IIii")
_AMINO = 3  # HMMER's number of the alphabet
_UNIT = 100_000  # of a number, per natural unit
_HALF = 12  # bits of a number's upper and lower half
_ZERO = (1 << 2 * _HALF) - 1  # the number of probability 0
_DERIVED = 1 << 31  # flag: the consensus follows from the match emissions
_SYMBOLS = np.frombuffer(b"acdefghiklmnpqrstvwy", "u1")
_PRIOR = np.array(  # of insert emissions: 681 : 120 : 623 ..., HMMER's
    [268618, 442225, 277519, 273123, 346354, 240513, 372494, 329354, 267741, 269355]
    + [424690, 290347, 273739, 318146, 289801, 237887, 277519, 298518, 458477, 361503]
)
_STORED, _LEFT = [1, 2, 3, 5], [0, 4, 6]  # of the transitions MM MI MD IM II DM DD


def pack(data: bytes) -> bytes:
    """Pack one profile of HMMER's binary format; one that this does not suit becomes a gzip member."""
    try:
        packed = _packed(data)
        if unpack([packed]) == [data]:
            return packed
    except (ValueError, struct.error, PfamnetError):  # not as `HMM.write` writes it
        pass
    return gzip.compress(data, mtime=0)


def _packed(data: bytes) -> bytes:
    flags, states, words, steps, texts = _parsed(data)
    matches, insertions, moves = _tables(words.view("<f4"), states)
    best = matches.argmax(1)
    if flags & CONS and texts[1].startswith(_consensus(best, matches.max(1))):
        flags, texts[1] = flags | _DERIVED, texts[1][states + 2 :]
    others = _number(matches[best[:, None] != np.arange(20)].reshape(states, 19))
    stored = _number(moves[:, _STORED])
    derived = np.concatenate([matches.max(1), *moves[:, _LEFT].T])
    corrections = _number(derived) - _remainders(_probability(others), _probability(stored))
    insertions = _number(insertions)
    odd = (insertions != _PRIOR).any(1)
    parts = [
        (others >> 16).astype("u1"),
        best.astype("u1"),
        np.clip(corrections, -128, 127).astype("i1"),
        _three_bytes(stored),
        np.packbits(odd),
        _three_bytes(_from_prior(insertions[odd])).transpose(2, 0, 1),
        np.diff(steps, prepend=0).astype("<i4").view("u1").reshape(-1, 4).T,
    ]
    begin = _HEAD.pack(PACKED, flags, states, *map(len, texts)) + others.astype("<u2").tobytes()
    stream = b"".join(part.tobytes() for part in parts)

    def complete(places: np.ndarray) -> bytes:
        exceptions = np.concatenate([[len(places)], places, words[places]]).astype("<u4").tobytes()
        deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
        return begin + deflate.compress(b"".join([stream, exceptions, *texts])) + deflate.flush()

    got = np.frombuffer(*unpack([complete(np.arange(0))]), "<u4", len(words), _H3M.size)
    places = np.flatnonzero(got != words)
    if len(places) > len(words) // 10:
        raise ValueError("not from an ASCII file")
    return complete(places)


def unpack(packed: Sequence[bytes]) -> list[bytes]:
    """Profiles in HMMER's binary format; many at once take half of the time.

    Raises PfamnetError if one is damaged. No more than about `MOST_BYTES` of memory are taken for one.
    """
    try:
        return _unpacked([_Parts.of(data) for data in packed]) if packed else []
    except (ValueError, struct.error, zlib.error):
        raise PfamnetError("damaged: not a packed profile") from None


class _Parts(NamedTuple):
    """The parts of a packed profile, in the order of the file; `steps` (M + 1,) of the map, or (0,)."""

    flags: int
    states: int
    low: np.ndarray
    high: np.ndarray
    best: np.ndarray
    corrections: np.ndarray
    stored: np.ndarray
    odd: np.ndarray
    from_prior: np.ndarray
    steps: np.ndarray
    places: np.ndarray
    bits: np.ndarray
    texts: list[bytes]

    @classmethod
    def of(cls, data: bytes) -> "_Parts":
        magic, flags, states, *sizes = _HEAD.unpack_from(data)
        if magic != PACKED or not 0 < states <= MOST_STATES:
            raise ValueError("not a packed profile")
        low = np.frombuffer(data, "<u2", states * 19, _HEAD.size).reshape(states, 19)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        stream, at = inflate.decompress(memoryview(data)[_HEAD.size + low.nbytes :], MOST_BYTES), 0

        def take(dtype: str, *shape: int) -> np.ndarray:
            nonlocal at
            values = np.frombuffer(stream, dtype, count := math.prod(shape), at)
            at += count * values.itemsize
            return values.reshape(shape)

        high, best = take("u1", states, 19), take("u1", states)
        corrections, stored = take("i1", 4 * states + 3), take("u1", states + 1, 4, 3)
        odd = np.unpackbits(take("u1", states // 8 + 1), count=states + 1).view(bool)
        from_prior = take("u1", 3, int(odd.sum()), 21).transpose(1, 2, 0)
        steps = take("u1", 4, states + 1 if flags & MAP else 0).T
        (count,) = take("<u4", 1)
        places, bits = take("<u4", 2, int(count))
        texts = [take("u1", size).tobytes() for size in sizes]
        if at != len(stream) or not inflate.eof:
            raise ValueError("more than a profile")
        if count and places.max() >= states * 20 + (states + 1) * 27 or best.max() >= 20:
            raise ValueError("beyond the end")
        steps = np.ascontiguousarray(steps).view("<i4").ravel()
        return cls(
            *(flags, states, low, high, best, corrections, stored, odd, from_prior, steps),
            *(places, bits, texts),
        )


def _unpacked(profiles: list[_Parts]) -> list[bytes]:
    joined = lambda name: np.concatenate([getattr(profile, name) for profile in profiles])
    others = _probability(np.left_shift(joined("high"), 16, dtype=np.int32) | joined("low"))
    stored, best, odd = _probability(_from_three_bytes(joined("stored"))), joined("best"), joined("odd")
    ends = np.concatenate([profile.corrections[: profile.states] for profile in profiles])
    lefts = [profile.corrections[profile.states :].reshape(3, -1) for profile in profiles]
    corrections = np.concatenate([ends, np.concatenate(lefts, 1).ravel()])
    derived = _probability(_within(_remainders(others, stored) + corrections))

    states = len(best)
    matches, insertions = np.empty((states, 20), "<f4"), np.empty((len(stored), 20), "<f4")
    moves = np.empty((len(stored), 7), "<f4")
    matches[best[:, None] != np.arange(20)] = others.ravel()
    matches[np.arange(states), best] = derived[:states]
    insertions[:] = _prior()
    insertions[odd] = _probability(_within(_with_prior(_from_three_bytes(joined("from_prior")))))
    moves[:, _STORED], moves[:, _LEFT] = stored, derived[states:].reshape(3, -1).T

    found, row, node = [], 0, 0
    for profile in profiles:
        rows, nodes = slice(row, row + profile.states), slice(node, node + profile.states + 1)
        row, node = rows.stop, nodes.stop
        words = np.concatenate([part.ravel() for part in (matches[rows], insertions[nodes], moves[nodes])])
        words.view("<u4")[profile.places] = profile.bits
        consensus = _consensus(best[rows], derived[rows]) if profile.flags & _DERIVED else b""
        head = _H3M.pack(MAGIC, profile.flags & ~_DERIVED, profile.states, _AMINO)
        before, middle, after = profile.texts
        steps = profile.steps.cumsum(dtype="<i4").tobytes()
        found.append(b"".join([head, words.tobytes(), before, consensus, middle, steps, after]))
    return found


def _parsed(data: bytes) -> tuple[int, int, np.ndarray, np.ndarray, list[bytes]]:
    """Flags, number of states, bits of the probabilities, alignment map, and texts of a profile."""
    magic, flags, states, alphabet = _H3M.unpack_from(data)
    if magic != MAGIC or alphabet != _AMINO:
        raise ValueError("not a profile of proteins")
    words = np.frombuffer(data, "<u4", states * 20 + (states + 1) * 27, _H3M.size)
    ends = [_H3M.size + words.nbytes]

    def skip(texts: int, lines: int, after: int = 0) -> None:
        for _ in range(texts):
            ends[-1] += 4 + int.from_bytes(data[ends[-1] : ends[-1] + 4], "little")
        ends[-1] += lines * (states + 2) + after

    def count(*bits: int) -> int:
        return sum(bool(flags & bit) for bit in bits)

    ends.append(ends[-1])
    skip(1 + count(ACC, DESC), count(RF, MM))
    ends.append(ends[-1])
    skip(0, count(CONS, CS, CA))
    skip(1, 0, 12)  # command log; numbers of sequences, and the longest
    skip(1, 0)  # date
    steps = np.frombuffer(data, "<i4", (states + 1) * count(MAP), ends[-1])
    after = ends[-1] + steps.nbytes
    return flags, states, words, steps, [data[ends[0] : ends[1]], data[ends[1] : ends[2]], data[after:]]


def _tables(values: np.ndarray, states: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match emissions, insert emissions and transitions, one row for each state."""
    one, two = states * 20, states * 20 + (states + 1) * 20
    return values[:one].reshape(-1, 20), values[one:two].reshape(-1, 20), values[two:].reshape(-1, 7)


@cache
def _powers() -> tuple[np.ndarray, np.ndarray]:
    """exp(-n / 100,000) of n = 0 ... 4,095, and of 4,096 times these, correctly rounded; then 0."""
    one = 1 << 512
    step, term = 0, one
    for k in range(1, 100):
        step, term = step + term, -term // (k * _UNIT)
    found = []
    for _ in range(2):
        power, powers = one, []
        for _ in range(1 << _HALF):
            powers.append(power / one)
            power = power * step >> 512
        found.append(np.array([*powers, 0.0]))
        step = power
    return found[0], found[1]


@cache
def _prior() -> np.ndarray:
    return _probability(_PRIOR)


def _probability(numbers: np.ndarray) -> np.ndarray:
    """What HMMER reads from an ASCII file: the exponential of a float32, as float32."""
    lower, upper = _powers()
    product = upper.take(numbers >> _HALF)
    product *= lower.take(numbers & (1 << _HALF) - 1)
    exact = numbers / _UNIT
    exact -= exact.astype("<f4")
    exact += 1
    product *= exact
    return product.astype("<f4")


def _within(numbers: np.ndarray) -> np.ndarray:
    """The numbers, or the nearest that a probability has."""
    return np.minimum(np.maximum(numbers, 0), _ZERO)


def _number(probabilities: np.ndarray) -> np.ndarray:
    """The numbers of probabilities, to be used in packing alone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.rint(-np.log(probabilities.astype(float)) * _UNIT)
    return np.clip(np.nan_to_num(found, nan=_ZERO), 0, _ZERO).astype(np.int64)


def _remainders(others: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """The numbers, to about one unit, of what is left to each state's largest emission, to MM, II and DD."""
    lower, upper = _powers()
    parts = (others * np.float64(1 << 52)).astype(np.int64)  # whole numbers: sums in any order are the same
    left = 1 - parts.sum(1) / (1 << 52)
    to_insert, to_delete, from_insert, from_delete = stored.T.astype(float)
    left = np.concatenate([left, 1 - to_insert - to_delete, 1 - from_insert, 1 - from_delete])
    some = left > 0
    left = np.where(some, left, 1)
    # a logarithm, which may differ by machine, only says where to look in the tables
    about = np.log(left) * -_UNIT
    half = about.astype(np.int64) >> _HALF
    half -= upper.take(half) < left
    half += upper.take(half + 1) >= left
    left /= upper.take(half)
    half <<= _HALF
    rest = np.ceil(about - half).astype(np.int64)
    rest += lower.take(rest) > left
    rest -= (rest > 0) & (lower.take(rest - 1) <= left)
    return np.where(some, half + rest, _ZERO)


def _from_prior(numbers: np.ndarray) -> np.ndarray:
    """Insert emissions by what they differ in from the prior, with signs in the last bit.

    Counts add to the total, and so to the numbers of all residues: the fifth largest difference is
    first, and the others are what they lack to it, mostly nothing.
    """
    more = numbers - _PRIOR
    usual = np.sort(more, 1)[:, -5:-4]
    signed = np.concatenate([usual, usual - more], 1)
    return signed << 1 ^ signed >> 63


def _with_prior(found: np.ndarray) -> np.ndarray:
    signed = found >> 1 ^ -(found & 1)
    return _PRIOR + signed[:, :1] - signed[:, 1:]


def _consensus(best: np.ndarray, probabilities: np.ndarray) -> bytes:
    """HMMER's line of the most probable residues, in upper case from a half on."""
    upper = 32 * (probabilities >= 0.5).astype("u1")
    return b" " + (_SYMBOLS[best] - upper).tobytes() + b"\0"


def _three_bytes(numbers: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(numbers).astype("<u4")[..., None].view("u1")[..., :3]


def _from_three_bytes(parts: np.ndarray) -> np.ndarray:
    return parts[..., 0] + (parts[..., 1].astype(np.int64) << 8) + (parts[..., 2].astype(np.int64) << 16)
