"""What one family has on one query, as in hmmscan's tables. Coordinates are HMMER's: from 1, inclusive."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .families import Family
from .records import Record


@dataclass(frozen=True, slots=True)
class Alignment:
    """A domain's alignment, line by line as hmmscan prints it, unbroken.

    All lines have one length; `structure`, `reference` and `mask` (CS, RF and MM) are empty if the
    profile has none. A dot in `model` is an insertion, a hyphen in `sequence` is a deletion.
    """

    model: str
    match: str
    sequence: str
    posterior: str
    structure: str = ""
    reference: str = ""
    mask: str = ""


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain of a `Hit`, in the order of the query.

    c_evalue, i_evalue  conditional and independent E-value
    score, bias         bits, and how many of them the null2 correction took
    hmm_from, hmm_to    aligned part of the profile
    ali_from, ali_to    aligned part of the query
    env_from, env_to    envelope on the query
    accuracy            mean posterior probability of the aligned residues
    log_p               natural logarithm of the P-value (i_evalue / Z)
    reported, included  passed the reporting, the inclusion thresholds
    alignment           only if it was asked for
    insertions          runs of the query's residues, from first to last, opposite no state of the profile
    """

    c_evalue: float
    i_evalue: float
    score: float
    bias: float
    hmm_from: int
    hmm_to: int
    ali_from: int
    ali_to: int
    env_from: int
    env_to: int
    accuracy: float
    log_p: float
    reported: bool = True
    included: bool = True
    alignment: Alignment | None = None
    insertions: tuple[tuple[int, int], ...] = ()

    @property
    def aligned(self) -> tuple[int, int]:
        """The aligned part of the query, 0-based half-open, for `records.overlap`."""
        return self.ali_from - 1, self.ali_to

    @property
    def envelope(self) -> tuple[int, int]:
        """The envelope on the query, 0-based half-open."""
        return self.env_from - 1, self.env_to


@dataclass(frozen=True, slots=True)
class Hit:
    """One family on one query.

    family              its index in the model
    target_*            the family: name, accession ("" if it has none), match states, description
    query_*             the sequence; it has no accession in FASTA
    evalue, score, bias, log_p
                        of the complete sequence; log_p is the natural logarithm of evalue / Z
    expected, regions, clustered, overlaps, envelopes
                        hmmscan's exp, reg, clu, ov, env of the tblout table
    best                index of the domain with the highest score
    domains             every domain found, not only the reported ones
    source              "profile", "network" or "both"
    reported, included  passed the reporting, the inclusion thresholds
    """

    family: int
    target_name: str
    target_accession: str
    target_length: int
    target_description: str
    query_name: str
    query_accession: str
    query_length: int
    query_description: str
    evalue: float
    score: float
    bias: float
    log_p: float
    expected: float
    regions: int
    clustered: int
    overlaps: int
    envelopes: int
    best: int
    domains: tuple[Domain, ...]
    source: str = "profile"
    reported: bool = True
    included: bool = True

    @property
    def best_domain(self) -> Domain:
        """The domain with the highest score."""
        return self.domains[self.best]

    @property
    def reported_domains(self) -> list[Domain]:
        """The domains that have a row in domtblout, in the order of the query."""
        return [domain for domain in self.domains if domain.reported]

    @property
    def n_domains(self) -> int:
        """hmmscan's dom: all domains."""
        return len(self.domains)

    @property
    def n_reported(self) -> int:
        """hmmscan's rep: reported domains."""
        return sum(domain.reported for domain in self.domains)

    @property
    def n_included(self) -> int:
        """hmmscan's inc: included domains."""
        return sum(domain.included for domain in self.domains)


def is_strong(hit: Hit, domain: Domain, ga: tuple[float, float] | None) -> bool:
    """Whether a domain reaches its family's gathering cutoffs.

    If there are none, or the network alone calls it: whether it is included.
    """
    if ga is None or hit.source == "network":
        return domain.included
    return hit.score >= ga[0] and domain.score >= ga[1]


def reported(hits: Iterable[Hit]) -> list[tuple[Hit, Domain]]:
    """The reported domains of the reported hits, each with its hit, in the order of the hits."""
    return [(hit, domain) for hit in hits if hit.reported for domain in hit.reported_domains]


def by_start(hits: Iterable[Hit]) -> list[tuple[Hit, Domain]]:
    """`reported`, in the order of their alignments on the protein."""
    return sorted(reported(hits), key=lambda pair: (pair[1].ali_from, pair[1].ali_to))


def network_domain(
    start: int,
    end: int,
    evalue: float,
    score: float,
    hmm: tuple[int, int],
    accuracy: float = 0.0,
    log_p: float | None = None,
    included: bool = True,
) -> Domain:
    """A domain that the network alone calls: both E-values are one, alignment and envelope too; no bias.

    Arguments:
        start, end: on the query, 0-based half-open.
        evalue, score: of this call, from the network's calibration.
        hmm: first and last position of the profile that it covers, from 1.
        accuracy: 0 to 1, how sure the network is of the residues.
        log_p: natural logarithm of the P-value; by default from the score, which is -log2 P.
    """
    log_p = -score * math.log(2) if log_p is None else log_p
    places = *hmm, start + 1, end, start + 1, end
    return Domain(evalue, evalue, score, 0.0, *places, accuracy, log_p, included=included)


def network_hit(
    index: int, family: Family, record: Record, domains: Iterable[Domain], included: bool = True
) -> Hit:
    """A hit that the network alone calls; its E-value and score are those of the best domain.

    Arguments:
        index: of the family in the model.
        domains: at least one, made by `network_domain`; ValueError if there is none.
    """
    domains = tuple(sorted(domains, key=lambda domain: domain.envelope))
    if not domains:
        raise ValueError("a hit needs a domain")
    count, best = len(domains), max(range(len(domains)), key=lambda i: domains[i].score)
    top = domains[best]
    return Hit(
        *(index, family.name, family.accession, family.length, family.description),
        *(record.name, record.accession, len(record.sequence), record.description),
        *(top.i_evalue, top.score, 0.0, top.log_p, float(count), count, 0, 0, count, best),
        domains=domains,
        source="network",
        included=included,
    )
