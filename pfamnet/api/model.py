"""A model to scan with, and the scan of some sequences in one call."""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from ..families import Family
from ..profiles.store import ProfileStore
from ..profiles.thresholds import Thresholds
from ..scan.opening import (
    ScanOptions,
    make_scanner,
    mode_of,
    network_of,
    open_any,
    reported_families,
    shipped_model,
)
from ..scan.processors import at_most, usable_processors
from ..scan.workers import MOST as AT_ONCE
from ..scan.workers import in_order
from .checks import check_options
from .results import Protein
from .scans import Scan
from .sequences import SequenceReader, is_path

LONG = 20_000  # bytes of sequences, some 40 proteins: what is worth processes of its own
MET = 50  # bytes for each family in sequences that meet nearly all profiles where the network proposes
KEPT = 8  # scanners of one model


def scan(sequences: object, model: object = None, **options: object) -> Scan:
    """Scan sequences in one call: `Model(model).scan(sequences, **options)`."""
    return (model if isinstance(model, Model) else Model(model)).scan(sequences, **options)


class Model:
    """A model in memory; threads may share it.

    Arguments:
        path: a directory made by pfamnet-build, "hf:ORG/NAME[@REVISION]", or an HMM database, which is
            searched with every profile; None for the model that ships with pfamnet.
        warn: takes a line about what is odd; by default a Python warning.

    Raises:
        PfamnetError: there is no such model, or it is damaged.
    """

    def __init__(self, path: str | os.PathLike | None = None, warn: Callable[[str], None] | None = None):
        self.warn = warn or as_warning
        self.path = shipped_model() if path is None else Path(path)
        self._opened = open_any(self.path, self.warn)
        self._scanners: dict[ScanOptions, object] = {}
        self.at_once = AT_ONCE  # records that a thread takes, and finishes even if nobody waits any more
        self._lock = threading.Lock()

    def __reduce__(self):
        """A model that is pickled is opened again by its path."""
        return Model, (str(self.path), None if self.warn is as_warning else self.warn)

    @property
    def name(self) -> str:
        """As outputs state it."""
        return self._opened.name

    @property
    def families(self) -> list[Family]:
        """The families, with accession, name, length, clan, description and cutoffs."""
        return self._opened.families

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of its networks: light and esm, or none."""
        return tuple(self._opened.networks)

    @property
    def profiles(self) -> ProfileStore:
        """The profile HMMs, in the order of the families."""
        return self._opened.store

    @property
    def description(self) -> dict:
        """The content of its model.json; empty for an HMM database."""
        return self._opened.description

    def __repr__(self) -> str:
        networks = f", {' and '.join(self.networks)} network" if self.networks else ""
        return f"<pfamnet.Model {self.name!r}: {len(self.families):,} families{networks}>"

    def mode(self, options: ScanOptions) -> str:
        """The mode of a scan: what `auto` stands for here."""
        return mode_of(self._opened, options)

    def scan(
        self,
        sequences: object,
        *,
        mode: str = "auto",
        sensitivity: str = "default",
        network: str | None = None,
        device: str = "cpu",
        top: bool = False,
        families: Iterable[str] | None = None,
        clan_overlaps: str = "all",
        alignments: bool = False,
        cpus: int | None = None,
        format: str | None = None,
        genetic_code: int | None = None,
        callback: Callable[[Protein], object] | None = None,
        warn: Callable[[str], None] | None = None,
        **thresholds: object,
    ) -> Scan:
        """Scan sequences; what is found is computed as the `Scan` is iterated over.

        Arguments:
            sequences: a path ("-" is stdin) or a list of paths; a binary stream; a mapping of names to
                sequences; an iterable of (name, sequence) pairs, of Biopython's SeqRecords or of pyhmmer's
                sequences.
            mode: "auto", "hybrid", "profiles" or "network".
            sensitivity: "fast", "default" or "sensitive".
            network, device: "light" or "esm", and where the ESM network runs.
            top: only the most likely family of each sequence.
            families: names or accessions: only these are reported, with the numbers of a complete scan.
            clan_overlaps: "all", or "best": of overlapping domains of one clan the best alone.
            alignments: domains have their alignments.
            cpus: number of threads; by default one for each processor that this process may use.
            format: of sequence files; None to recognise it.
            genetic_code: NCBI's number of a genetic code: the sequences are nucleotides, and the proteins are
                their open reading frames of at least 30 codons, on both strands.
            callback: called with each protein as it is handed on.
            warn: takes a line about odd sequences; by default what the model was given.
            thresholds: fields of `Thresholds`: E, T, domE, domT, incE, incT, incdomE, incdomT,
                bit_cutoffs ("gathering", "trusted", "noise"), Z, domZ, seed, F1, F2, F3, bias_filter, null2.

        Raises:
            PfamnetError: an option is not possible, or the first sequence cannot be read.
        """
        if families is not None:
            is_one = isinstance(families, str) or not isinstance(families, Iterable)
            families = (families,) if is_one else tuple(families)
        given = {"mode": mode, "sensitivity": sensitivity, "network": network, "clan_overlaps": clan_overlaps}
        given |= {"families": families, "top": top, "device": device, "alignments": alignments}
        check_options(given | {"cpus": cpus}, thresholds)
        cpus = at_most(usable_processors() if cpus is None else cpus)
        options = ScanOptions(**given, threads=cpus, thresholds=Thresholds(**thresholds))
        return self.start(sequences, options, cpus, format, callback, warn, genetic_code)

    def start(
        self,
        sequences: object,
        options: ScanOptions,
        cpus: int = 1,
        format: str | None = None,
        callback: Callable[[Protein], object] | None = None,
        warn: Callable[[str], None] | None = None,
        genetic_code: int | None = None,
        strict: bool = False,
        skip: int = 0,
        processes: bool = False,
    ) -> Scan:
        """Scan as `scan` does, with options that were checked.

        Arguments:
            strict: a file without sequences is an error, not a warning.
            skip: number of records that are passed over.
            processes: fork processes where they are faster than threads: for a program that has no threads.
        """
        scanner, inputs = self._scanner(options), inputs_of(sequences)
        with ExitStack() as stack:
            work = scanner.scan
            if processes and self.forks(options, inputs, cpus):
                from ..scan.processes import Workers

                # once for all processes
                self._opened.store.prepare(reported_families(self._opened, options), cpus)
                work = stack.enter_context(Workers(work, cpus)).calls
            records = SequenceReader(format, warn or self.warn, strict, genetic_code).records(sequences)
            records = islice(records, skip, None)
            # an input that cannot be read is known before any output is opened
            records = chain(list(islice(records, 1)), records)
            pairs = in_order(records, work, cpus, self.at_once)
            return Scan(self, options, pairs, stack.pop_all(), inputs, callback)

    def forks(self, options: ScanOptions, inputs: Sequence[str], cpus: int) -> bool:
        """Whether processes are faster than threads, which take turns in the interpreter."""
        if cpus == 1 or network_of(self._opened, options) == "esm":
            return False
        if self.mode(options) == "profiles":
            return is_longer(inputs, LONG)
        return self.mode(options) == "hybrid" and is_longer(inputs, MET * len(self.families))

    def _scanner(self, options: ScanOptions):
        """The scanner of these options; it is kept, for its network takes time to open."""
        with self._lock:
            if options not in self._scanners:
                made = make_scanner(self._opened, options, self.warn)
                self._scanners = dict([*self._scanners.items()][1 - KEPT :]) | {options: made}
            return self._scanners[options]


def as_warning(text: str) -> None:
    warnings.warn(text.removeprefix("warning: "), stacklevel=2)


def inputs_of(sequences: object) -> list[str]:
    """The files that are read, as outputs name them."""
    paths = [sequences] if is_path(sequences) else sequences
    several = isinstance(paths, Sequence) and all(map(is_path, paths))
    return [os.fspath(path) for path in paths] if several else []


def is_longer(paths: Sequence[str], size: int) -> bool:
    """Whether sequence files have more bytes; one of unknown size, such as a pipe, has."""
    total = 0
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            if path == "-":
                return True
            continue
        if not stat.S_ISREG(status.st_mode):
            return True
        total += status.st_size
    return total > size
