"""Labels for proteins that have none: what the profiles find in them, as hmmscan finds it.

Families with gathering cutoffs are searched at these, the others at `E_VALUE`. The proteins are searched in
parts, each of which the work directory keeps: a build that was killed continues with the next part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate, groupby

from pyhmmer.plan7 import HMM

from ..errors import PfamnetError
from ..families import Family
from ..io.fasta import read_fasta
from ..profiles.files import text_of
from ..profiles.search import ProfileSearch
from ..profiles.store import ProfileStore
from ..profiles.thresholds import Thresholds
from ..records import Record
from ..trainset.domains import DomainTable
from ..trainset.entries import clean_sequence
from .estimate import duration
from .hmms import spread
from .inputs import describe, key_text
from .work import Threads, Work, load_json, save_json

E_VALUE = 0.001  # of families without gathering cutoffs
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
        self.with_cutoffs = [hmm for hmm in hmms if hmm.cutoffs.gathering is not None]
        self.without = [hmm for hmm in hmms if hmm.cutoffs.gathering is None]
        self.families = len(hmms)
        self.states = sum(hmm.M for hmm in hmms)
        sizes = accumulate(len(record.sequence) for record in self.records)
        places = zip(sizes, self.records)
        parts = groupby(places, lambda place: place[0] * self.states // int(PART))
        self.parts = [[record for _, record in part] for _, part in parts]

    def plan(self, work: Work) -> str:
        """What is left to do, and about how long it takes, in one line."""
        parts = [part for number, part in enumerate(self.parts) if not (work / name_of(number)).exists()]
        proteins = sum(map(len, parts))
        residues = sum(len(record.sequence) for part in parts for record in part)
        done = f" ({len(self.records) - proteins} are done)" if proteins < len(self.records) else ""
        limits = [f"{len(self.with_cutoffs)} at their gathering cutoffs"] if self.with_cutoffs else []
        limits += [f"{len(self.without)} at E <= {E_VALUE:g}"] if self.without else []
        what = f"search {proteins} proteins ({residues} residues){done}"
        took = duration(self.seconds(residues))
        return f"labels: {what} with {self.families} profiles, {', '.join(limits)}: {took}"

    def seconds(self, residues: int) -> float:
        """About how long it takes to search so many residues, from a trial."""
        records = spread(self.records, TRIAL[0])
        profiles = spread([*self.with_cutoffs, *self.without], TRIAL[1])
        begun = time.monotonic()
        search(profiles, Thresholds(Z=self.families))(records)
        took = time.monotonic() - begun
        tried = sum(len(record.sequence) for record in records) * sum(hmm.M for hmm in profiles)
        return took * residues * self.states / tried / min(self.threads.cpus, len(self.parts))

    def table(self, work: Work, rivals: bool = False) -> DomainTable:
        """The domains that are found; `rivals` as of `DomainTable`.

        Raises PfamnetError if there are none.
        """
        strict = Thresholds(Z=self.families, bit_cutoffs="gathering")
        loose = Thresholds(Z=self.families, domZ=self.families, E=E_VALUE, domE=E_VALUE)
        groups = (self.with_cutoffs, strict), (self.without, loose)
        searches = [search(hmms, limits) for hmms, limits in groups if hmms]

        def make(part: list[Record]) -> list:
            return [row for one in searches for row in one(part)]

        def step(number: int) -> list:
            return work.step(name_of(number), lambda: make(self.parts[number]), load_json, save_json)

        table = DomainTable(self.path, rivals=rivals)
        for rows in self.threads.map("labels", step, range(len(self.parts))):
            for protein, *domain in rows:
                table.domains.setdefault(protein, []).append(tuple(domain))
        if not table.domains:
            raise PfamnetError(f"{self.path}: the profiles find no domain in its proteins")
        return table


def name_of(part: int) -> str:
    """The file of the work directory that keeps what was found in a part."""
    return f"labels/{part}.json"


def search(hmms: Sequence[HMM], thresholds: Thresholds) -> Callable[[Sequence[Record]], list[tuple]]:
    """A function that gives the domains of records: protein, and what `DomainTable` holds of a domain."""
    families = [describe(Family(key_text(hmm), text_of(hmm, "name")), hmm) for hmm in hmms]
    engine, every = ProfileSearch(ProfileStore(hmms), families, thresholds), range(len(families))

    def domains(records: Sequence[Record]) -> list[tuple]:
        found = []
        for record, hits in zip(records, engine.search(records, [every] * len(records))):
            for hit in hits:
                names = families[hit.family].accession, families[hit.family].name
                for domain in hit.reported_domains if hit.reported else ():
                    found.append((record.name, domain.ali_from, domain.ali_to, *names, 0, domain.score))
        return found

    return domains


def read_proteins(path: str) -> list[Record]:
    """Full-length proteins, to be searched; errors as of `Labelling`."""
    records, first = [], {}
    for record in read_fasta(path):
        where = f"{path}: record {record.number} '{record.name}'"
        before = first.setdefault(record.name, record.number)
        if before != record.number:
            raise PfamnetError(f"{where}: has the name of record {before}")
        records.append(record._replace(sequence=clean_sequence(where, record.sequence)))
    return records
