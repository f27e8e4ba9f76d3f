"""The scan of some proteins: the network proposes families, and their profiles decide.

A scanner takes several proteins at a time. The hits of one do not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

import numpy as np

from ..families import Family
from ..hits import Hit, network_domain, network_hit
from ..model.combination import Combination, evidence
from ..model.directory import NetworkInfo, Sensitivity
from ..network.blocks import Blocks
from ..network.candidates import Matches, Proposal, Scoring, merged, propose, spans
from ..profiles.search import ProfileSearch, SearchedHits
from ..profiles.thresholds import Thresholds, in_order
from ..profiles.words import Words
from ..records import Record, overlap
from .evidence import View

UNTRIED = 16  # candidates of each span of blocks that a sensitive scan searches without a trial
MOST_SPANS = 4  # a longer protein has no more of them
# A longer sequence of lower entropy, in bits a residue, is of low complexity: proteins have about 4.2,
# silk 1.6. HMMER's filters are for such sequences, and without them one profile takes seconds.
SIMPLE, SHORT = 3.0, 1_000
RIVALS = 8  # families that compete for one region, at most
PART, SHARED = 32_768, 2_048  # residues that the network proposes for at once, and that two parts share
LEVELS = 1 << 23  # of blocks that are kept at once, each of a family
PLACED = 0.3  # fraction of the network's region that an alignment must cover to replace it


class HybridScanner:
    """The network proposes, profiles decide; what the network alone is sure of is added."""

    def __init__(self, network: NetworkCaller, profiles: ProfileSearcher, alone: NetworkHits):
        self.network, self.profiles, self.alone = network, profiles, alone

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The hits of each protein, best first."""
        calls = self.network.calls(records)
        found = self.profiles.search(records, [call.proposal for call in calls])
        return [self.alone.added(*protein) for protein in zip(records, calls, found)]


class NetworkScanner:
    """The network alone: no profile is searched."""

    def __init__(self, network: NetworkCaller, alone: NetworkHits):
        self.network, self.alone = network, alone

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The calls of the network on each protein, best first."""
        calls = self.network.calls(records)
        return [self.alone.added(*protein, SearchedHits()) for protein in zip(records, calls)]


class ExactScanner:
    """Every profile, or those of `families`, as hmmscan searches them."""

    def __init__(self, search: ProfileSearch, families: Sequence[int]):
        self.search, self.families = search, families

    def scan(self, records: Sequence[Record]) -> list[SearchedHits]:
        """The hits of each protein, best first, and those below the reporting thresholds:
        hmmscan's column widths depend on their names."""
        return self.search.search(records, [self.families] * len(records), unreported=True)


@dataclass(frozen=True)
class NetworkCalls:
    """What a network says of one protein: the candidates and, of the first m of them, natural
    logarithms of P-values (m,), E-values (m,), and whether it is sure (m,)."""

    proposal: Proposal
    log_p: np.ndarray
    evalues: np.ndarray
    sure: np.ndarray


