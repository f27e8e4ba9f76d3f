"""The profiles of a model, and one cache of their search profiles for all threads.

A search writes the length of its sequence into the search profile: it is lent to one thread at a time.
"""

import io
import os
import threading
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pyhmmer.plan7 import HMM, Background, HMMFile, OptimizedProfile

from ..errors import PfamnetError, reason
from ..families import Family
from ..records import shown
from .files import FORMAT_ERRORS, GZIP_MAGIC, check_profile, format_fault, text_of
from .hmm_guard import checked
from .packing import MOST_BYTES, PACKED, unpack

KEEP = 32_768  # search profiles; 280 bytes per match state, about 50 kB each
_AT_ONCE = 32  # profiles that are unpacked together, in half of the time
_PRESS_LENGTH = 400  # for which hmmpress configures profiles; every search sets its own length later


def optimize(hmm: HMM) -> OptimizedProfile:
    """The search profile of an HMM, in every score equal to that of hmmpress."""
    background = Background(hmm.alphabet)
    return hmm.to_profile(background, L=_PRESS_LENGTH, multihit=True, local=True).to_optimized()


class ProfileFile:
    """The sequence of the profiles in a file; each is read when it is asked for, in about 0.3 ms.

    Arguments:
        path: a file that `write_profiles` wrote.
        offsets: what it returned.
        families: whose profiles they are, if that is to be checked when one is read.

    Raises:
        PfamnetError: the file cannot be read or does not fit the offsets or the families.
    """

    def __init__(
        self, path: str | os.PathLike, offsets: Sequence[int], families: Sequence[Family] | None = None
    ) -> None:
        self.path, self.families = path, families
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed with the last reference
            weakref.finalize(self, self._file.close)
            size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise PfamnetError(f"{path}: {reason(error)}") from error
        self._bounds = [*map(int, offsets), size]
        if self._bounds[0] != 0 or any(a >= b for a, b in zip(self._bounds, self._bounds[1:])):
            raise PfamnetError(f"{path}: the offsets of the profiles do not fit the file")

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index: int) -> HMM:
        """Read one profile; raises PfamnetError if its bytes are no profile."""
        return self.read([index])[0]

    def read(self, indices: Sequence[int]) -> list[HMM]:
        """Read some profiles; raises PfamnetError if the bytes of one are no profile."""
        data = [self._bytes(index) for index in indices]
        packed = [place for place, some in enumerate(data) if some.startswith(PACKED)]
        try:
            for place, some in zip(packed, unpack([data[place] for place in packed])):
                data[place] = some
        except PfamnetError as error:
            if len(indices) > 1:  # which of them?
                return [self[index] for index in indices]
            raise PfamnetError(f"{self._where(indices[0])}: {error}") from error
        return [self._profile(index, some) for index, some in zip(indices, data)]

    def _where(self, index: int) -> str:
        return f"{self.path}: profile {index + 1}"

    def _bytes(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"profile {index} of {len(self)}")
        start, end = self._bounds[index : index + 2]
        try:
            data = os.pread(self._file.fileno(), min(end - start, MOST_BYTES), start)
            if data.startswith(GZIP_MAGIC):
                # one member, of bounded size; gzip's own wrapper is slower
                data = zlib.decompressobj(wbits=31).decompress(data, MOST_BYTES)
        except FORMAT_ERRORS as error:
            raise PfamnetError(f"{self._where(index)}: {format_fault(error)}") from error
        return data

    def _profile(self, index: int, data: bytes) -> HMM:
        where = self._where(index)
        try:
            with HMMFile(io.BytesIO(checked(data))) as reader:
                hmm = reader.read()
            if hmm is None:
                raise PfamnetError("empty")
            check_profile(hmm)
        except (*FORMAT_ERRORS, PfamnetError) as error:
            raise PfamnetError(f"{where}: {format_fault(error).removeprefix('profile 1: ')}") from error
        if self.families is not None:
            name, length = self.families[index].name, self.families[index].length
            if (text_of(hmm, "name"), hmm.M) != (name, length or hmm.M):
                raise PfamnetError(f"{where}: not the one of family '{shown(name)}'")
        return hmm


class ProfileStore:
    """Profiles, a list or a `ProfileFile`, and the `keep` search profiles used last.

    All methods may be called from any thread.
    """

    def __init__(self, hmms: Sequence[HMM], keep: int = KEEP) -> None:
        self._hmms, self._keep, self._size = hmms, keep, 0
        # several of a family that several threads needed at once
        self._free: OrderedDict[int, list[OptimizedProfile]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._hmms)

    def hmm(self, index: int) -> HMM:
        """One profile; errors as of `ProfileFile`."""
        return self._hmms[index]

    @contextmanager
    def borrowed(self, indices: Sequence[int]) -> Iterator[list[OptimizedProfile]]:
        """Lend search profiles to this thread alone; if the block raises, they are dropped."""
        with self._lock:
            free = [self._free.get(index) for index in indices]
            ready = [profiles.pop() if profiles else None for profiles in free]
            self._size -= sum(profile is not None for profile in ready)
        made = iter(self._made([index for index, profile in zip(indices, ready) if profile is None]))
        profiles = [profile or next(made) for profile in ready]
        yield profiles
        self._put(indices, profiles)

    def prepare(self, indices: Sequence[int], threads: int) -> None:
        """Make the search profiles that were never made, in several threads."""

        def make(some: Sequence[int]) -> None:
            self._put(some, self._made(some))

        missing = [index for index in indices if index not in self._free]
        parts = [missing[start : start + _AT_ONCE] for start in range(0, len(missing), _AT_ONCE)]
        if threads == 1 or len(parts) < 2:
            for part in parts:
                make(part)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(make, parts))

    def _made(self, indices: Sequence[int]) -> list[OptimizedProfile]:
        several = isinstance(self._hmms, ProfileFile)
        hmms = self._hmms.read(indices) if several else [self._hmms[index] for index in indices]
        return list(map(optimize, hmms))

    def _put(self, indices: Sequence[int], profiles: Sequence[OptimizedProfile]) -> None:
        with self._lock:
            for index, profile in zip(indices, profiles):
                self._free.setdefault(index, []).append(profile)
                self._free.move_to_end(index)
            self._size += len(profiles)
            while self._size > self._keep:
                self._size -= len(self._free.popitem(last=False)[1])
