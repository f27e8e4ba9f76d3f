"""From pyhmmer's hits to ours, with every value of hmmscan's tables."""

import re
import struct
from collections.abc import Iterator
from math import exp

from ..hits import Alignment, Domain, Hit
from ..records import Record
from .files import text_of

# HMMER's serialization (p7_hit.c, p7_domain.c) has the values that pyhmmer has no property for
_HIT_STATE = struct.Struct(">16xf8xd16xf5i12xi")
_DOMAIN_STATE = struct.Struct(">4x2q40x3fd2i")
_ALIGNMENT_LINES = 44  # where the byte stands that says which lines an alignment has
_LOG2R = 1.44269504088896341  # Easel's eslCONST_LOG2R: nats to bits


def to_hit(hit, family: int, profile, record: Record, Z: float, domZ: float, alignments: bool = False) -> Hit:
    """A `Hit` with every value of a pyhmmer hit, of a profile or of a sequence.

    `family` is its index in the model, `profile` its `OptimizedProfile`, `record` the query; Z and
    domZ are numbers of comparisons for E-values. Raises RuntimeError if pyhmmer's layout is another.
    """
    state = _HIT_STATE.unpack_from(memoryview(hit.__getstate__()))
    score, log_p, expected, regions, clustered, overlaps, envelopes, n_domains, best = state
    if score != hit.score or n_domains != len(hit.domains):
        raise RuntimeError("this pyhmmer serializes hits in another way")
    return Hit(
        *(family, text_of(profile, "name"), text_of(profile, "accession")),
        *(profile.M, text_of(profile, "description")),
        *(record.name, record.accession, len(record.sequence), record.description),
        *(exp(log_p) * Z, score, hit.bias, log_p, expected, regions, clustered, overlaps, envelopes, best),
        domains=tuple(_to_domain(domain, Z, domZ, alignments) for domain in hit.domains),
        reported=hit.reported,
        included=hit.included,
    )


def _to_domain(domain, Z: float, domZ: float, alignments: bool) -> Domain:
    state = _DOMAIN_STATE.unpack_from(memoryview(domain.__getstate__()))
    env_from, env_to, bias, accuracy, score, log_p, reported, included = state
    if score != domain.score or env_from != domain.env_from:
        raise RuntimeError("this pyhmmer serializes domains in another way")
    alignment = domain.alignment
    return Domain(
        *(exp(log_p) * domZ, exp(log_p) * Z, score, bias * _LOG2R),
        *(alignment.hmm_from, alignment.hmm_to, alignment.target_from, alignment.target_to, env_from, env_to),
        # Expected number of correctly aligned residues, by envelope length.
        accuracy=accuracy / (1.0 + abs(env_to - env_from)),
        log_p=log_p,
        reported=bool(reported),
        included=bool(included),
        alignment=_to_alignment(alignment) if alignments else None,
        insertions=tuple(_insertions(alignment)),
    )


def _insertions(alignment) -> Iterator[tuple[int, int]]:
    """The runs of residues, from 1, that are opposite no state of the profile."""
    try:
        model = alignment.hmm_sequence
    except UnicodeDecodeError:  # a consensus may have any letters
        model = _to_alignment(alignment).model
    sequence = alignment.target_sequence
    place, column = alignment.target_from, 0
    for run in re.finditer(r"\.+", model):
        place += run.start() - column - sequence.count("-", column, run.start())
        yield place, place + len(run[0]) - 1
        place, column = place + len(run[0]), run.end()


def _to_alignment(alignment) -> Alignment:
    state = bytes(alignment.__getstate__())
    present = state[_ALIGNMENT_LINES]
    if present & ~0b111111:
        raise RuntimeError("this pyhmmer serializes alignments in another way")
    lines = state[_ALIGNMENT_LINES + 1 :].decode("utf-8", "surrogateescape").split("\0")
    # model and match are always there; the nucleotide line never is here
    names = ("reference", "mask", "structure", "model", "match", "sequence", "posterior")
    there = (present & 1, present & 2, present & 4, True, True, present & 16, present & 8)
    return Alignment(**dict(zip((name for name, is_ in zip(names, there) if is_), lines)))
