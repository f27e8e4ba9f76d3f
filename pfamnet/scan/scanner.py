"""The scan of a protein: network -> candidates -> profiles -> hits.

A scanner takes some proteins at a time; what it finds in one does not depend on
the others.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..hits import Hit, network_domain, network_hit
from ..model.combination import evidence
from ..model.directory import Model
from ..network.candidates import Proposal, propose, spans
from ..profiles.search import ProfileSearch
from ..profiles.thresholds import Thresholds
from ..records import Record
from .evidence import View

MODES = ("fast", "default", "sensitive")
UNFILTERED = 16  # candidates of each span of blocks that a sensitive scan spares all filters
MOST_SPANS = 4  # and no more of a longer protein, where each costs the more
RIVALS = 8  # families at most among which the one is chosen that the network alone calls
PLACED = 0.3  # share of a network's region that an alignment must cover to replace it


class ProfileScanner:
    """Scans proteins with every profile of a model, as hmmscan does.

    `effort` sensitive leaves HMMER's heuristic filters out.  `hits` and `scan`
    may be called from several threads.
    """

    def __init__(
        self,
        model: Model,
        thresholds: Thresholds,
        effort: str = "default",
        alignments: bool = False,
        threads: int = 1,
    ):
        if effort == "sensitive":
            thresholds = thresholds.unfiltered()
        self.search = ProfileSearch(model.store, model.families, thresholds, alignments, threads)
        self.everything = range(len(model.families))

    def hits(self, record: Record) -> list[Hit]:
        """The hits of one protein, best first."""
        return self.scan([record])[0]

    def scan(self, records: list[Record]) -> list[list[Hit]]:
        """The hits of each protein; also those below the reporting thresholds, by
        whose names hmmscan sets the width of its columns."""
        return self.search.search(records, [self.everything] * len(records), unreported=True)


class NetworkScanner:
    """Scans proteins with a network of a model alone.

    `mode`: fast, default or sensitive (the ESM network where the model has
    one).  `network` overrides the choice of the network.  `hits` and `scan` may
    be called from several threads.
    """

    def __init__(
        self,
        model: Model,
        thresholds: Thresholds,
        mode: str = "default",
        network: str | None = None,
        device: str = "cpu",
    ):
        if network is None:
            network = "esm" if mode == "sensitive" and "esm" in model.networks else "light"
        self.model, self.mode, self.name, self.info = model, mode, network, model.networks[network]
        self.thresholds = thresholds
        self.Z = thresholds.Z or len(model.families)
        self.runtime = model.runtime(network, device)

    def hits(self, record: Record) -> list[Hit]:
        """The network's calls on one protein, best first."""
        if not record.sequence:
            return []
        proposal, evalues, log_p, sure = self.calls(record)
        found = self.network_hits(record, proposal, evalues, log_p, sure, [])
        return sorted(found, key=lambda hit: hit.order)

    def scan(self, records: list[Record]) -> list[list[Hit]]:
        """The network's calls on each protein."""
        return [self.hits(record) for record in records]

    def calls(self, record: Record) -> tuple:
        """Proposal, E-values, logarithms of P-values, and which it is sure of."""
        proposal = self.propose(record)
        log_p = self.info.calibration.log_p(proposal.scores, len(record.sequence))
        evalues = self.Z * np.exp(log_p)
        return proposal, evalues, log_p, self.sure(evalues, log_p)

    def propose(self, record: Record) -> Proposal:
        """The candidate families of a protein."""
        mode = self.info.modes[self.mode]
        logits = self.runtime.logits(record.sequence)
        return propose(logits, self.info.block, len(record.sequence), mode.threshold, mode.most)

    def sure(self, evalues: np.ndarray, log_p: np.ndarray) -> np.ndarray:
        """Which proposals the network is sure of: they pass inclusion and reporting."""
        limits = self.thresholds
        sure = np.ones(len(evalues), bool)
        bits = -log_p / np.log(2)
        for score, evalue in (
            (limits.T, limits.E),
            (limits.domT, limits.domE),
            (limits.incT, limits.incE),
            (limits.incdomT, limits.incdomE),
        ):
            sure &= evalues <= evalue if score is None else bits >= score
        return sure

    def network_hits(self, record, proposal, evalues, log_p, sure, found) -> list[Hit]:
        """Calls of the network alone, where no profile has anything significant.

        Of calls that share more than half of the shorter one, one stays (`chosen`).
        Under bit cutoffs there are none: a profile's cutoffs say nothing of a network.
        """
        if self.thresholds.bit_cutoffs:
            return []
        named = {hit.family for hit in found}
        taken = [
            (domain.env_from - 1, domain.env_to)
            for hit in found
            for domain in hit.reported_domains
            if domain.included
        ]
        regions, alone = [tuple(region) for region in proposal.regions.tolist()], []
        left = [
            place
            for place in sorted(np.flatnonzero(sure).tolist(), key=lambda place: (log_p[place], place))
            if int(proposal.families[place]) not in named
            and not any(overlap(regions[place], other) > 0.5 for other in taken)
        ]
        while left:
            rivals = [place for place in left if overlap(regions[place], regions[left[0]]) > 0.5]
            place = self.chosen(record, proposal, rivals[:RIVALS])
            left = [other for other in left if overlap(regions[other], regions[place]) <= 0.5]
            family = int(proposal.families[place])
            domain = self.place(record, family, *regions[place], float(evalues[place]), float(log_p[place]))
            alone.append(network_hit(family, self.model.families[family], record, [domain]))
        return alone

    def chosen(self, record: Record, proposal: Proposal, rivals: list[int]) -> int:
        """Which of the calls, by their place in the proposal, that want one region gets it: the likeliest."""
        return rivals[0]

    def place(self, record, family: int, start: int, end: int, evalue: float, log_p: float):
        """A domain of the network: its blocks on the protein, all of the family's profile."""
        whole = (1, max(1, self.model.families[family].length))
        return network_domain(start, end, evalue, -log_p / math.log(2), whole, 0.0, log_p)


