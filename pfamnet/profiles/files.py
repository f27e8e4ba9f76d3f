"""Profile HMMs on disk: read any, write a library, take one out of a library.

A library is HMMER's own binary format (``.h3m``), one profile after another,
so that HMMER's programs and pyhmmer read it too. A library whose name ends in
``.gz`` holds one gzip member per profile: ``gunzip -c`` gives the plain
library, and yet one profile can be read alone at its byte offset.
"""

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

import numpy
from pyhmmer.easel import Alphabet, Randomness
from pyhmmer.errors import AlphabetMismatch, EaselError, InvalidHMM
from pyhmmer.plan7 import HMM, HMMFile

from ..errors import PfamnetError
from .hmm_guard import WatchedStream

GZIP_MAGIC = b"\x1f\x8b"
# What pyhmmer and gzip raise on bytes that are no profiles, or half of one.
FORMAT_ERRORS = (ValueError, EOFError, EaselError, AlphabetMismatch, zlib.error, OSError)


def read_hmms(path: str) -> Iterator[HMM]:
    """Read the protein profiles of a file, one at a time.

    Arguments:
        path: HMMER ASCII (HMMER 2 or 3) or ``.h3m``, plain or gzip; the
            format is told by the bytes, not by the name.

    Raises:
        PfamnetError: when the file is missing, empty, no profile file, cut
            short, damaged, or holds profiles of nucleotides; the message
            names the file and the number of the profile.

    Note:
        The file is opened by us and not by HMMER, which would silently read
        a ``path.h3m`` lying beside instead, however old.
    """
    number = 0
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(open(path, "rb", buffering=1 << 20))
            zipped = raw.peek(2)[:2] == GZIP_MAGIC
            # The buffer is there because pyhmmer asks the stream it reads for
            # more in a way that hides gzip's own complaints.
            unzipped = gzip.open(raw) if zipped else raw  # noqa: SIM115
            stream = io.BufferedReader(unzipped, 1 << 20) if zipped else raw
            watched = WatchedStream(stream)
            try:
                reader = stack.enter_context(HMMFile(io.BufferedReader(watched, 1 << 20)))
            except FORMAT_ERRORS:
                if watched.failure:
                    raise ValueError(f"profile 1: {watched.failure}") from None
                raise
        except OSError as error:
            raise PfamnetError(f"{path}: {error.strerror or error}") from error
        except FORMAT_ERRORS as error:
            raise PfamnetError(f"{path}: {reason(error)}") from error
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


def write_profiles(path: str, hmms: Iterable[HMM]) -> list[int]:
    """Write profiles one after another as a library.

    Arguments:
        path: the file to write, ``.h3m``; ending in ``.gz`` for one gzip
            member per profile (without time or name: equal profiles give
            equal bytes).
        hmms: the profiles; taken one at a time.

    Returns:
        The byte offset of each profile in the file, for `ProfileStore`.
    """
    zipped = str(path).endswith(".gz")
    offsets = []
    with open(path, "wb") as library:
        for hmm in hmms:
            offsets.append(library.tell())
            record = io.BytesIO()
            hmm.write(record, binary=True)
            library.write(_member(record.getvalue()) if zipped else record.getvalue())
    return offsets


def _member(data: bytes) -> bytes:
    """One gzip member with an empty header."""
    member = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=member, mtime=0) as writer:
        writer.write(data)
    return member.getvalue()


def emit_sequences(hmm: HMM, n: int, seed: int) -> list[str]:
    """Draw sequences of one whole domain from a profile.

    Arguments:
        hmm: the profile; the core model emits, so there are no flanks.
        n: how many.
        seed: any integer; the same gives the same sequences. It is mixed
            with the profile's name, or the profiles of a library would all
            draw the same random numbers and so make the same "mutations".

    Returns:
        ``n`` strings of the 20 amino acids, none empty.
    """
    # Easel takes a seed of 0 as "arbitrary" and has 32 bits of it.
    mixed = zlib.crc32(str(hmm.name).encode()) ^ seed * 0x9E3779B1
    random = Randomness(mixed % (2**32 - 1) + 1)
    alphabet: Alphabet = hmm.alphabet
    sequences = []
    while len(sequences) < n:
        sequence = alphabet.decode(hmm.emit_sequence(random).sequence)
        # A very short profile can take deletions only.
        if sequence:
            sequences.append(sequence)
    return sequences
