"""Profile HMMs on disk: read any, write those of a model.

A model's are in HMMER's own binary format (``.h3m``), one after another; in a ``.gz`` file each is
a gzip member, so that one profile can be read alone at its byte offset.
"""

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator

import numpy
from pyhmmer.easel import Randomness
from pyhmmer.errors import AlphabetMismatch, EaselError, InvalidHMM
from pyhmmer.plan7 import HMM, HMMFile

from ..errors import PfamnetError
from .hmm_guard import WatchedStream

GZIP_MAGIC = b"\x1f\x8b"
UNPACK = {GZIP_MAGIC: gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
# what pyhmmer and gzip raise on bytes that are no profiles, or half of one
FORMAT_ERRORS = (ValueError, EOFError, EaselError, AlphabetMismatch, zlib.error, lzma.LZMAError, OSError)


def read_hmms(path: str | os.PathLike) -> Iterator[HMM]:
    """Read the protein profiles of a file, one at a time.

    The file is HMMER ASCII (HMMER 2 or 3) or ``.h3m``, plain, gzip, bzip2 or xz, whatever its name.
    HMMER itself does not open it: it would silently read a ``path.h3m`` that lies beside instead.

    Raises:
        PfamnetError: the file cannot be read or a profile is damaged or of nucleotides; the message
            has the file and the number of the profile.
    """
    number, watched = 0, None
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(open(path, "rb", buffering=1 << 20))
            # pyhmmer asks the stream that it reads for more in a way that hides gzip's own
            # complaints; a buffer prevents that.
            begin = raw.peek(6)
            opener = next((open_ for magic, open_ in UNPACK.items() if begin.startswith(magic)), None)
            zipped, unzipped = opener is not None, opener(raw) if opener else raw
            watched = WatchedStream(io.BufferedReader(unzipped, 1 << 20) if zipped else raw)
            reader = stack.enter_context(HMMFile(io.BufferedReader(watched, 1 << 20)))
        except OSError as error:
            raise PfamnetError(f"{path}: {error.strerror or reason(error)}") from error
        except FORMAT_ERRORS as error:
            why = f"profile 1: {watched.failure}" if watched and watched.failure else reason(error)
            raise PfamnetError(f"{path}: {why}") from error
        while True:
            number += 1
            try:
                hmm = reader.read()
            except FORMAT_ERRORS as error:
                raise PfamnetError(f"{path}: profile {number}: {reason(watched.failure or error)}") from error
            if hmm is None:
                break
            _check(hmm, f"{path}: profile {number} '{hmm.name}'")
            yield hmm
        if watched.failure:
            raise PfamnetError(f"{path}: profile {number}: {watched.failure}")
    if number == 1:
        raise PfamnetError(f"{path}: no profiles")


def reason(error: Exception) -> str:
    """What went wrong in reading, in one line without a trailing dot."""
    try:
        message = " ".join(str(error).split()).rstrip(".")
    except AttributeError:  # pyhmmer 0.12.3 fails to say why a profile is not valid
        message = "not a valid profile"
    # This one ends in bytes from beyond the file.
    if message.startswith("Unrecognized format tag"):
        return "not a HMMER profile file"
    return message or type(error).__name__


def _check(hmm: HMM, where: str) -> None:
    """Raise PfamnetError unless this is a sound profile of proteins."""
    if not hmm.alphabet.is_amino():
        raise PfamnetError(f"{where}: a profile of nucleotides, not of proteins")
    # HMMER's own check passes NaN, which every comparison lets through.
    tables = (hmm.match_emissions, hmm.insert_emissions, hmm.transition_probabilities)
    if not all(numpy.isfinite(numpy.asarray(table)).all() for table in tables):
        raise PfamnetError(f"{where}: damaged: a probability is not a number")
    try:
        hmm.validate(1e-3)
    except InvalidHMM as error:
        raise PfamnetError(f"{where}: damaged: {reason(error)}") from error


def write_profiles(path: str | os.PathLike, hmms: Iterable[HMM]) -> list[int]:
    """Write profiles one after another, in HMMER's own binary format.

    If `path` ends in ``.gz``, each profile is a gzip member without time or name, so that equal
    profiles give equal bytes. Returns the byte offset of each profile, for `ProfileStore`.
    """
    offsets = []
    with open(path, "wb") as library:
        for hmm in hmms:
            offsets.append(library.tell())
            if str(path).endswith(".gz"):
                with gzip.GzipFile("", "wb", fileobj=library, mtime=0) as member:
                    hmm.write(member, binary=True)
            else:
                hmm.write(library, binary=True)
    return offsets


def emit_sequences(hmm: HMM, n: int, seed: int) -> list[str]:
    """Draw `n` sequences of one complete domain from a profile: the 20 amino acids, none empty.

    The same seed gives the same sequences. It is mixed with the profile's name: otherwise all
    profiles draw the same random numbers, and so the same "mutations".
    """
    # Easel takes a seed of 0 as "arbitrary" and has 32 bits of it.
    mixed = zlib.crc32(str(hmm.name).encode()) ^ seed * 0x9E3779B1
    random = Randomness(mixed % (2**32 - 1) + 1)
    drawn = (hmm.alphabet.decode(hmm.emit_sequence(random).sequence) for _ in itertools.count())
    return list(itertools.islice(filter(None, drawn), n))  # a very short profile can take deletions only
