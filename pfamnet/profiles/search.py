"""The profile stage: hmmscan's own pipeline, on the candidate families of each sequence.

With the number of comparisons Z given, a profile's numbers do not depend on the other profiles,
except that the conditional E-value of a domain counts the families that are reported. So many
sequences are searched family by family: a profile stays in the processor's cache, and HMMER's
filters run faster by half. pyhmmer then counts what passed the filters for all sequences together.
If the counts of each are wanted, each sequence meets some profiles at once.
"""

import itertools
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequence, DigitalSequenceBlock
from pyhmmer.errors import EaselError
from pyhmmer.plan7 import OptimizedProfile, OptimizedProfileBlock, Pipeline, TopHits

from ..families import Family
from ..hits import Hit
from ..records import Record
from .bias import most_bias, span_counts
from .files import text_of
from .hmmer_hits import to_hit
from .long_sequences import merge_windows, windows
from .memory import check_memory, matrix_bytes, memory_limit
from .store import ProfileStore
from .thresholds import Thresholds, check_cutoffs, in_order, passes, reported_from, with_domZ, with_Z

MAX_RESIDUES = 100_000  # HMMER's pipeline refuses longer sequences
_PASSED = ("n_past_msv", "n_past_bias", "n_past_vit", "n_past_fwd")
_AT_ONCE = 64  # profiles for each query in turn, few enough for the processor's cache
_GOLDEN = 0.618034
_OTHERWISE = 8.0  # bits by which scores of filter and domains may differ, but for the bias
_AMINO = Alphabet.amino()
_SYMBOLS = {ord(symbol): code for code, symbol in enumerate(_AMINO.symbols)}
_SYMBOLS |= dict.fromkeys(b"._", _SYMBOLS[ord("-")])
_CODES = bytes(_SYMBOLS.get(code, 0) for code in range(256))  # by which Easel digitizes


def to_digital(text: str, name: str = "") -> DigitalSequence:
    """Digitize residues as hmmscan does (every legal symbol, `*` too)."""
    return DigitalSequence(_AMINO, name=name, sequence=text.encode("ascii").translate(_CODES))


class SearchedHits(list[Hit]):
    """The hits of one sequence; `counts`, or None, are nmodels, nnodes and those of `_PASSED`."""

    def __init__(self, hits: Iterable[Hit] = (), counts: dict[str, int] | None = None) -> None:
        super().__init__(hits)
        self.counts = counts

    def with_hits(self, hits: Iterable[Hit]) -> "SearchedHits":
        """Other hits with the counts of this search."""
        return SearchedHits(hits, self.counts)


@dataclass
class _Query:
    """A sequence, or a window of a longer one, and what was found in it."""

    record: Record
    sequence: DigitalSequence
    families: Sequence[int]
    hits: list[Hit] = field(default_factory=list)
    passed: Counter = field(default_factory=Counter)

    @cached_property
    def counts(self) -> np.ndarray:
        """As of `span_counts`."""
        return span_counts(self.sequence)

    def count(self, top: TopHits) -> None:
        """Add what passed the filters in a search."""
        counts = top.__getstate__()["pipeline"]
        self.passed.update({name: counts[name] for name in _PASSED})


