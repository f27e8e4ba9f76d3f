"""Profile HMMs on disk: read any, write those of a model.

A model's are packed (``.h3z``, see `packing`), one after another, so that one profile can be read
alone at its byte offset.
"""

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import os
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy
from pyhmmer.easel import Randomness
from pyhmmer.errors import AlphabetMismatch, EaselError, InvalidHMM
from pyhmmer.plan7 import HMM, HMMFile

from ..errors import PfamnetError, reason
from ..families import Family
from ..records import shown
from .hmm_guard import WatchedStream
from .packing import pack

GZIP_MAGIC = b"\x1f\x8b"
UNPACK = {GZIP_MAGIC: gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
IM, II, DM, DD = 3, 4, 5, 6  # columns of the transitions
MOST_STAYING = 0.999  # probability of a further insertion or deletion, in what is emitted
MOST_EMPTY = 1000  # draws for a sequence that has residues
TOLERANCE = 1e-3  # by which a sum of probabilities may differ from 1
# what pyhmmer and gzip raise on bytes that are no profiles, or half of one
FORMAT_ERRORS = (ValueError, EOFError, EaselError, AlphabetMismatch, zlib.error, lzma.LZMAError, OSError)


def read_hmms(path: str | os.PathLike, warn: Callable[[str], None] | None = None) -> Iterator[HMM]:
    """Read the protein profiles of a file, one at a time.

    The file is HMMER ASCII (HMMER 2 or 3) or ``.h3m``, plain, gzip, bzip2 or xz, whatever its name.
    HMMER itself does not open it: it would silently read a ``path.h3m`` that lies beside instead.

    Arguments:
        warn: takes one line about profiles that HMMER searches though its own check finds them invalid.

    Raises:
        PfamnetError: the file cannot be read or a profile is damaged or of nucleotides; the message
            has the file and the number of the profile.
    """
    number, watched, odd = 0, None, []
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
            why = reason(error) if error.strerror else format_fault(error)
            raise PfamnetError(f"{path}: {why}") from error
        except FORMAT_ERRORS as error:
            why = watched.failure if watched and watched.failure else format_fault(error)
            raise PfamnetError(f"{path}: {why}") from error
        while True:
            number += 1
            try:
                hmm = reader.read()
            except FORMAT_ERRORS as error:
                why = watched.failure or f"profile {number}: {format_fault(error)}"
                raise PfamnetError(f"{path}: {why}") from error
            if hmm is None:
                break
            where = f"{path}: profile {number} '{shown(text_of(hmm, 'name'))}'"
            try:
                if fault := check_profile(hmm):
                    odd.append(f"{where}: {fault}")
            except PfamnetError as error:
                raise PfamnetError(f"{where}: {error}") from None
            if not text_of(hmm, "consensus"):  # HMMER needs it for alignments
                hmm.set_consensus()
            yield hmm
        if watched.failure:
            raise PfamnetError(f"{path}: {watched.failure}")
    if number == 1:
        raise PfamnetError(f"{path}: no profiles")
    if odd and warn:
        more = f" ({len(odd) - 1} more such profiles)" if len(odd) > 1 else ""
        warn(f"warning: {odd[0]}; used as it is{more}")


def text_of(one, field: str) -> str:
    """A text of a profile or hit, such as its name; bytes that are no UTF-8 as surrogates."""
    try:
        return getattr(one, field) or ""
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "surrogateescape")


def family_of(hmm: HMM) -> Family:
    """The family that a profile states; its accession is "" if there is none."""
    texts = {field: text_of(hmm, field) for field in ("accession", "name", "description")}
    cutoffs = hmm.cutoffs
    return Family(length=hmm.M, **texts, ga=cutoffs.gathering, tc=cutoffs.trusted, nc=cutoffs.noise)


def format_fault(error: Exception) -> str:
    """What went wrong in reading, in one line without a trailing dot."""
    try:
        message = " ".join(str(error).split()).rstrip(".")
    except AttributeError:  # pyhmmer 0.12.3 fails to say why a profile is not valid
        message = "not a valid profile"
    # This one ends in bytes from beyond the file.
    if message.startswith("Unrecognized format tag"):
        return "not a HMMER profile file"
    return message or type(error).__name__


