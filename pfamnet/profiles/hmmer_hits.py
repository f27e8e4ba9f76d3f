"""From pyhmmer's hits to ours, with every value of hmmscan's tables."""

import struct
from math import exp

from ..hits import Alignment, Domain, Hit
from ..records import Record

# HMMER's serialization of hits and domains (p7_hit.c, p7_domain.c): the only
# way at the values that pyhmmer has no property for. Big-endian, no padding.
_HIT_STATE = struct.Struct(">Iid fff ddd f 5i Iiii".replace(" ", ""))
_DOMAIN_STATE = struct.Struct(">I 6q 5f d ii".replace(" ", ""))
_ALIGNMENT_LINES = 44  # where the byte stands that says which lines an alignment has
_LOG2R = 1.44269504088896341  # Easel's eslCONST_LOG2R: nats to bits


def to_hit(hit, family: int, profile, record: Record, Z: float, domZ: float, alignments: bool = False) -> Hit:
    """A `Hit` with every value of a pyhmmer hit, of a profile or of a sequence.

    Arguments:
        hit: the `pyhmmer.plan7.Hit`.
        family: index of the family in the model.
        profile: the family's `OptimizedProfile`.
        record: the query.
        Z, domZ: of the `TopHits` that the hit belongs to.
        alignments: whether the domains shall have theirs.

    Raises:
        RuntimeError: this pyhmmer lays its hits out in another way.
    """
    (
        _,
        _,
        _,
        score,
        _,
        _,
        log_p,
        _,
        _,
        expected,
        regions,
        clustered,
        overlaps,
        envelopes,
        n_domains,
        _,
        _,
        _,
        best,
    ) = _HIT_STATE.unpack_from(memoryview(hit.__getstate__()))
    if score != hit.score or n_domains != len(hit.domains):
        raise RuntimeError("this pyhmmer serializes hits in another way")
    return Hit(
        family=family,
        target_name=profile.name,
        target_accession=profile.accession or "",
        target_length=profile.M,
        target_description=profile.description or "",
        query_name=record.name,
        query_accession=record.accession,
        query_length=len(record.sequence),
        query_description=record.description,
        evalue=exp(log_p) * Z,
        score=score,
        bias=hit.bias,
        log_p=log_p,
        expected=expected,
        regions=regions,
        clustered=clustered,
        overlaps=overlaps,
        envelopes=envelopes,
        best=best,
        domains=tuple(_to_domain(domain, Z, domZ, alignments) for domain in hit.domains),
        reported=hit.reported,
        included=hit.included,
    )


def _to_domain(domain, Z, domZ, alignments):
    (_, env_from, env_to, _, _, _, _, _, _, bias, accuracy, score, log_p, reported, included) = (
        _DOMAIN_STATE.unpack_from(memoryview(domain.__getstate__()))
    )
    if score != domain.score or env_from != domain.env_from:
        raise RuntimeError("this pyhmmer serializes domains in another way")
    alignment = domain.alignment
    return Domain(
        c_evalue=exp(log_p) * domZ,
        i_evalue=exp(log_p) * Z,
        score=score,
        bias=bias * _LOG2R,
        hmm_from=alignment.hmm_from,
        hmm_to=alignment.hmm_to,
        ali_from=alignment.target_from,
        ali_to=alignment.target_to,
        env_from=env_from,
        env_to=env_to,
        # Expected number of correctly aligned residues, by envelope length.
        accuracy=accuracy / (1.0 + abs(env_to - env_from)),
        log_p=log_p,
        reported=bool(reported),
        included=bool(included),
        alignment=_to_alignment(alignment) if alignments else None,
    )


def _to_alignment(alignment):
    state = bytes(alignment.__getstate__())
    present = state[_ALIGNMENT_LINES]
    if present & ~0b111111:
        raise RuntimeError("this pyhmmer serializes alignments in another way")
    lines = state[_ALIGNMENT_LINES + 1 :].decode("utf-8", "surrogateescape").split("\0")
    # model and match are always there; the nucleotide line never is here
    names = ("reference", "mask", "structure", "model", "match", "sequence", "posterior")
    there = (present & 1, present & 2, present & 4, True, True, present & 16, present & 8)
    return Alignment(**dict(zip((name for name, is_ in zip(names, there) if is_), lines)))
