"""The profile stage: hmmscan's own pipeline, on the candidate families of each sequence.

pyhmmer runs HMMER's code. With the number of comparisons Z given, a profile's
numbers do not depend on the other profiles, except for what hmmscan derives from
the hits of the query: the conditional E-value of a domain counts the families that
are reported. So sequences are searched family by family. A profile that meets one
sequence after another stays in the processor's cache, and HMMER's filters run
faster by half than where a sequence meets one profile after another.
"""

import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pyhmmer.easel import Alphabet, DigitalSequence, DigitalSequenceBlock
from pyhmmer.plan7 import Pipeline

from ..families import Family
from ..hits import Hit
from ..records import Record
from .hmmer_hits import to_hit
from .long_sequences import merge_windows, windows
from .store import ProfileStore
from .thresholds import Thresholds, check_cutoffs, with_domZ, with_Z

# HMMER's pipeline refuses sequences of more residues than that.
MAX_RESIDUES = 100_000
_PASSED = ("n_past_msv", "n_past_bias", "n_past_vit", "n_past_fwd")
_GOLDEN = 0.618034


def _digital_codes(alphabet: Alphabet) -> bytes:
    """The table by which Easel digitizes: upper case, and _ . for a gap."""
    table = bytearray(256)
    for code, symbol in enumerate(alphabet.symbols):
        table[ord(symbol)] = code
    table[ord(".")] = table[ord("_")] = table[ord("-")]
    return bytes(table)


_AMINO = Alphabet.amino()
_CODES = _digital_codes(_AMINO)


def to_digital(text: str, name: str = "") -> DigitalSequence:
    """Digitize residues as hmmscan does (every legal symbol, `*` too)."""
    return DigitalSequence(_AMINO, name=name, sequence=text.encode("ascii").translate(_CODES))


class SearchedHits(list[Hit]):
    """The hits of one sequence.

    `counts` are those of hmmscan's summary, or None: nmodels, nnodes, n_past_msv,
    n_past_bias, n_past_vit, n_past_fwd.
    """

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


class ProfileSearch:
    """Searches sequences with some of the profiles of a model.

    `search` may be called from several threads. What it finds in a sequence does
    not depend on the others.

    Arguments:
        store: the profiles.
        families: of the model, in the store's order.
        thresholds: a `Thresholds`.
        alignments: whether domains have their alignments, and sequences the counts of
            hmmscan's summary. The counts take one run of the pipeline for each
            sequence and profile, which is slower by half.
        threads: prepare the profiles of the first search.

    Raises:
        PfamnetError: bit cutoffs are asked for and a family has none.
    """

    def __init__(
        self,
        store: ProfileStore,
        families: Sequence[Family],
        thresholds: Thresholds | None = None,
        alignments: bool = False,
        threads: int = 1,
    ) -> None:
        self.store, self.families = store, families
        self.thresholds = thresholds or Thresholds()
        check_cutoffs(families, self.thresholds.bit_cutoffs)
        self.Z = self.thresholds.Z or len(families)
        self.alignments, self.threads = alignments, threads
        self._local, self._turns = threading.local(), itertools.count()

    def search(
        self, records: Sequence[Record], candidates: Sequence[Sequence[int]], unreported: bool = False
    ) -> list[SearchedHits]:
        """The hits of each sequence with its own candidates, in hmmscan's order.

        Arguments:
            records: the sequences, of any length.
            candidates: for each, indices of families, each once.
            unreported: also return hits below the reporting thresholds that hmmscan
                keeps: its column widths depend on their names. Without -Z, hmmscan
                counts the comparisons as it goes, and so keeps a hit that is
                significant among the families before it.
        """
        queries, spans = [], []
        for record, families in zip(records, candidates, strict=True):
            spans.append(windows(len(record.sequence), MAX_RESIDUES))
            for start, end in spans[-1]:
                sequence = to_digital(record.sequence[start:end], str(len(queries)))
                queries.append(_Query(record, sequence, families))
        wanted = defaultdict(list)
        for query in queries:
            if len(query.sequence):
                for family in query.families:
                    wanted[family].append(query)
        self._search(wanted, queries, as_it_goes=unreported and not self.thresholds.Z)
        left = iter(queries)
        return [
            self._finished(record, span, list(itertools.islice(left, len(span))))
            for record, span in zip(records, spans)
        ]

    def _search(self, wanted: dict[int, list[_Query]], queries: list[_Query], as_it_goes: bool) -> None:
        """Give each query the hits of the families that want it."""
        order = list(wanted)
        if self.threads > 1:
            threads, self.threads = self.threads, 1
            self.store.prepare(order, threads)
        # Threads that search with every family begin at different ones, or each would
        # wait for, or make again, the profile that another one has.
        turn = int(next(self._turns) * _GOLDEN % 1 * len(order))
        for family in order[turn:] + order[:turn]:
            group = wanted[family]
            for some in [[query] for query in group] if self.alignments else [group]:
                self._search_family(family, some, queries, family + 1 if as_it_goes else self.Z)

    def _search_family(self, family: int, some: list[_Query], queries: list[_Query], Z: float) -> None:
        """Search some of the queries with one profile; Z is the number of comparisons so far."""
        pipeline = self._pipeline(Z)
        try:
            with self.store.borrowed(family) as profile:
                top = pipeline.search_hmm(
                    profile, DigitalSequenceBlock(_AMINO, [query.sequence for query in some])
                )
        except OverflowError:  # of HMMER's arithmetic, in one of the sequences: that is left out
            middle = len(some) // 2
            for half in (some[:middle], some[middle:]) if middle else ():
                self._search_family(family, half, queries, Z)
            return
        for one in top:
            query = queries[int(one.name)]
            hit = to_hit(one, family, profile, query.record, self.Z, pipeline.domZ, self.alignments)
            query.hits.append(hit if Z == self.Z else with_Z(hit, self.thresholds))
        if self.alignments:
            counts = top.__getstate__()["pipeline"]
            some[0].passed.update({name: counts[name] for name in _PASSED})

    def _pipeline(self, Z: float) -> Pipeline:
        """This thread's pipeline, as new; if domZ is not given, `with_domZ` sets it later."""
        if not hasattr(self._local, "pipeline"):
            self._local.pipeline = Pipeline(
                _AMINO, **vars(self.thresholds) | {"domZ": self.thresholds.domZ or 1.0}
            )
        self._local.pipeline.Z = Z
        self._local.pipeline.clear()
        return self._local.pipeline

    def _finished(self, record: Record, spans: list[tuple[int, int]], queries: list[_Query]) -> SearchedHits:
        """The hits of a sequence, of which all windows were searched."""
        found = [self._thresholded(query.hits) for query in queries]
        if len(spans) > 1:
            parts = [(*span, [hit for hit in hits if hit.reported]) for span, hits in zip(spans, found)]
            return SearchedHits(merge_windows(record, parts, self.thresholds, self.Z))
        if not self.alignments:
            return SearchedHits(found[0])
        families = queries[0].families
        counts = {"nmodels": len(families), "nnodes": sum(self.families[i].length for i in families)}
        return SearchedHits(found[0], counts | {name: queries[0].passed[name] for name in _PASSED})

    def _thresholded(self, hits: list[Hit]) -> list[Hit]:
        """The hits of a query, now that all of them are known, in hmmscan's order."""
        domZ = self.thresholds.domZ or sum(hit.reported for hit in hits)
        by_score = self.thresholds.inclusion_by_score
        order = lambda hit: (-hit.score if by_score else hit.log_p, *hit.order[1:])
        return sorted((with_domZ(hit, domZ, self.thresholds) for hit in hits), key=order)
