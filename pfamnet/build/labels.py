"""Labels for proteins that have none: what the profiles find in them, as hmmscan finds it.

Domains of families with gathering cutoffs pass these, the others `E_VALUE`. What else has an E-value of
`IGNORED` may be a domain or not: outside the labels its residues are ignored. The work directory keeps each
part of the proteins that was searched: a build that was killed continues with the next one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby

from pyhmmer.plan7 import HMM

from ..errors import PfamnetError
from ..hits import Domain, Hit
from ..io.fasta import read_fasta
from ..profiles.search import ProfileSearch
from ..profiles.store import ProfileStore
from ..profiles.thresholds import Thresholds
from ..records import Record, shown
from ..trainset.domains import DomainTable
from ..trainset.entries import clean_sequence
from ..trainset.trainset import TrainSet
from .estimate import duration
from .hmms import spread
from .inputs import own_family
from .work import Threads, Work, load_json, save_json

E_VALUE = 0.001  # of families without gathering cutoffs
IGNORED = 0.01  # as hmmscan includes
PART = 1e12  # residues times match states of a part: about a minute of one core
TRIAL = 200, 100  # proteins and profiles by which the time is estimated


class Labelling:
    """Searches the proteins of a file with profiles.

    Arguments:
        path: FASTA; two proteins of one name, and characters that are no residues, are refused.
        hmms: the profiles.

    Raises:
        PfamnetError: the file is refused.
    """

    def __init__(self, path: str, hmms: Sequence[HMM], threads: Threads):
        self.path, self.threads = path, threads
        self.records = read_proteins(path)
        self.hmms = hmms
        self.without = sum(hmm.cutoffs.gathering is None for hmm in hmms)
        self.states = sum(hmm.M for hmm in hmms)
        sizes = accumulate(len(record.sequence) for record in self.records)
        places = zip(sizes, self.records)
        parts = groupby(places, lambda place: place[0] * self.states // int(PART))
        self.parts = [[record for _, record in part] for _, part in parts]

    def refuse_again(self, trainset: TrainSet) -> None:
        """Raise PfamnetError if a protein is a full-length one of the train sets too."""
        folds = filter(None, (trainset.train, trainset.dev))
        known = {name for fold in folds for name, whole in zip(fold.names, fold.whole) if whole}
        for record in self.records:
            if record.name in known:
                where = f"{self.path}: record {record.number} '{shown(record.name)}'"
                raise PfamnetError(f"{where}: is in a train set too")

    def plan(self, work: Work) -> str:
        """What is left to do, and about how long it takes, in one line."""
        parts = [part for number, part in enumerate(self.parts) if not (work / name_of(number)).exists()]
        proteins = sum(map(len, parts))
        residues = sum(len(record.sequence) for part in parts for record in part)
        done = f" ({len(self.records) - proteins} are done)" if proteins < len(self.records) else ""
        cutoffs = len(self.hmms) - self.without
        limits = [f"{cutoffs} at their gathering cutoffs"] if cutoffs else []
        limits += [f"{self.without} at E <= {E_VALUE:g}"] if self.without else []
        what = f"search {proteins} proteins ({residues} residues){done}"
        took = duration(self.seconds(residues))
        return f"labels: {what} with {len(self.hmms)} profiles, {', '.join(limits)}: {took}"

    def seconds(self, residues: int) -> float:
        """About how long it takes to search so many residues, from a trial."""
        records, profiles = spread(self.records, TRIAL[0]), spread(self.hmms, TRIAL[1])
        begun = time.monotonic()
        search(profiles, len(self.hmms))(records)
        took = time.monotonic() - begun
        tried = sum(len(record.sequence) for record in records) * sum(hmm.M for hmm in profiles)
        return took * residues * self.states / tried / min(self.threads.cpus, len(self.parts))

    def table(self, work: Work, rivals: bool = False) -> DomainTable:
        """The domains that are found; `rivals` as of `DomainTable`.

        Raises PfamnetError if there are none.
        """
        find = search(self.hmms, len(self.hmms))

        def step(number: int) -> list:
            return work.step(name_of(number), lambda: find(self.parts[number]), load_json, save_json)

        table = DomainTable(self.path, rivals=rivals)
        for rows in self.threads.map("labels", step, range(len(self.parts))):
            for protein, *domain in rows:
                table.domains.setdefault(protein, []).append(tuple(domain))
        if not any(domain[2] for domains in table.domains.values() for domain in domains):
            raise PfamnetError(f"{self.path}: the profiles find no domain in its proteins")
        return table


def name_of(part: int) -> str:
    """The file of the work directory that keeps what was found in a part."""
    return f"labels/{part}.json"


def search(hmms: Sequence[HMM], Z: int) -> Callable[[Sequence[Record]], list[tuple]]:
    """A function that gives the domains of records: protein, and what `DomainTable` holds of a domain.

    Z is the number of comparisons for E-values.
    """
    families = list(map(own_family, hmms))
    limits = Thresholds(E=math.inf, domE=math.inf, Z=Z, domZ=Z)  # cutoffs decide, whatever the E-value
    engine, every = ProfileSearch(ProfileStore(hmms), families, limits), range(len(families))

    def domains(record: Record, hits: Sequence[Hit]) -> list[tuple]:
        found = [(hit, domain) for hit in hits for domain in hit.domains]
        labels = [(hit, domain) for hit, domain in found if passes(hit, domain, families[hit.family].ga)]
        taken, rows = sorted(label.aligned for _, label in labels), []
        for hit, label in labels:
            family = families[hit.family]
            rows.append((record.name, *label.aligned, family.accession, family.name, 0, label.score))
        for hit, domain in found:
            if max(hit.evalue, domain.i_evalue) <= IGNORED:
                parts = uncovered(*domain.aligned, taken)
                rows += [(record.name, *part, "", "", 0, domain.score) for part in parts]
        return [(name, start + 1, *more) for name, start, *more in rows]

    def every_domain(records: Sequence[Record]) -> list[tuple]:
        found = zip(records, engine.search(records, [every] * len(records)))
        return [row for record, hits in found for row in domains(record, hits)]

    return every_domain


def uncovered(start: int, end: int, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a range that none of others, which are sorted, covers: 0-based half-open, as they are."""
    for first, last in ranges:
        if start < min(first, end):
            yield start, min(first, end)
        start = max(start, last)
    if start < end:
        yield start, end


def passes(hit: Hit, domain: Domain, cutoffs: tuple[float, float] | None) -> bool:
    """Whether a domain is a label."""
    if cutoffs is None:
        return max(hit.evalue, domain.i_evalue) <= E_VALUE
    return hit.score >= cutoffs[0] and domain.score >= cutoffs[1]


def read_proteins(path: str) -> list[Record]:
    """Full-length proteins, to be searched; errors as of `Labelling`."""
    records, first = [], {}
    for record in read_fasta(path):
        where = f"{path}: record {record.number} '{record.name}'"
        before = first.setdefault(record.name, record.number)
        if before != record.number:
            raise PfamnetError(f"{where}: has the name of record {before}")
        records.append(record._replace(sequence=clean_sequence(where, record.sequence)))
    if not records:
        raise PfamnetError(f"{path}: no sequences")
    return records
