"""Readers of train sets: each returns entries of one layout, and notes the families in a `FamilyBook`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import PfamnetError
from ..families import PAIRS, Family
from ..io.fasta import read_fasta
from ..io.stockholm import HEADER, read_stockholm
from ..io.textfile import numbered_lines, read_table
from ..records import Record, shown
from .domains import DomainTable
from .entries import GAPS, Entry, FamilyBook, clean_sequence, warn

SHARD_NAME = re.compile(r"data-(\d{5})-of-(\d{5})")
SHARD_REQUIRED = ("sequence_name", "family_accession", "sequence")
SHARD_COLUMNS = dict.fromkeys((*SHARD_REQUIRED, "family_id", "aligned_sequence"), ())
FOLDS = ("train", "dev")
PFAM_LABEL = re.compile("[^;]+;[^;]+;")  # of Pfam-A.fasta
ACCESSION = re.compile(r"PF\d{5}(\.\d+)?;?")
OF_PROTEIN = re.compile(r" OS=| OX=|\[.+\]$")  # in descriptions of UniProt and NCBI


def read_input(
    path: str | Path, book: FamilyBook, table: DomainTable | None, warnings: list[str], folds: tuple = FOLDS
) -> list[Entry]:
    """Read one train set; its content, not its name, shows the layout. Of a seed split `folds` are opened.

    Raises PfamnetError if the layout is not known or something in it is wrong.
    """
    path = Path(path)
    if path.is_dir():
        return read_split(path, book, warnings, folds)
    first = next((line for _, line in numbered_lines(path, lenient=True) if line.strip()), None)
    if first is None:
        raise PfamnetError(f"{path}: empty file")
    if first.startswith(HEADER):
        return read_alignments(path, book, warnings)
    if first.lstrip().startswith(">"):
        return read_sequences(path, book, table)
    if {"sequence_name", "family_accession"} & set(re.split('[",]', first)):
        return list(read_shard(path, "", book))
    raise PfamnetError(f"{path}: neither FASTA nor Stockholm nor a table of seed sequences")


def read_split(path: Path, book: FamilyBook, warnings: list[str], folds: tuple) -> list[Entry]:
    """Read folds of a seed split. If it has only train/, the fold of the rows is left open.

    Raises PfamnetError if there is no train/, a fold has no shards or no rows, and as `read_shard` does.
    """
    if not (path / "train").is_dir():
        raise PfamnetError(f"{path}: not a seed split: no train/ in this directory")
    there = [fold for fold in folds if (path / fold).is_dir()]
    if there == ["train"]:
        return _read_fold(path / "train", "", book, warnings)
    return [entry for fold in there for entry in _read_fold(path / fold, fold, book, warnings)]


def _read_fold(path: Path, fold: str, book: FamilyBook, warnings: list[str]) -> list[Entry]:
    shards = sorted(shard for shard in path.iterdir() if SHARD_NAME.fullmatch(shard.name))
    if not shards:
        raise PfamnetError(f"{path}: no shards named data-NNNNN-of-NNNNN")
    stated = int(SHARD_NAME.fullmatch(shards[-1].name)[2])
    if stated != len(shards):
        warnings.append(f"{path}: {len(shards)} shards of {stated}")
    entries = [entry for shard in shards for entry in read_shard(shard, fold, book)]
    if not entries:
        raise PfamnetError(f"{path}: an empty fold: its shards have no rows")
    return entries


def read_shard(path: Path, fold: str, book: FamilyBook) -> Iterator[Entry]:
    """Yield the rows of one shard of a seed split (CSV with a header) as entries.

    Raises PfamnetError, with file and line, for what `read_table` refuses, a missing name or accession, a
    character that is no residue, or an aligned sequence that is not the sequence with gaps.
    """
    source = f"{path}: line"
    for number, row in read_table(path, SHARD_COLUMNS, SHARD_REQUIRED, ",", lenient=True):
        name, aligned = row["sequence_name"], row["aligned_sequence"]
        where = f"{source} {number} '{name}'"
        if not name:
            raise PfamnetError(f"{source} {number}: sequence name missing")
        if not row["family_accession"]:
            raise PfamnetError(f"{where}: family accession missing")
        if "nan" in (name.lower(), row["family_accession"].lower()):  # pandas writes it for a missing value
            raise PfamnetError(f"{where}: 'nan' is no name and no accession")
        sequence = clean_sequence(where, row["sequence"])
        if aligned and clean_sequence(f"{where}: aligned sequence", aligned, True) != sequence:
            raise PfamnetError(f"{where}: the aligned sequence is not the sequence with gaps")
        labels = [(0, len(sequence), book.add_named(row["family_accession"], row["family_id"], where))]
        yield Entry(name, sequence, labels, False, source, number, aligned, fold)


def read_alignments(path: Path, book: FamilyBook, warnings: list[str]) -> list[Entry]:
    """Read a Stockholm file: every row is an isolated domain, with its aligned row.

    The ID stands for a missing accession. Raises PfamnetError if both are missing, a family has two
    alignments in one file, or a row has a character that is no residue; and as `read_stockholm` does.
    """
    entries, stops, empty, first, source = [], [], [], {}, f"{path}: line"
    for alignment in read_stockholm(path):
        features, where = alignment.features, alignment.where
        name, clan, description, kind = (features.get(feature, "") for feature in ("ID", "CL", "DE", "TP"))
        accession = features.get("AC", "").rstrip("; ") or "_".join(name.split())
        if not accession:
            raise PfamnetError(f"{where}: accession missing (neither #=GF AC nor #=GF ID)")
        cutoffs = {cutoff: alignment.cutoff(cutoff.upper()) for cutoff in PAIRS}
        key = book.add(Family(accession, name, 0, clan, description, type=kind, **cutoffs), where)
        if first.setdefault(key, alignment.number) != alignment.number:
            raise PfamnetError(f"{where}: alignment {first[key]} is of {key} too")
        for name, row in alignment.rows.items():
            number = alignment.row_lines[name]
            if "*" in row:  # a stop, which hmmbuild takes as no residue
                row = row.replace("*", "-")
                stops.append(f"{source} {number} '{name}'")
            if not row.strip(GAPS):
                empty.append(f"{source} {number} '{name}'")
                continue
            sequence = clean_sequence(f"{source} {number} '{name}'", row, True)
            labels = [(0, len(sequence), key)]
            entries.append(Entry(name, sequence, labels, False, source, number, row))
    warn(warnings, "rows with '*', taken as a gap", stops)
    warn(warnings, "rows of gaps alone dropped", empty)
    return entries


def read_sequences(path: Path, book: FamilyBook, table: DomainTable | None) -> list[Entry]:
    """Read FASTA: labelled domains, or full-length proteins with a table of domains.

    If there is a table, the records are proteins unless every one of them has exactly one word, an
    accession, after its name.

    Raises PfamnetError if a label is missing or is not one word, no protein is in the table, or a
    sequence has a character that is no residue.
    """
    records = list(read_fasta(path))
    if table is not None and all(len(record.description.split()) == 1 for record in records):
        table = None
    if table is not None and not any(record.name in table.domains for record in records):
        raise PfamnetError(f"{path}: none of its records is in {table.path} or has a label")
    return [_entry(path, record, book, table) for record in records]


def read_labelled(path: str | Path, book: FamilyBook, table: DomainTable) -> list[Entry]:
    """Read FASTA of full-length proteins, whose domains a table has; some may have none."""
    return [_entry(path, record, book, table) for record in read_fasta(path)]


def _label(where: str, words: list[str]) -> tuple[str, str]:
    """Accession and name of a family, "" if there is none, from the words after a record's name.

    They begin with the accession, or are as in Pfam-A.fasta: "Q9XYZ1.1 PF00001.25;7tm_1;".
    """
    for word in words[:2]:
        if PFAM_LABEL.fullmatch(word):
            return tuple(word.rstrip(";").split(";"))
    if len(words) > 1 and ACCESSION.fullmatch(words[1]):
        raise PfamnetError(f"{where}: two accessions, {words[0]} and {words[1]}")
    return words[0].rstrip(";"), ""


def _entry(path: Path, record: Record, book: FamilyBook, table: DomainTable | None) -> Entry:
    where = f"{path}: record {record.number} '{record.name}'"
    sequence, words = clean_sequence(where, record.sequence), record.description.split()
    if table is not None:
        labels = table.labels(record.name, len(sequence), book)
    elif not words:
        raise PfamnetError(f"{where}: family accession missing after the name")
    elif OF_PROTEIN.search(record.description) and not ACCESSION.fullmatch(words[0]):
        described = f"'{shown(record.description)}' describes a protein"
        raise PfamnetError(f"{where}: {described}, not its family; a table of its domains is missing")
    else:
        labels = [(0, len(sequence), book.add_named(*_label(where, words), where))]
    return Entry(record.name, sequence, labels, table is not None, f"{path}: record", record.number)
