"""Checks that need all of the input at once, and what becomes of what fails them."""

from collections import Counter

from pfamnet.errors import PfamnetError
from pfamnet.trainset.entries import some


def settle_alignments(inputs, warnings):
    """See that a family's aligned rows are of one alignment; others lose their gaps.

    Only rows of the input that first aligned a family stay aligned.

    Raises PfamnetError where a family's rows in one input differ in length.
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


def drop_single_residues(entries, warnings):
    """Drop sequences of one residue: nothing can be aligned to them or learnt from them."""
    short = [f"{e.where} '{e.name}'" for e in entries if len(e.sequence) == 1]
    if short:
        warnings.append(f"sequences of one residue dropped: {len(short)} ({some(short)})")
    return [entry for entry in entries if len(entry.sequence) > 1]


def refuse_two_labels(entries):
    """Refuse one domain under two families, and two proteins of one name.

    Raises PfamnetError that names both places.
    """
    domains, proteins = {}, {}
    for entry in entries:
        if entry.whole:
            first = proteins.setdefault(entry.name, entry)
            if first is not entry:
                raise PfamnetError(f"{entry.where}: protein '{entry.name}' stands already in {first.where}")
            continue
        first = domains.setdefault((entry.name, entry.sequence), entry)
        if first.labels != entry.labels:
            raise PfamnetError(
                f"{entry.where} '{entry.name}': labelled {entry.labels[0][2]}, but "
                f"{first.labels[0][2]} in {first.where}"
            )


def drop_duplicates(entries, warnings):
    """Keep one of several isolated rows with one name and sequence in one fold.

    A row whose fold is open goes with the same row in train or dev.
    """
    folds = {(e.name, e.sequence): e.fold for e in entries if e.fold and not e.whole}
    unique, dropped = {}, []
    for place, entry in enumerate(entries):
        row = (entry.name, entry.sequence)
        fold = entry.fold or folds.get(row, "")
        kept = unique.setdefault(place if entry.whole else (row, fold), entry)
        if kept is not entry:
            dropped.append(f"{entry.where} '{entry.name}'")
            kept.fold = fold
            # an aligned row is worth more than the same row without gaps
            kept.aligned = kept.aligned or entry.aligned
    if dropped:
        warnings.append(f"rows that came before dropped: {len(dropped)} ({some(dropped)})")
    return list(unique.values())


def drop_leaks(entries, warnings):
    """Drop what is in dev though train holds the very same sequence."""
    trained = {entry.sequence for entry in entries if entry.fold == "train"}
    leaks = [e for e in entries if e.fold == "dev" and e.sequence in trained]
    if not leaks:
        return entries
    places = some(f"{e.where} '{e.name}'" for e in leaks)
    warnings.append(f"dev sequences dropped, as train has them too: {len(leaks)} ({places})")
    return [e for e in entries if e.fold == "train" or e.sequence not in trained]


def training_rows(entries):
    """Return {family key: training rows} of all families that have any."""
    return Counter(key for e in entries if e.fold == "train" for _, _, key in e.labels)


def report_untrained(entries, rows, warnings):
    """Warn of dev domains whose families cannot be learnt; they drop out with these."""
    lost = [key for e in entries if e.fold == "dev" for _, _, key in e.labels if key not in rows]
    if lost:
        warnings.append(
            f"dev domains dropped, as their families have no training rows: {len(lost)} "
            f"({some(sorted(set(lost)))})"
        )
