"""Checks that need all of the input at once, and what becomes of what fails them."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import PfamnetError
from .entries import Entry, refuse_again, warn


def settle_alignments(inputs: list[list[Entry]], warnings: list[str]) -> None:
    """Keep a family's rows aligned only in the first input that aligned it; others lose their gaps.

    Raises PfamnetError if a family's rows in one input differ in length.
    """
    owners, unaligned = {}, set()
    for number, entry in [(n, e) for n, entries in enumerate(inputs) for e in entries if e.aligned]:
        key = entry.labels[0][2]
        owner, first = owners.setdefault(key, (number, entry))
        if owner != number:
            entry.aligned = ""
            unaligned.add(key)
        elif len(entry.aligned) != len(first.aligned):
            raise PfamnetError(
                f"{entry.where} '{entry.name}': {len(entry.aligned)} columns, the first "
                f"row of {key} ({first.where}) has {len(first.aligned)}"
            )
    then = "; only the first alignment of each is used, the other rows without theirs"
    warn(warnings, "families aligned in several inputs", sorted(unaligned), then)


def drop_single_residues(entries: list[Entry], warnings: list[str]) -> list[Entry]:
    """Drop sequences of one residue: nothing can be aligned to them or learnt from them."""
    return _drop("sequences of one residue dropped", entries, lambda e: len(e.sequence) == 1, warnings)


def refuse_two_labels(entries: list[Entry]) -> None:
    """Raise PfamnetError, with both places, for one domain in two families or two proteins of one name."""
    domains, proteins = {}, {}
    for entry in entries:
        if entry.whole:
            refuse_again(entry, proteins)
            continue
        first = domains.setdefault((entry.name, entry.sequence), entry)
        if first.labels != entry.labels:
            raise PfamnetError(
                f"{entry.where} '{entry.name}': labelled {entry.labels[0][2]}, but "
                f"{first.labels[0][2]} in {first.where}"
            )


def drop_duplicates(entries: list[Entry], warnings: list[str]) -> list[Entry]:
    """Keep one of several isolated rows with one name and sequence in one fold.

    A row without a fold joins the same row in train or dev.
    """
    folds = {(e.name, e.sequence): e.fold for e in entries if e.fold and not e.whole}
    unique, dropped = {}, []
    for place, entry in enumerate(entries):
        row = (entry.name, entry.sequence)
        fold = entry.fold or folds.get(row, "")
        kept = unique.setdefault(place if entry.whole else (row, fold), entry)
        if kept is not entry:
            dropped.append(entry.shown)
            kept.fold = fold
            # an aligned row is worth more than the same row without gaps
            kept.aligned = kept.aligned or entry.aligned
    warn(warnings, "repeated rows dropped", dropped)
    return list(unique.values())


def drop_leaks(entries: list[Entry], warnings: list[str]) -> list[Entry]:
    """Drop validation sequences that are training sequences too."""
    trained = {entry.sequence for entry in entries if entry.fold == "train"}
    what = "validation sequences dropped, as the training set has them too"
    return _drop(what, entries, lambda e: e.fold == "dev" and e.sequence in trained, warnings)


def _drop(what: str, entries: list[Entry], faulty: Callable, warnings: list[str]) -> list[Entry]:
    warn(warnings, what, [entry.shown for entry in entries if faulty(entry)])
    return [entry for entry in entries if not faulty(entry)]