class NetworkCaller:
    """Asks a network, `runtime`, which families a protein may contain.

    Matches of the profiles' `words`, if they are given, count too. `choice` limits the candidates. The
    network is sure of what passes the `limits` of reporting and of inclusion; its E-values are for `Z`
    comparisons.
    """

    def __init__(
        self,
        runtime,
        info: NetworkInfo,
        choice: Sensitivity,
        families: Sequence[Family],
        limits: Thresholds,
        Z: float,
        words: Words | None = None,
    ):
        self.matched = words and words.matches
        self.runtime, self.block, self.calibration = runtime, info.block, info.calibration
        self.scoring, self.classes = Scoring.of(families, self.block), len(families) + 1
        self.choice, self.limits, self.Z = choice, limits, Z

    def calls(self, records: Sequence[Record]) -> list[NetworkCalls]:
        """What the network says of each protein; nothing of one without residues."""
        ranges = [parts(len(record.sequence)) if record.sequence else [] for record in records]
        pieces = [record.sequence[slice(*part)] for record, some in zip(records, ranges) for part in some]
        proposals = iter(self.proposals(pieces))
        made = [[next(proposals).moved(start) for start, _ in some] for some in ranges]
        return [self.called(len(record.sequence), some) for record, some in zip(records, made)]

    def called(self, length: int, proposals: list[Proposal]) -> NetworkCalls:
        """What the network says of a protein, by the proposals for its parts."""
        proposal = proposals[0] if len(proposals) == 1 else merged(proposals)
        called = proposal.families[: len(proposal.scores)]
        return NetworkCalls(proposal, *self.assess(proposal.scores, called, length))

    def proposals(self, sequences: Sequence[str]) -> list[Proposal]:
        """The candidates of proteins, or of parts of long ones.

        The network looks at several, and then their words are looked up: what either needs stays in the
        processor's cache.
        """
        found, most = [], LEVELS * self.block // self.classes
        places = zip(accumulate(map(len, sequences)), sequences)
        for _, group in groupby(places, lambda place: place[0] // most):
            seen = [(sequence, self.runtime.blocks(sequence)) for _, sequence in group]
            matches = [self.matched and self.matched(sequence) for sequence, _ in seen]
            found += [self.proposed(*pair, some) for pair, some in zip(seen, matches)]
        return found

    def proposed(self, sequence: str, blocks: Blocks, matches: Matches | None) -> Proposal:
        """The candidates of a sequence."""
        limits = self.choice.threshold, self.choice.most
        return propose(blocks, self.block, len(sequence), self.scoring, *limits, matches=matches)

    def view(self, sequence: str, start: int, end: int) -> View:
        """The logits of the blocks that hold a region, seen with the part that it was found in."""
        left, right = next(part for part in parts(len(sequence)) if part[0] <= start and end <= part[1])
        logits = self.runtime.logits(sequence[left:right])
        return View(logits[(start - left) // self.block : -(-(end - left) // self.block)])

    def assess(
        self, scores: np.ndarray, families: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`log_p`, `evalues` and `sure` of scores (m,) of families (m,) on a protein of `length` residues."""
        log_p = self.calibration.log_p(self.calibration.excess(scores, families), length)
        evalues, bits = self.Z * np.exp(log_p), -log_p / np.log(2)
        sure = np.ones(len(scores), bool)
        for kind in ("", "dom", "inc", "incdom"):
            least, most = getattr(self.limits, f"{kind}T"), getattr(self.limits, f"{kind}E")
            sure &= evalues <= most if least is None else bits >= least
        return log_p, evalues, sure


class ProfileSearcher:
    """Searches proteins with the profiles of their candidates.

    In a sensitive scan `engine` has no filters, and `trial` has: the first `UNTRIED` candidates
    of each span of blocks (of `block` residues) are searched at once, others if the trial finds a hit.
    In a sequence of low complexity all wait for the trial.
    """

    def __init__(self, engine: ProfileSearch, trial: ProfileSearch | None = None, block: int = 1):
        self.engine, self.trial, self.block = engine, trial, block

    def search(self, records: Sequence[Record], proposals: Sequence[Proposal]) -> list[SearchedHits]:
        """The hits of each protein, best first."""
        candidates = [proposal.families.tolist() for proposal in proposals]
        if self.trial is not None:
            blocks = [-(-len(record.sequence) // self.block) for record in records]
            first = [UNTRIED * min(spans(count), MOST_SPANS) for count in blocks]
            first = [0 if is_simple(record.sequence) else n for record, n in zip(records, first)]
            tried = self.trial.search(records, [some[n:] for some, n in zip(candidates, first)])
            found = ([hit.family for hit in hits] for hits in tried)
            candidates = [some[:n] + more for some, n, more in zip(candidates, first, found)]
        return self.engine.search(records, candidates)


class NetworkHits:
    """Makes hits of what the network alone is sure of.

    `placing` reports any alignment, however poor: it gives a call its coordinates, and decides between
    calls with `combination`. Without it the network's own regions and P-values count.
    """

    def __init__(
        self,
        network: NetworkCaller,
        families: Sequence[Family],
        placing: ProfileSearch | None = None,
        combination: Combination | None = None,
    ):
        self.network, self.families, self.placing = network, families, placing
        self.combination = combination if placing else None

    def added(self, record: Record, calls: NetworkCalls, found: SearchedHits) -> SearchedHits:
        """The hits of a protein's profiles, and the network's own, best first."""
        sure = np.flatnonzero(calls.sure)
        families, regions = calls.proposal.families[sure].tolist(), calls.proposal.regions[sure].tolist()
        called = dict(zip(families, regions))
        agreed = {hit.family for hit in found if hit.family in called and self.agrees(hit, called, found)}
        found = found.with_hits([replace(h, source="both") if h.family in agreed else h for h in found])
        alone = {hit.family: hit for hit in self.alone(record, calls, found)}
        kept = [hit for hit in found if hit.family not in alone]
        return found.with_hits(in_order([*kept, *alone.values()], self.network.limits))

    def agrees(self, hit: Hit, called: dict[int, list[int]], found: Sequence[Hit]) -> bool:
        """Whether the network's call is a domain of the hit, and no family of its clan is better there."""
        clan, region = self.families[hit.family].clan, called[hit.family]
        own = [d for d in hit.reported_domains if same_place(d.envelope, region)]
        sisters = (
            h for h in found if clan and h.family != hit.family and self.families[h.family].clan == clan
        )
        rivals = [d for sister in sisters for d in sister.reported_domains]
        return any(
            not any(same_place(d.envelope, rival.envelope) and rival.log_p < d.log_p for rival in rivals)
            for d in own
        )

    def alone(self, record: Record, calls: NetworkCalls, found: Sequence[Hit]) -> list[Hit]:
        """Calls of the network where no profile has a significant domain; they replace what the
        family's profile finds by chance elsewhere.

        If calls share more than half of the shorter one, one of them stays. Bit cutoffs belong
        to profiles: under them the network calls nothing.
        """
        if self.network.limits.bit_cutoffs:
            return []
        regions, families = calls.proposal.regions.tolist(), calls.proposal.families.tolist()
        reported = {hit.family for hit in found if hit.included or hit.source == "both"}
        taken = [d.envelope for hit in found for d in hit.reported_domains if d.included]
        free = lambda n: not any(same_place(regions[n], other) for other in taken)
        sure = [n for n in np.flatnonzero(calls.sure).tolist() if families[n] not in reported and free(n)]
        left, hits = sorted(sure, key=lambda n: (calls.log_p[n], n)), []
        while left:
            shared = [place for place in left if same_place(regions[place], regions[left[0]])]
            best = self.chosen(record, calls, shared[:RIVALS])
            left = [place for place in left if not same_place(regions[place], regions[best])]
            numbers = float(calls.evalues[best]), float(calls.log_p[best])
            domain = self.domain(record, families[best], *regions[best], *numbers)
            hits.append(network_hit(families[best], self.families[families[best]], record, [domain]))
        return hits

    def chosen(self, record: Record, calls: NetworkCalls, rivals: list[int]) -> int:
        """Which of the calls of one region stays: that of the largest combined score there,
        or of the lowest P-value (the first) where scores cannot be combined."""
        if self.combination is None or len(rivals) == 1:
            return rivals[0]
        families = calls.proposal.families[rivals]
        start, end = calls.proposal.regions[rivals[0]].tolist()
        log_p = self.network.view(record.sequence, start, end).log_p()
        bits = {hit.family: hit.score for hit in self.aligned(record, families.tolist(), start, end)}
        scores = self.combination.scores(log_p[families], evidence(bits, families))
        return rivals[int(scores.argmax())]

    def domain(self, record: Record, family: int, start: int, end: int, evalue: float, log_p: float):
        """The domain of a call: where the family's profile aligns, else the network's region."""
        region, hmm, accuracy, alignment = (start, end), (1, max(1, self.families[family].length)), 0.0, None
        for hit in self.aligned(record, [family], start, end):
            best = hit.best_domain
            least = max(PLACED * (end - start), min(self.network.block, end - start))
            if best.ali_to - best.ali_from + 1 >= least:  # a few residues may fit by chance
                region = start + best.ali_from - 1, start + best.ali_to
                hmm, accuracy, alignment = (best.hmm_from, best.hmm_to), best.accuracy, best.alignment
        domain = network_domain(*region, evalue, -log_p / math.log(2), hmm, accuracy, log_p)
        return replace(domain, alignment=alignment)

    def aligned(self, record: Record, families: list[int], start: int, end: int) -> Sequence[Hit]:
        """The hits of families in a region, whatever their scores."""
        part = record._replace(sequence=record.sequence[start:end])
        return self.placing.search([part], [families])[0] if self.placing else []


def parts(length: int) -> list[tuple[int, int]]:
    """The parts (start, end) of a protein, 0-based half-open, of about equal lengths."""
    count = max(1, -(-(length - SHARED) // (PART - SHARED)))
    step = max(1, -(-(length - SHARED) // count))
    return [(start, min(start + step + SHARED, length)) for start in range(0, count * step, step)]


def is_simple(sequence: str) -> bool:
    """Whether a sequence is of low complexity, and long enough for that to matter."""
    if len(sequence) < SHORT:
        return False
    counts = np.bincount(np.frombuffer(sequence.encode("ascii"), np.uint8))
    fractions = counts[counts > 0] / len(sequence)
    return bool(-(fractions * np.log2(fractions)).sum() < SIMPLE)


def same_place(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two ranges share more than half of the shorter."""
    return 2 * overlap(one, other) > min(one[1] - one[0], other[1] - other[0])
