"""The profile stage: hmmscan's own pipeline, on the candidate families alone.

pyhmmer runs HMMER's code. With the number of comparisons Z given, a profile's
numbers do not depend on which other profiles are tried, except for what
hmmscan derives from the hits it reports for the query: the conditional
E-value of a domain is its P-value times the number of families reported.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyhmmer.easel import Alphabet, DigitalSequence
from pyhmmer.plan7 import OptimizedProfileBlock, Pipeline

from ..errors import PfamnetError
from ..hits import Hit
from ..records import Record
from .hmmer_hits import to_hit
from .long_sequences import merge_windows, windows

# HMMER's pipeline refuses sequences of more residues than that.
MAX_RESIDUES = 100_000

_CUTOFF_FIELDS = {"gathering": ("GA", "ga"), "trusted": ("TC", "tc"), "noise": ("NC", "nc")}


@dataclass(frozen=True)
class Thresholds:
    """What hmmscan's options of the same names set, with its defaults.

    E, T, domE, domT          reporting; a score (T) goes before an E-value
    incE, incT, incdomE, incdomT   inclusion
    bit_cutoffs               None, 'gathering', 'trusted' or 'noise': take
                              both from the profile
    Z, domZ                   comparisons, and significant families, counted
                              for E-values; None: all families, and those
                              reported for the query
    seed                      0 for an arbitrary one
    F1, F2, F3, bias_filter   the filters; `--max` is 1, 1, 1, False
    null2                     correct scores for composition
    """

    E: float = 10.0
    T: float | None = None
    domE: float = 10.0
    domT: float | None = None
    incE: float = 0.01
    incT: float | None = None
    incdomE: float = 0.01
    incdomT: float | None = None
    bit_cutoffs: str | None = None
    Z: float | None = None
    domZ: float | None = None
    seed: int = 42
    F1: float = 0.02
    F2: float = 1e-3
    F3: float = 1e-5
    bias_filter: bool = True
    null2: bool = True

    @property
    def inclusion_by_score(self) -> bool:
        """Whether inclusion goes by score; pfamtblout is then sorted by score."""
        return self.incT is not None or self.bit_cutoffs is not None

    def unfiltered(self) -> "Thresholds":
        """The same with every filter off, as hmmscan's --max."""
        return replace(self, F1=1.0, F2=1.0, F3=1.0, bias_filter=False)


def check_cutoffs(families: Sequence, bit_cutoffs: str | None) -> None:
    """Raise PfamnetError where a family lacks the cutoffs that are asked for."""
    if bit_cutoffs is None:
        return
    label, field = _CUTOFF_FIELDS[bit_cutoffs]
    lacking = [family for family in families if getattr(family, field) is None]
    if lacking:
        others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        first = lacking[0]
        raise PfamnetError(
            f"family {first.accession} {first.name}{others}: no {label} bit thresholds in the model"
        )


def _digital_codes(alphabet: Alphabet) -> bytes:
    """The table by which Easel digitizes: upper case, and _ . for a gap."""
    table = bytearray(256)
    for code, symbol in enumerate(alphabet.symbols):
        table[ord(symbol)] = code
    table[ord(".")] = table[ord("_")] = table[ord("-")]
    return bytes(table)


