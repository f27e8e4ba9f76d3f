"""Train sets: everything `pfamnet-build` learns from, whatever layout it comes in.

`read_trainset` recognises each input by its content, merges all of them, holds out
a dev fold where an input has none, and chooses families. What becomes of input
that is not as it should be:

refused, with one line that names file and line or record
    a file that is missing, empty, cut off, or of no known layout; missing columns, a
    wrong number of fields, a missing accession; characters that are no residues (all
    26 letters are, in either case; a '*' at the end is dropped); aligned rows of
    unequal length; the same name and sequence under two families; two proteins of one
    name; a domain not within its protein; a fold without rows; no family at all
dropped, with a warning
    a sequence of one residue; a row that comes twice; a dev sequence that is also in
    train; dev domains of a family without training rows; domains of proteins that are
    not in the input
kept, with a warning
    a family with one training row; a second alignment of a family, from another
    input: its rows stay, without being aligned
"""

from dataclasses import dataclass, field

import numpy as np

from pfamnet.errors import PfamnetError
from pfamnet.families import Family, accession_key, read_families
from pfamnet.trainset.checks import (
    drop_duplicates,
    drop_leaks,
    drop_single_residues,
    refuse_two_labels,
    report_untrained,
    settle_alignments,
    training_rows,
)
from pfamnet.trainset.domains import read_domains
from pfamnet.trainset.entries import FamilyBook, cut_domains, some
from pfamnet.trainset.holdout import hold_out, hold_out_clusters
from pfamnet.trainset.readers import read_input


@dataclass
class Fold:
    """Sequences with their domains.

    sequences  N sequences, upper-case residues
    names      N names
    domains    int32 (M, 4): sequence index, start, end, family index; 0-based
               half-open, in the order of the sequences. A family index of -1 marks
               residues of which nothing may be learnt: they belong to a family that
               was left out, so they are not background either
    whole      bool (N,): True for a full-length protein, whose residues without a
               domain are background; False for an isolated domain
    """

    sequences: list[str]
    names: list[str]
    domains: np.ndarray
    whole: np.ndarray


@dataclass
class TrainSet:
    """Families and the sequences to learn them from.

    families    sorted by accession; a family's place here is its index elsewhere
    train, dev  the folds; dev is None where nothing was given or held out
    alignments  {family index: [(name, aligned row), ...]}, rows of the train fold, all
                of one alignment and so of one length; not every training row of a
                family need be in it
    warnings    what the user should know, one line each
    """

    families: list[Family]
    train: Fold
    dev: Fold | None
    alignments: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_trainset(
    paths,
    domains=None,
    families=None,
    holdout=0.1,
    seed=42,
    top=None,
    only=None,
    also=(),
    cut=False,
    similarity=None,
):
    """Read train sets of any layout, merge them, and return one TrainSet.

    Args:
        paths: the inputs: directories in the layout of the Pfam seed split (or single
            shards), Stockholm files, labelled FASTA, FASTA of full-length proteins;
            files may be gzipped.
        domains: table of the proteins' domains (see `trainset_readers.read_domains`).
        families: table of names, clans and so on (see `families.read_families`), for
            what the inputs leave open.
        holdout: share, 0 to below 1, of each input without a dev fold that becomes dev:
            of isolated domains family by family, of proteins at random. It depends only
            on `seed` and, for each sequence, its residues (domains) or its name
            (proteins); no family loses its last training row.
        seed: another seed holds out others.
        top: keep only the families with most training rows, that many.
        only: keep only families with these accessions, versions aside.
        also: `Family` of what shall be in the train set though it may have no row.
        cut: full-length proteins become isolated domains, named "protein/start-end". Of
            domains that claim the same residues the best is cut (see
            `trainset_domains.DomainTable`); what no domain covers is left out.
        similarity: rows that resemble each other more than this are held out together
            (see `trainset_holdout.hold_out_clusters`), 0 to below 1; None: row by row.

    Families are the same when their accessions are, versions aside; the latest version
    is kept. Isolated domains of families left out are dropped; within proteins their
    residues get the label -1.

    Raises:
        PfamnetError: for the user's mistakes; the module's text lists them.
    """
    if not 0 <= holdout < 1:
        raise PfamnetError(f"holdout {holdout} is not a share from 0 to below 1")
    if similarity is not None and not 0 <= similarity < 1:
        raise PfamnetError(f"similarity {similarity} is not a share from 0 to below 1")
    if top is not None and top < 1:
        raise PfamnetError(f"top {top}: at least one family must be kept")
    book, warnings = FamilyBook(), []
    table = None if domains is None else read_domains(domains, rivals=cut)
    inputs = [read_input(path, book, table, warnings) for path in paths]
    extra = [book.add(family, "family") for family in also]
    if families is not None:
        book.fill(read_families(families))
    if cut:
        inputs = [cut_domains(entries) for entries in inputs]
    entries = _checked(inputs, warnings)
    if table is not None:
        _report_unused(table, warnings)
    entries = _held_out(entries, holdout, seed, similarity, warnings)
    entries = drop_leaks(entries, warnings)
    rows = training_rows(entries)
    if not rows:
        raise PfamnetError(f"{some(map(str, paths))}: no family has a training row")
    rows = dict.fromkeys(extra, 0) | rows
    report_untrained(entries, rows, warnings)
    return _assemble(entries, _chosen(rows, top, only, warnings), book, warnings)