class ProfileSearch:
    """Searches sequences with some of the profiles of a model, whose `families` are in the store's order.

    With `alignments`, domains have theirs, and sequences the counts of hmmscan's summary. `threads`
    prepare the profiles of the first search. `search` may be called from several threads; what it
    finds in a sequence does not depend on the others.

    If bit scores decide what is reported, HMMER's last filter rejects what is more than `leeway` bits
    below: its domains, which take most of the time, are not looked for. The filter's score may be below
    the final one by what each subtracts for a biased composition: if the filter may subtract nearly as much
    as the leeway, or more, the leeway is larger.

    Raises:
        PfamnetError: bit cutoffs are asked for and a family has none; of `search`: a domain would not
            fit into memory.
    """

    def __init__(
        self,
        store: ProfileStore,
        families: Sequence[Family],
        thresholds: Thresholds | None = None,
        alignments: bool = False,
        threads: int = 1,
        leeway: float = math.inf,
    ) -> None:
        self.store, self.families, self.leeway = store, families, leeway
        self.thresholds = thresholds or Thresholds()
        check_cutoffs(families, self.thresholds.bit_cutoffs)
        self.Z = self.thresholds.Z or len(families)
        self.most_states = max((family.length for family in families), default=0)
        self.alignments, self.threads = alignments, threads
        by_bits = self.thresholds.bit_cutoffs is not None or self.thresholds.T is not None
        self._limited = by_bits and leeway < math.inf and self.thresholds.F3 < 1
        self._local, self._turns = threading.local(), itertools.count()

    def search(
        self, records: Sequence[Record], candidates: Sequence[Sequence[int]], unreported: bool = False
    ) -> list[SearchedHits]:
        """The hits of each sequence with its own candidates (indices of families), in hmmscan's order.

        With `unreported`, also hits below the reporting thresholds that hmmscan keeps: its column
        widths depend on their names. Without a given Z it counts the comparisons as it goes, and so
        keeps a hit that is significant among the families before it.
        """
        queries, spans = [], []
        for record, families in zip(records, candidates, strict=True):
            spans.append(windows(len(record.sequence), MAX_RESIDUES))
            for start, end in spans[-1]:
                if len(families) and matrix_bytes(self.most_states, end - start) > memory_limit():
                    check_memory(record, end - start, [self.families[index] for index in families])
                sequence = to_digital(record.sequence[start:end], str(len(queries)))
                queries.append(_Query(record, sequence, families))
        as_it_goes = unreported and not self.thresholds.Z
        threads, self.threads = self.threads, 1
        different = {id(families): families for families in candidates}.values()
        self.store.prepare(list(dict.fromkeys(itertools.chain(*different))), threads)
        if self._limited and self.alignments:
            for query in queries:  # what passes filters is counted for each
                self._by_family([query], queries, as_it_goes)
        elif self._limited or len(queries) > 1 and not self.alignments:
            self._by_family(queries, queries, as_it_goes)
        else:
            self._by_query(queries, as_it_goes)
        left = iter(queries)
        return [
            self._finished(record, span, list(itertools.islice(left, len(span))))
            for record, span in zip(records, spans)
        ]

    def _by_query(self, queries: list[_Query], as_it_goes: bool) -> None:
        """Search one query after another with the same few profiles; this counts what passes filters."""
        most = max((len(query.families) for query in queries), default=0)
        for start in self._turned(range(0, most, _AT_ONCE)):
            for query in queries:
                self._scan(query, query.families[start : start + _AT_ONCE], as_it_goes)

    def _scan(self, query: _Query, families: Sequence[int], as_it_goes: bool) -> None:
        if not (len(families) and query.sequence):
            return
        pipeline = self._pipeline(as_it_goes, self.thresholds.F3)
        try:
            with self.store.borrowed(families) as profiles:
                top = pipeline.scan_seq(query.sequence, OptimizedProfileBlock(_AMINO, profiles))
        except (OverflowError, SystemError) as error:
            check_overflow(error)
            for half in _halves(families):
                self._scan(query, half, as_it_goes)
            return
        if self.alignments:
            query.count(top)
        numbers = {text_of(profile, "name"): (i, profile) for i, profile in zip(families, profiles)}
        for hit in top:
            self._keep(query, hit, *numbers[text_of(hit, "name")], as_it_goes)

    def _by_family(self, some: list[_Query], queries: list[_Query], as_it_goes: bool) -> None:
        """Search some of the queries with one profile after another, which is faster."""
        wanted, shared = defaultdict(list), None
        if all(query.families is some[0].families for query in some):
            shared = DigitalSequenceBlock(_AMINO, [query.sequence for query in some if query.sequence])
            wanted = dict.fromkeys(some[0].families if shared else ())
        else:
            for query in some:
                for family in query.families if query.sequence else ():
                    wanted[family].append(query.sequence)
        for family in self._turned(list(wanted)):
            block = shared or DigitalSequenceBlock(_AMINO, wanted[family])
            self._search(family, block, queries, as_it_goes)

    def _search(
        self, family: int, block: DigitalSequenceBlock, queries: list[_Query], as_it_goes: bool
    ) -> None:
        found = []
        try:
            with self.store.borrowed([family]) as (profile,):
                for part, F3 in self._limits(family, profile, block, queries):
                    found.append(self._pipeline(as_it_goes, F3).search_hmm(profile, part))
        except (OverflowError, SystemError) as error:
            check_overflow(error)
            for half in _halves(block):
                self._search(family, half, queries, as_it_goes)
            return
        for top in found:
            if self.alignments and block:  # of one query
                queries[int(block[0].name)].count(top)
            for hit in top:
                self._keep(queries[int(hit.name)], hit, family, profile, as_it_goes)

    def _keep(self, query: _Query, found, family: int, profile: OptimizedProfile, as_it_goes: bool) -> None:
        """Add a hit to those of the query, if hmmscan would keep it."""
        if as_it_goes and not passes(found.pvalue * (1 + family), found.score, self.thresholds):
            return
        domZ = self.thresholds.domZ or 1.0
        hit = to_hit(found, family, profile, query.record, self.Z, domZ, self.alignments)
        query.hits.append(with_Z(hit, self.thresholds) if as_it_goes else hit)

    def _pipeline(self, as_it_goes: bool, F3: float) -> Pipeline:
        """This thread's pipeline, as new, with the least numbers for Z and domZ that may be right."""
        if not hasattr(self._local, "pipeline"):
            values = vars(self.thresholds) | {"domZ": self.thresholds.domZ or 1.0}
            self._local.pipeline = Pipeline(_AMINO, **values)
        self._local.pipeline.Z, self._local.pipeline.F3 = 1.0 if as_it_goes else self.Z, F3
        self._local.pipeline.clear()
        return self._local.pipeline

    def _limits(
        self, family: int, profile: OptimizedProfile, block: DigitalSequenceBlock, queries: list[_Query]
    ) -> list[tuple[DigitalSequenceBlock, float]]:
        """The parts of a block, and the P-value that the last filter demands in each."""
        usual = self.thresholds.F3
        least = self._forward_p(family, profile, self.leeway) if self._limited else usual
        if least == usual or not self.thresholds.bias_filter:
            return [(block, least)]
        parts = defaultdict(list)
        for sequence in block:
            bias = most_bias(queries[int(sequence.name)].counts, profile)
            parts[max(self.leeway, bias + _OTHERWISE)].append(sequence)
        if [*parts] == [self.leeway]:
            return [(block, least)]
        demand = lambda leeway: self._forward_p(family, profile, leeway)
        return [(DigitalSequenceBlock(_AMINO, part), demand(leeway)) for leeway, part in parts.items()]

    def _forward_p(self, family: int, profile: OptimizedProfile, leeway: float) -> float:
        """The P-value that the last filter demands of a family, so many bits below its cutoff."""
        score = reported_from(self.families[family], self.thresholds) - leeway
        statistics = profile.evalue_parameters  # scores have an exponential tail
        log_p = statistics.f_lambda * (statistics.f_tau - score)
        return min(self.thresholds.F3, math.exp(min(log_p, 0.0)))

    def _turned(self, items: Sequence[int]) -> list[int]:
        """The items from another one on at each call: threads seldom want the same profile at once."""
        turn = int(next(self._turns) * _GOLDEN % 1 * len(items))
        return [*items[turn:], *items[:turn]]

    def _finished(self, record: Record, spans: list[tuple[int, int]], queries: list[_Query]) -> SearchedHits:
        """The hits of a sequence, of which all windows were searched."""
        found = [self._thresholded(query.hits) for query in queries]
        if len(spans) > 1:
            parts = [(*span, [hit for hit in hits if hit.reported]) for span, hits in zip(spans, found)]
            return SearchedHits(merge_windows(record, parts, self.families, self.thresholds, self.Z))
        if not self.alignments:
            return SearchedHits(found[0])
        families = queries[0].families
        counts = {"nmodels": len(families), "nnodes": sum(self.families[i].length for i in families)}
        return SearchedHits(found[0], counts | {name: queries[0].passed[name] for name in _PASSED})

    def _thresholded(self, hits: list[Hit]) -> list[Hit]:
        """The hits of a query, now that all of them are known, in hmmscan's order."""
        domZ = self.thresholds.domZ or sum(hit.reported for hit in hits)
        return in_order((with_domZ(hit, domZ, self.thresholds) for hit in hits), self.thresholds)


def check_overflow(error: Exception) -> None:
    """Raise an error again unless it says that HMMER's arithmetic overflowed.

    pyhmmer 0.12 makes a SystemError of the OverflowError that it means.
    """
    if isinstance(error, SystemError) and not isinstance(error.__cause__, EaselError):
        raise error


def _halves(items: Sequence[int]) -> list[Sequence[int]]:
    """Two parts, in one of which HMMER's arithmetic overflows; a single item is left out."""
    middle = len(items) // 2
    return [items[:middle], items[middle:]] if middle else []