class Scanner(NetworkScanner):
    """Scans proteins with a model: the network proposes, profiles decide.

    Of modes, fast tries few candidates and sensitive more of them.  A sensitive
    scan searches without HMMER's heuristic filters with the first `UNFILTERED`
    candidates of each span, and of the others with those that have a hit under
    the filters.  With `alignments`, domains have them.
    `threads` are free for the first proteins.
    """

    def __init__(
        self,
        model: Model,
        thresholds: Thresholds,
        mode: str = "default",
        network: str | None = None,
        device: str = "cpu",
        alignments: bool = False,
        threads: int = 1,
    ):
        self.trial = None
        if mode == "sensitive":
            self.trial = ProfileSearch(model.store, model.families, thresholds, threads=threads)
            thresholds = thresholds.unfiltered()
        self.search = ProfileSearch(model.store, model.families, thresholds, alignments, threads)
        super().__init__(model, thresholds, mode, network, device)
        self.combination = model.combination(self.name)
        # to place what the network alone calls: any alignment, however poor
        self.placing = ProfileSearch(
            model.store,
            model.families,
            Thresholds(E=np.inf, domE=np.inf, Z=self.search.Z, seed=thresholds.seed).unfiltered(),
            alignments,
        )

    def hits(self, record: Record) -> list[Hit]:
        """The hits of one protein, best first."""
        return self.scan([record])[0]

    def scan(self, records: list[Record]) -> list[list[Hit]]:
        """The hits of each protein, best first."""
        calls = [self.calls(record) if record.sequence else None for record in records]
        proposals = [call and call[0] for call in calls]
        return [
            searched if call is None else self.with_calls(record, call, searched)
            for record, call, searched in zip(records, calls, self.searched(records, proposals))
        ]

    def searched(self, records: list[Record], proposals: list[Proposal | None]) -> list:
        """The hits of the profile stage; a protein without residues has no proposal."""
        families = [proposal.families.tolist() if proposal else [] for proposal in proposals]
        if self.trial is not None:
            families = self.worth_a_search(records, families)
        return self.search.search(records, families)

    def with_calls(self, record: Record, calls: tuple, searched) -> list[Hit]:
        """The hits of a protein's profiles, and the calls of the network alone."""
        proposal, evalues, log_p, sure = calls
        called = set(proposal.families[: len(sure)][sure].tolist())
        found = [replace(hit, source="both") if hit.family in called else hit for hit in searched]
        alone = self.network_hits(record, proposal, evalues, log_p, sure, found)
        return searched.with_hits(sorted(found + alone, key=lambda hit: hit.order))

    def worth_a_search(self, records: list[Record], candidates: list[list[int]]) -> list[list[int]]:
        """The candidates of each protein whose profiles are searched with."""
        firsts = [
            UNFILTERED * min(spans(-(-len(record.sequence) // self.info.block)), MOST_SPANS)
            for record in records
        ]
        tried = self.trial.search(records, [families[first:] for families, first in zip(candidates, firsts)])
        return [
            families[:first] + [hit.family for hit in hits]
            for families, first, hits in zip(candidates, firsts, tried)
        ]

    def chosen(self, record: Record, proposal: Proposal, rivals: list[int]) -> int:
        """Of calls of the network that want one region, that of the largest combined score there.

        Without a combination in the model it is the likeliest by the network's P-value.
        """
        if self.combination is None or len(rivals) == 1:
            return rivals[0]
        families = proposal.families[rivals]
        start, end = map(int, proposal.regions[rivals[0]])
        first, last = start // self.info.block, -(-end // self.info.block)
        view = View(self.runtime.logits(record.sequence))
        part = record._replace(sequence=record.sequence[start:end])
        bits = {hit.family: hit.score for hit in self.placing.search([part], [families.tolist()])[0]}
        scores = self.combination.scores(view.log_p(first, last)[families], evidence(bits, families))
        return rivals[int(scores.argmax())]

    def place(self, record, family: int, start: int, end: int, evalue: float, log_p: float):
        """A domain of the network alone, its coordinates from the profile where it aligns."""
        placed, hmm, accuracy = (start, end), (1, self.model.families[family].length), 0.0
        alignment = None
        part = record._replace(sequence=record.sequence[start:end])
        for hit in self.placing.search([part], [[family]])[0]:
            best = hit.best_domain
            least = max(PLACED * (end - start), min(self.info.block, end - start))
            if best.ali_to - best.ali_from + 1 < least:
                continue  # a few residues that happen to fit say nothing
            placed = (start + best.ali_from - 1, start + best.ali_to)
            hmm, accuracy = (best.hmm_from, best.hmm_to), best.accuracy
            alignment = best.alignment
        domain = network_domain(*placed, evalue, -log_p / math.log(2), hmm, accuracy, log_p)
        return replace(domain, alignment=alignment)


def overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """What two ranges share, as a share of the shorter.

    >>> overlap((0, 10), (5, 25))
    0.5
    """
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(shared, 0) / max(min(one[1] - one[0], other[1] - other[0]), 1)