def check_profile(hmm: HMM) -> str:
    """What HMMER's own check finds invalid in a profile that HMMER can search; "" if nothing.

    Raises PfamnetError unless this is a profile of proteins whose probabilities are such.
    """
    if not hmm.alphabet.is_amino():
        raise PfamnetError("a profile of nucleotides, not of proteins")
    matches, insertions, moves = map(
        numpy.asarray, (hmm.match_emissions, hmm.insert_emissions, hmm.transition_probabilities)
    )
    # HMMER's own check passes NaN, which every comparison lets through.
    if not all(numpy.isfinite(table).all() and table.min() >= 0 for table in (matches, insertions, moves)):
        raise PfamnetError("damaged: a probability is not a number")
    if hmm.evalue_parameters.f_tau is None:
        return "not calibrated (no STATS): HMMER finds nothing with it"
    try:
        hmm.validate(TOLERANCE)
        return ""
    except InvalidHMM:  # pyhmmer 0.12.3 fails to say why
        pass
    groups = {"match emissions": matches, "insert emissions": insertions, "transitions": moves[:, :3]}
    groups["transitions of its insertion"] = moves[:, 3:5]
    groups["transitions of its deletion"] = moves[:, 5:]
    for name, table in groups.items():
        sums = table.sum(1, dtype=float)
        if (worst := numpy.abs(sums - 1)).max() > TOLERANCE:
            state = int(worst.argmax())
            return f"the {name} of state {state} sum to {sums[state]:.4g}, not 1"
    if hmm.nseq is not None and hmm.nseq < 1:
        return f"it states {hmm.nseq} sequences (NSEQ)"
    return "HMMER's check finds it invalid"


def write_profiles(path: str | os.PathLike, hmms: Iterable[HMM], packed: bool = False) -> list[int]:
    """Write profiles one after another: in HMMER's binary format, or packed.

    Equal profiles give equal bytes. Returns the byte offset of each profile, for `ProfileStore`.
    """
    offsets = []
    with open(path, "wb") as library:
        for hmm in hmms:
            offsets.append(library.tell())
            data = io.BytesIO()
            hmm.write(data, binary=True)
            library.write(pack(data.getvalue()) if packed else data.getvalue())
    return offsets


def emit_sequences(hmm: HMM, n: int, seed: int, power: float = 1.0) -> list[str]:
    """Draw `n` sequences of one complete domain from a profile: the 20 amino acids, none empty.

    Match probabilities are raised to `power`: hmmbuild makes them flatter than a family is.
    The same seed gives the same sequences. It is mixed with the profile's name: otherwise all
    profiles draw the same random numbers, and so the same "mutations".
    """
    # Easel takes a seed of 0 as "arbitrary" and has 32 bits of it.
    mixed = zlib.crc32(text_of(hmm, "name").encode("utf-8", "surrogateescape")) ^ seed * 0x9E3779B1
    random = Randomness(mixed % (2**32 - 1) + 1)
    hmm = hmm.copy()
    moves = numpy.asarray(hmm.transition_probabilities)
    for stay, leave in ((II, IM), (DD, DM)):  # or an insertion may never end
        endless = moves[:, stay] > MOST_STAYING
        moves[endless, stay], moves[endless, leave] = MOST_STAYING, 1 - MOST_STAYING
    if power != 1:
        match = numpy.asarray(hmm.match_emissions)[1:]
        match **= power
        match /= match.sum(1, keepdims=True)
    drawn = (hmm.alphabet.decode(hmm.emit_sequence(random).sequence) for _ in range(n * MOST_EMPTY))
    found = list(itertools.islice(filter(None, drawn), n))  # a very short profile can take deletions only
    if len(found) < n:
        raise PfamnetError(f"profile '{shown(text_of(hmm, 'name'))}': emits no residues")
    return found