def _utf8(text: str) -> str:
    """Text that C can hold: bytes that were no UTF-8 become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


_AMINO = Alphabet.amino()
_CODES = _digital_codes(_AMINO)


def to_digital(record: Record, alphabet: Alphabet = _AMINO) -> DigitalSequence:
    """Digitize a record as hmmscan does (every legal symbol, `*` too)."""
    codes = _CODES if alphabet == _AMINO else _digital_codes(alphabet)
    return DigitalSequence(
        alphabet,
        name=_utf8(record.name),
        description=_utf8(record.description),
        sequence=record.sequence.encode("ascii").translate(codes),
    )


class SearchedHits(list):
    """Hits of one search; ``counts`` are those of hmmscan's summary, or None.

    nmodels, nnodes, n_past_msv, n_past_bias, n_past_vit, n_past_fwd
    """

    def __init__(self, hits=(), top=None) -> None:
        super().__init__(hits)
        self.counts = None if top is None else top.__getstate__()["pipeline"]

    def with_hits(self, hits) -> "SearchedHits":
        """Other hits with the counts of this search."""
        others = SearchedHits(hits)
        others.counts = self.counts
        return others


class ProfileSearch:
    """Searches sequences with some of the profiles of a model.

    Arguments:
        store: has `optimized(i)`, the search profile of family i. It must
            hand each thread its own, as `ProfileStore` does: a search
            changes the profile.
        families: of the model, in the store's order.
        Z: comparisons counted for E-values; by default what the thresholds
            say, else the number of families.
        thresholds: a `Thresholds`.
        alignments: whether domains shall have their alignments, and searches
            their counts.

    `search` may be called from several threads at once, and gives the same
    for a sequence whatever was searched before.

    Raises:
        PfamnetError: bit cutoffs are asked for and a family has none.
    """

    def __init__(
        self,
        store,
        families: Sequence,
        Z: float | None = None,
        thresholds: Thresholds | None = None,
        alignments: bool = False,
    ) -> None:
        self.store = store
        self.families = families
        self.thresholds = thresholds or Thresholds()
        check_cutoffs(families, self.thresholds.bit_cutoffs)
        self.Z = Z or self.thresholds.Z or len(families)
        self.alignments = alignments
        self._counted = not (Z or self.thresholds.Z)
        self._local = threading.local()

    def search(
        self,
        record: Record,
        indices: Sequence[int],
        regions: dict[int, list[tuple[int, int]]] | None = None,
        unreported: bool = False,
    ) -> list[Hit]:
        """Search one sequence with the profiles of some families.

        Arguments:
            record: the query; of any length.
            indices: of the families to try, each once.
            regions: for sequences over `MAX_RESIDUES` alone, where to look
                for a family: lists of (start, end), 0-based half-open, by
                family; families not in it are looked for everywhere.
            unreported: also return hits below the reporting thresholds, as
                hmmscan keeps them: its column widths depend on their names.

        Returns:
            Hits in hmmscan's order.
        """
        if not len(indices) or not record.sequence:
            return self._nothing(indices)
        if len(record.sequence) <= MAX_RESIDUES:
            return self._search(record, list(indices), unreported)
        return self._search_windows(record, indices, regions or {})

    def _nothing(self, indices):
        """What a search finds in a sequence without residues."""
        hits = SearchedHits()
        if self.alignments:
            nodes = sum(self.families[i].length for i in indices)
            passed = dict.fromkeys(("n_past_msv", "n_past_bias", "n_past_vit", "n_past_fwd"), 0)
            hits.counts = {"nmodels": len(indices), "nnodes": nodes, **passed}
        return hits

    def _search(self, record, indices, unreported=False):
        pipeline = self._pipeline()
        if unreported and self._counted and len(indices) == len(self.families):
            # Without -Z, hmmscan counts as it goes, and so at first keeps
            # hits that in the end are not significant enough.
            pipeline.Z = None
        block, numbers = self._block(indices)
        try:
            top = pipeline.scan_seq(to_digital(record), block)
        except OverflowError:
            return self._search_one_by_one(record, indices)
        return SearchedHits(
            (
                to_hit(hit, family, profile, record, top.Z, top.domZ, self.alignments)
                for hit in top
                if hit.reported or unreported
                for family, profile in [numbers[hit.name]]
            ),
            top if self.alignments else None,
        )

    def _search_windows(self, record, indices, regions):
        """Search a sequence that HMMER refuses, in overlapping windows."""
        found = []
        for start, end in windows(len(record.sequence), MAX_RESIDUES):
            here = [
                i for i in indices if i not in regions or any(a < end and b > start for a, b in regions[i])
            ]
            if here:
                part = record._replace(sequence=record.sequence[start:end])
                found.append((start, end, self._search(part, here)))
        return SearchedHits(merge_windows(record, found, self.thresholds, self.Z))

    def _search_one_by_one(self, record, indices):
        """Leave out the profiles in which HMMER's arithmetic overflows."""
        if len(indices) == 1:
            return SearchedHits()
        middle = len(indices) // 2
        halves = indices[:middle], indices[middle:]
        sound = [hit.family for half in halves for hit in self._search(record, half)]
        return self._search(record, sound) if sound else SearchedHits()

    def _pipeline(self):
        """This thread's pipeline, as new."""
        if not hasattr(self._local, "pipeline"):
            values = vars(self.thresholds) | {"Z": self.Z}
            self._local.pipeline = Pipeline(_AMINO, **values)
        self._local.pipeline.Z = self.Z
        self._local.pipeline.clear()
        return self._local.pipeline

    def _block(self, indices):
        """The profiles as pyhmmer wants them, and the families by name.

        The last block is kept, for searches with every family.
        """
        last = getattr(self._local, "block", None)
        if last is None or last[0] != indices:
            profiles = [self.store.optimized(i) for i in indices]
            numbers = {profile.name: (i, profile) for profile, i in zip(profiles, indices)}
            last = (indices, OptimizedProfileBlock(_AMINO, profiles), numbers)
            self._local.block = last
        return last[1:]
