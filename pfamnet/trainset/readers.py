"""Readers of train sets, one for each layout, and how a layout is recognised.

Every reader gives a list of `Entry` and notes the families it meets in a
`FamilyBook`. A layout is recognised by its content, never by a file's name.
"""

import csv
import re
from pathlib import Path

from pfamnet.errors import PfamnetError
from pfamnet.families import Family
from pfamnet.io.fasta import read_fasta
from pfamnet.io.stockholm import HEADER, read_stockholm
from pfamnet.io.textfile import find_columns, numbered_lines
from pfamnet.trainset.entries import Entry, clean_row, clean_sequence

SHARD_NAME = re.compile(r"data-(\d{5})-of-(\d{5})")
SHARD_COLUMNS = {
    "sequence_name": (),
    "family_accession": (),
    "family_id": (),
    "aligned_sequence": (),
    "sequence": (),
}


def read_input(path, book, table, warnings, folds=("train", "dev")):
    """Read one train set, whatever its layout, and return its entries.

    `folds` are those of a seed split that are opened.

    Raises PfamnetError where the layout is not known or something in it is wrong.
    """
    path = Path(path)
    if path.is_dir():
        return read_split(path, book, warnings, folds)
    first = next((line for _, line in numbered_lines(path, lenient=True) if line.strip()), None)
    if first is None:
        raise PfamnetError(f"{path}: empty file")
    if first.startswith(HEADER):
        return read_alignments(path, book)
    if first.lstrip().startswith(">"):
        return read_sequences(path, book, table)
    if {"sequence_name", "family_accession"} & set(_fields(first)):
        return list(read_shard(path, "", book))
    raise PfamnetError(f"{path}: neither FASTA nor Stockholm nor a table of seed sequences")


def read_split(path, book, warnings, folds=("train", "dev")):
    """Read folds of a seed split; the others, as a rule test/, are not opened.

    A directory without any of these but train/ leaves open what dev is to be.

    Raises PfamnetError where there is no train/, a fold holds no shards or no rows,
    and what `read_shard` raises.
    """
    if not (path / "train").is_dir():
        raise PfamnetError(f"{path}: not a seed split: no train/ in this directory")
    there = [fold for fold in folds if (path / fold).is_dir()]
    if there == ["train"]:
        return _read_fold(path / "train", "", book, warnings)
    return [entry for fold in there for entry in _read_fold(path / fold, fold, book, warnings)]


def _read_fold(path, fold, book, warnings):
    shards = sorted(shard for shard in path.iterdir() if SHARD_NAME.fullmatch(shard.name))
    if not shards:
        raise PfamnetError(f"{path}: no shards named data-NNNNN-of-NNNNN")
    said = int(SHARD_NAME.fullmatch(shards[-1].name)[2])
    if said != len(shards):
        warnings.append(f"{path}: {len(shards)} shards of {said}")
    entries = [entry for shard in shards for entry in read_shard(shard, fold, book)]
    if not entries:
        raise PfamnetError(f"{path}: an empty fold: its shards have no rows")
    return entries


def read_shard(path, fold, book):
    """Yield the rows of one shard of a seed split (CSV with a header) as entries.

    Raises PfamnetError, naming file and line, where a column is missing, a row has
    another number of fields than the header, a sequence holds what is no residue, an
    accession is missing, or the aligned sequence is not the sequence with gaps.
    """
    lines = numbered_lines(path)
    number, line = next(lines, (1, ""))
    header = _fields(line)
    required = ["sequence_name", "family_accession", "sequence"]
    columns = find_columns(f"{path}: line {number}", header, SHARD_COLUMNS, required)
    places = [columns.get(name) for name in SHARD_COLUMNS]
    source = f"{path}: line"
    for number, line in lines:
        if not line:
            continue
        fields = _fields(line)
        if len(fields) != len(header):
            raise PfamnetError(f"{source} {number}: {len(fields)} fields, the header has {len(header)}")
        texts = ["" if place is None else fields[place].strip() for place in places]
        yield _shard_entry(source, number, texts, fold, book)


def _fields(line):
    """Split a line of CSV; quotes are rare, and without them this is much faster."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]))
    except csv.Error:  # a stray carriage return, say: told by its number of fields
        return [line]


def _shard_entry(source, number, texts, fold, book):
    name, accession, family_name, aligned, residues = texts
    where = f"{source} {number} '{name}'"
    if not name:
        raise PfamnetError(f"{source} {number}: sequence name missing")
    if not accession:
        raise PfamnetError(f"{where}: family accession missing")
    sequence = clean_sequence(where, residues)
    if aligned and clean_row(f"{where}: aligned sequence", aligned) != sequence:
        raise PfamnetError(f"{where}: the aligned sequence is not the sequence with gaps")
    key = book.add_named(accession, family_name, where)
    return Entry(name, sequence, [(0, len(sequence), key)], False, source, number, aligned, fold)


def read_alignments(path, book):
    """Read a Stockholm file: every row an isolated domain, with its aligned row.

    Raises PfamnetError where an alignment has no accession (#=GF AC), a family has two
    alignments in one file, a row holds what is no residue, and what `read_stockholm`
    raises.
    """
    entries, first, source = [], {}, f"{path}: line"
    for alignment in read_stockholm(path):
        features = alignment.features
        if not features.get("AC"):
            raise PfamnetError(f"{alignment.where}: accession missing (no #=GF AC)")
        key = book.add(
            Family(
                accession=features["AC"],
                name=features.get("ID", ""),
                clan=features.get("CL", ""),
                description=features.get("DE", ""),
                **{cutoff.lower(): alignment.cutoff(cutoff) for cutoff in ("GA", "TC", "NC")},
            ),
            alignment.where,
        )
        if first.setdefault(key, alignment.number) != alignment.number:
            raise PfamnetError(f"{alignment.where}: alignment {first[key]} is of {key} too")
        for name, row in alignment.rows.items():
            number = alignment.row_lines[name]
            sequence = clean_row(f"{source} {number} '{name}'", row)
            labels = [(0, len(sequence), key)]
            entries.append(Entry(name, sequence, labels, False, source, number, row))
    return entries


def read_sequences(path, book, table):
    """Read FASTA: labelled domains, or full-length proteins with a table of domains.

    Where there is a table, the records are proteins unless every one of them has
    exactly one word, an accession, after its name.

    Raises PfamnetError where a label is missing or is not one word, no protein is in
    the table, or a sequence holds what is no residue.
    """
    records = list(read_fasta(path))
    if table is None or all(len(record.description.split()) == 1 for record in records):
        return [_labelled(path, record, book) for record in records]
    if not any(record.name in table.domains for record in records):
        raise PfamnetError(f"{path}: none of its records is in {table.path} or has a label")
    return [_protein(path, record, book, table) for record in records]


def _labelled(path, record, book):
    where = f"{path}: record {record.number} '{record.name}'"
    words = record.description.split()
    if not words:
        raise PfamnetError(f"{where}: family accession missing after the name")
    if len(words) > 1:
        raise PfamnetError(f"{where}: {len(words)} words after the name, not one accession")
    sequence = clean_sequence(where, record.sequence)
    labels = [(0, len(sequence), book.add_named(words[0], "", where))]
    return Entry(record.name, sequence, labels, False, f"{path}: record", record.number)


def _protein(path, record, book, table):
    where = f"{path}: record {record.number} '{record.name}'"
    sequence = clean_sequence(where, record.sequence)
    labels = table.labels(record.name, len(sequence), book)
    return Entry(record.name, sequence, labels, True, f"{path}: record", record.number)
