"""Train sets: everything `pfamnet-build` learns from, in any layout.

`read_trainset` recognises each input by its content, merges all of them, holds out a validation set (the fold
"dev") from inputs without one, and chooses families. Faulty input is

- refused, with file and line or record: a file that is missing, empty, truncated, or of no known layout; a
  missing column or accession, a wrong number of fields; a sequence without residues; a character that is no
  residue (all letters are; a '*' at the end is dropped); aligned rows of unequal length; one name and
  sequence in two families; two proteins of one name; a domain not within its protein; a fold without rows;
  no family;
- dropped, with a warning: a sequence of one residue; a repeated row; a validation sequence that is also a
  training sequence; validation domains of a family without training rows; domains of proteins that are not in
  the input;
- kept, with a warning: families of one name, told apart; a family with one training row; rows of a second
  alignment of a family, unaligned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import PfamnetError
from ..families import Family, accession_key, read_families
from . import checks
from .domains import DomainTable, read_domains
from .entries import Entry, FamilyBook, count_rows, cut_domains, some, warn
from .holdout import hold_out
from .readers import read_input, read_labelled


@dataclass
class Fold:
    """N sequences with their domains. A family of -1 was left out: its residues are not background either."""

    sequences: list[str]  # residues, upper case
    names: list[str]
    domains: np.ndarray  # int32 (M, 4): sequence, start, end (0-based half-open), family; by sequence
    whole: np.ndarray  # bool (N,): True for a full-length protein, False for an isolated domain


@dataclass
class TrainSet:
    """Families and the sequences to learn them from.

    `alignments` are {family index: [(name, aligned row), ...]}: rows of one alignment, perhaps not all.
    """

    families: list[Family]  # sorted by accession; a family's place here is its index elsewhere
    train: Fold
    dev: Fold | None  # None if nothing was given or held out
    alignments: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_trainset(
    paths: Sequence[str | Path],
    domains: str | Path | None = None,
    families: str | Path | None = None,
    holdout: float = 0.1,
    seed: int = 42,
    top: int | None = None,
    only: Collection[str] | None = None,
    also: Iterable[Family] = (),
    cut: bool = False,
    searched: tuple[str, DomainTable] | None = None,
) -> TrainSet:
    """Read train sets of any layout and merge them into one.

    Arguments:
        paths: directories in the layout of the Pfam seed split (or single shards), Stockholm files, labelled
            FASTA, FASTA of full-length proteins; files may be compressed.
        domains: table of the proteins' domains.
        families: table of names, clans and so on, for what the inputs leave open.
        holdout: fraction, 0 to below 1, of each family's rows that is held out from inputs without a
            validation set (see `holdout.hold_out`).
        top: keep only so many families, those with most training rows.
        only: keep only families with these accessions, versions aside.
        also: families that shall be in the train set even without a row.
        cut: replace full-length proteins by isolated domains, named "protein/start-end". Of domains that
            claim the same residues the best is cut (see `domains.DomainTable`).
        searched: FASTA of more full-length proteins, and the domains that were found in them.

    Families are the same if their accessions are, versions aside; the latest version is kept. Isolated
    domains of families left out are dropped; within proteins their residues get the label -1.

    Raises:
        PfamnetError: for the user's mistakes, which this module's text lists.
    """
    if not 0 <= holdout < 1:
        raise PfamnetError(f"holdout {holdout} is not a fraction from 0 to below 1")
    if top is not None and top < 1:
        raise PfamnetError(f"top {top}: at least one family must be kept")
    book, warnings = FamilyBook(), []
    table = None if domains is None else read_domains(domains, rivals=cut)
    inputs = [read_input(path, book, table, warnings) for path in paths]
    if searched is not None:
        inputs.append(read_labelled(searched[0], book, searched[1]))
    extra = [book.add(family, "family") for family in also]
    if families is not None:
        book.fill(read_families(families))
    if cut:
        inputs = [cut_domains(entries) for entries in inputs]
    checks.settle_alignments(inputs, warnings)
    entries = checks.drop_single_residues([entry for one in inputs for entry in one], warnings)
    checks.refuse_two_labels(entries)
    entries = checks.drop_duplicates(entries, warnings)
    if table is not None:
        _report_unused(table, warnings)
    dropped = hold_out(entries, holdout, seed)
    if dropped:
        warnings.append(f"rows dropped, as they are similar to both training and validation rows: {dropped}")
    entries = checks.drop_leaks([entry for entry in entries if entry.fold != "none"], warnings)
    rows, dev = (count_rows(entry for entry in entries if entry.fold == fold) for fold in ("train", "dev"))
    if not rows and (entries or not extra):
        raise PfamnetError(f"{some(map(str, paths))}: no family has a training row")
    rows = dict.fromkeys(extra, 0) | rows
    lost = {key: count for key, count in dev.items() if key not in rows}
    if lost:
        warnings.append(
            "validation domains dropped, as their families have no training rows: "
            f"{sum(lost.values())} ({some(sorted(lost))})"
        )
    return _assemble(entries, _chosen(rows, top, only, warnings), book, warnings)


def _report_unused(table: DomainTable, warnings: list[str]) -> None:
    if table.beaten:
        reason = "domains not cut, as better ones claim the same residues"
        warnings.append(f"{table.path}: {table.beaten} {reason}")
    unused = table.unused()
    if len(unused) == len(table.domains):
        raise PfamnetError(f"{table.path}: none of its proteins is in the train sets")
    if unused:
        count = sum(len(table.domains[protein]) for protein in unused)
        reason = f"domains ignored, as no train set has their proteins ({some(unused)})"
        warnings.append(f"{table.path}: {count} {reason}")


def _chosen(
    rows: dict[str, int], top: int | None, only: Collection[str] | None, warnings: list[str]
) -> dict[str, int]:
    """{family key: training rows} of the families to keep."""
    if only is not None:
        wanted = {accession_key(accession) for accession in only}
        others = sorted(rows.keys() - wanted)
        if any(rows.values()) and not any(rows[key] for key in rows.keys() & wanted):
            raise PfamnetError(f"none of the train sets' families is wanted: {some(others)}")
        warn(warnings, "families left out, as not wanted", others)
        rows = {key: count for key, count in rows.items() if key in wanted}
    best = sorted(rows, key=lambda key: (-rows[key], key))[:top]
    warn(warnings, "families with one training row", sorted(key for key in best if rows[key] == 1))
    return {key: rows[key] for key in best}


def _assemble(entries: list[Entry], rows: dict[str, int], book: FamilyBook, warnings: list[str]) -> TrainSet:
    families = sorted((book.family(key, n) for key, n in rows.items()), key=lambda family: family.accession)
    told = []
    while twins := [name for name, count in Counter(family.name for family in families).items() if count > 1]:
        told += [f"{family.name} {family.key}" for family in families if family.name in twins]
        apart = lambda family: replace(family, name=f"{family.name}_{family.key}")
        families = [apart(family) if family.name in twins else family for family in families]
    warn(warnings, "families of one name, told apart by their accessions", told)
    index = {family.key: i for i, family in enumerate(families)}
    kept = [entry for entry in entries if entry.whole or entry.labels[0][2] in index]
    train, dev = ([entry for entry in kept if entry.fold == fold] for fold in ("train", "dev"))
    alignments = {}
    for entry in filter(lambda entry: entry.aligned, train):
        alignments.setdefault(index[entry.labels[0][2]], []).append((entry.name, entry.aligned))
    return TrainSet(families, _fold(train, index), _fold(dev, index) if dev else None, alignments, warnings)


def _fold(entries: list[Entry], index: dict[str, int]) -> Fold:
    rows = [(i, *place, index.get(key, -1)) for i, e in enumerate(entries) for *place, key in e.labels]
    sequences, names, whole = ([getattr(e, name) for e in entries] for name in ("sequence", "name", "whole"))
    return Fold(sequences, names, np.array(rows, np.int32).reshape(-1, 4), np.array(whole, bool))