def _checked(inputs, warnings):
    settle_alignments(inputs, warnings)
    entries = [entry for one in inputs for entry in one]
    entries = drop_single_residues(entries, warnings)
    refuse_two_labels(entries)
    return drop_duplicates(entries, warnings)


def _held_out(entries, holdout, seed, similarity, warnings):
    if similarity is None or not holdout:
        hold_out(entries, holdout, seed)
        return entries
    dropped = hold_out_clusters(entries, holdout, seed, similarity)
    if dropped:
        warnings.append(f"rows dropped, as they resemble both train and given dev rows: {dropped}")
    return [entry for entry in entries if entry.fold != "none"]


def _report_unused(table, warnings):
    if table.beaten:
        warnings.append(
            f"{table.path}: {table.beaten} domains not cut, as better ones claim the same residues"
        )
    unused = table.unused()
    if len(unused) == len(table.domains):
        raise PfamnetError(f"{table.path}: none of its proteins is in the train sets")
    if unused:
        count = sum(len(table.domains[protein]) for protein in unused)
        warnings.append(
            f"{table.path}: {count} domains passed over: their proteins are not in the "
            f"train sets ({some(unused)})"
        )


def _chosen(rows, top, only, warnings):
    """Return {family key: training rows} of the families to keep."""
    if only is not None:
        wanted = {accession_key(accession) for accession in only}
        others = sorted(rows.keys() - wanted)
        if not any(rows[key] for key in rows.keys() & wanted):
            raise PfamnetError(f"none of the train sets' families is wanted: {some(others)}")
        if others:
            warnings.append(f"families left out, as not wanted: {len(others)} ({some(others)})")
        rows = {key: count for key, count in rows.items() if key in wanted}
    best = sorted(rows, key=lambda key: (-rows[key], key))[:top]
    single = sorted(key for key in best if rows[key] == 1)
    if single:
        warnings.append(f"families with one training row: {len(single)} ({some(single)})")
    return {key: rows[key] for key in best}


def _assemble(entries, rows, book, warnings):
    families = sorted((book.family(key, n) for key, n in rows.items()), key=_by_accession)
    index = {family.key: i for i, family in enumerate(families)}
    kept = [e for e in entries if e.whole or e.labels[0][2] in index]
    train = [e for e in kept if e.fold == "train"]
    dev = [e for e in kept if e.fold == "dev"]
    return TrainSet(
        families=families,
        train=_fold(train, index),
        dev=_fold(dev, index) if dev else None,
        alignments=_alignments(train, index),
        warnings=warnings,
    )


def _by_accession(family):
    return family.accession


def _fold(entries, index):
    rows = [
        (i, start, end, index.get(key, -1))
        for i, entry in enumerate(entries)
        for start, end, key in entry.labels
    ]
    return Fold(
        sequences=[entry.sequence for entry in entries],
        names=[entry.name for entry in entries],
        domains=np.array(rows, dtype=np.int32).reshape(-1, 4),
        whole=np.array([entry.whole for entry in entries], dtype=bool),
    )


def _alignments(entries, index):
    alignments = {}
    for entry in entries:
        if entry.aligned:
            family = index[entry.labels[0][2]]
            alignments.setdefault(family, []).append((entry.name, entry.aligned))
    return alignments
