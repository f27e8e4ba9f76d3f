"""Checks that need all of the input at once, and what becomes of what fails them."""

from __future__ import annotations

from collections import Counter

from ..errors import PfamnetError
from .entries import Entry, refuse_again, some


def settle_alignments(inputs: list[list[Entry]], warnings: list[str]) -> None:
    """Keep a family's rows aligned only in the first input that aligned it; others lose their gaps.

    Raises PfamnetError if a family's rows in one input differ in length.
    """
    owners, unaligned = {}, set()
    for number, entries in enumerate(inputs):
        for entry in entries:
            if not entry.aligned:
                continue
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
    if unaligned:
        warnings.append(
            f"families aligned in several inputs: {len(unaligned)} ({some(sorted(unaligned))}); "
            "only the first alignment of each is used, the other rows without theirs"
        )


def drop_single_residues(entries: list[Entry], warnings: list[str]) -> list[Entry]:
    """Drop sequences of one residue: nothing can be aligned to them or learnt from them."""
    kept = [entry for entry in entries if len(entry.sequence) > 1]
    _warn("sequences of one residue dropped", [e for e in entries if len(e.sequence) == 1], warnings)
    return kept


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
            dropped.append(entry)
            kept.fold = fold
            # an aligned row is worth more than the same row without gaps
            kept.aligned = kept.aligned or entry.aligned
    _warn("repeated rows dropped", dropped, warnings)
    return list(unique.values())


def drop_leaks(entries: list[Entry], warnings: list[str]) -> list[Entry]:
    """Drop validation sequences that are training sequences too."""
    trained = {entry.sequence for entry in entries if entry.fold == "train"}
    leaks = [entry for entry in entries if entry.fold == "dev" and entry.sequence in trained]
    _warn("validation sequences dropped, as the training set has them too", leaks, warnings)
    return [entry for entry in entries if entry.fold == "train" or entry.sequence not in trained]


def training_rows(entries: list[Entry]) -> Counter:
    """{family key: training rows} of all families with any."""
    return Counter(key for e in entries if e.fold == "train" for _, _, key in e.labels)


def report_untrained(entries: list[Entry], rows: dict[str, int], warnings: list[str]) -> None:
    """Warn of validation domains whose families cannot be learnt; they are dropped with these."""
    lost = [key for e in entries if e.fold == "dev" for _, _, key in e.labels if key not in rows]
    if lost:
        warnings.append(
            f"validation domains dropped, as their families have no training rows: {len(lost)} "
            f"({some(sorted(set(lost)))})"
        )


def _warn(what: str, entries: list[Entry], warnings: list[str]) -> None:
    if entries:
        places = some(f"{entry.where} '{entry.name}'" for entry in entries)
        warnings.append(f"{what}: {len(entries)} ({places})")
