"""The profile stage for several sequences at once, family by family.

A profile that meets one sequence after another stays in the processor's cache, and
HMMER's filters run faster by half than where a sequence meets many profiles in
turn. The pipeline, and so each number, is the same.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence

from pyhmmer.easel import Alphabet, DigitalSequenceBlock
from pyhmmer.plan7 import Pipeline

from ..hits import Hit
from ..records import Record
from .hmmer_hits import to_hit
from .pool import ProfilePool
from .search import MAX_RESIDUES, ProfileSearch, SearchedHits, to_digital
from .thresholds import with_domZ

_AMINO = Alphabet.amino()


class BatchSearch:
    """Searches sequences with the candidates of each, as a `ProfileSearch` would one by one.

    `search_all` may be called from several threads at once. Hits have no
    alignments. The profiles of the first sequences are made ready by `threads`
    threads: those of a single protein are most of what a scan of it takes.
    """

    def __init__(self, search: ProfileSearch, threads: int = 1) -> None:
        self.search, self.threads = search, threads
        self.thresholds, self.Z = search.thresholds, search.Z
        self._profiles = ProfilePool(search.store)
        self._local = threading.local()

    def search_all(
        self, records: Sequence[Record], candidates: Sequence[Sequence[int]]
    ) -> list[SearchedHits]:
        """The hits of each sequence with the families of its own, in hmmscan's order.

        Arguments:
            records: the queries; of any length.
            candidates: for each, indices of families, each once.
        """
        results, found, sequences = {}, defaultdict(list), {}
        queries = defaultdict(list)  # of each family
        for place, (record, families) in enumerate(zip(records, candidates, strict=True)):
            if not 0 < len(record.sequence) <= MAX_RESIDUES:
                results[place] = self.search.search(record, families)
                continue
            sequences[place] = to_digital(record._replace(name=str(place), description=""))
            for family in families:
                queries[family].append(place)
        if self.threads > 1:
            threads, self.threads = self.threads, 1
            self._profiles.prepare(list(queries), threads)
        for family, places in queries.items():
            for place, hit in self._family(family, places, sequences, records):
                found[place].append(hit)
        for place in sequences:
            results[place] = self._finished(found[place])
        return [results[place] for place in range(len(records))]

    def _family(self, family, places, sequences, records) -> list[tuple[int, Hit]]:
        """The reported hits of one family: (place of the query, hit)."""
        block = DigitalSequenceBlock(_AMINO, [sequences[place] for place in places])
        pipeline = self._pipeline()
        try:
            with self._profiles.borrowed(family) as profile:
                top = pipeline.search_hmm(profile, block)
        except OverflowError:  # of HMMER's arithmetic, by one of the sequences
            return [(place, hit) for place in places for hit in self.search.search(records[place], [family])]
        reported = [(int(hit.name), hit) for hit in top if hit.reported]
        return [
            (place, to_hit(hit, family, profile, records[place], self.Z, pipeline.domZ))
            for place, hit in reported
        ]

    def _finished(self, hits: list[Hit]) -> SearchedHits:
        """The hits of a query, now that it is known how many families are reported."""
        if self.thresholds.domZ is None:
            hits = [with_domZ(hit, len(hits), self.thresholds) for hit in hits]
        return SearchedHits(sorted(hits, key=lambda hit: hit.order))

    def _pipeline(self):
        """This thread's pipeline, as new; every domain of a reported hit passes it."""
        if not hasattr(self._local, "pipeline"):
            values = vars(self.thresholds) | {"Z": self.Z, "domZ": self.thresholds.domZ or 1.0}
            self._local.pipeline = Pipeline(_AMINO, **values)
        self._local.pipeline.clear()
        return self._local.pipeline
