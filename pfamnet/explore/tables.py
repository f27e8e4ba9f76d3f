"""The tables of an exploration: what the page shows in part, whole and between tabs."""

from collections import Counter

import numpy as np

from pfamnet.explore.statistics import NEAR, PERCENTILES, Exploration, clans, cut_by
from pfamnet.trainset.similarity import LETTERS

BOUNDS = (0, 25, 50, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500, 2000, 4000)


def tables(found: Exploration) -> dict[str, list[tuple]]:
    """{file name: rows, the header first}."""
    return {
        "summary.tsv": summary(found),
        "families.tsv": families(found),
        "sizes.tsv": sizes(found),
        "lengths.tsv": lengths(found),
        "histogram.tsv": histogram(found),
        "limits.tsv": limits(found),
        "twins.tsv": twins(found),
        "conflicts.tsv": conflicts(found),
        "clans.tsv": clan_rows(found),
        "alphabet.tsv": alphabet(found),
    }


def summary(found: Exploration) -> list[tuple]:
    """Single numbers, one a line."""
    every = [e for entries in found.rows.values() for e in entries]
    rows = [("what", "fold", "value")]
    for fold, entries in found.rows.items():
        rows += [
            ("rows", fold, len(entries)),
            ("residues", fold, int(found.lengths[fold].sum())),
            ("full-length proteins", fold, sum(e.whole for e in entries)),
            ("domains", fold, sum(found.domains[fold].values())),
            ("families", fold, len(found.domains[fold])),
            ("rows whose sequence came before in the fold", fold, found.repeats[fold][0]),
            ("rows whose name and sequence came before in the fold", fold, found.repeats[fold][1]),
        ]
    rows += [
        ("rows", "all", len(every)),
        ("families", "all", len(found.families)),
        ("families without a clan", "all", sum(not f.clan for f in found.families.values())),
        ("clans", "all", len({f.clan for f in found.families.values()} - {""})),
        ("families with rows, but none in train", "all", missing(found)),
        ("rows with a letter that is no amino acid", "all", found.odd),
    ]
    rows += [
        (f"twins: {what}", f"{one} and {other}", count)
        for (what, one, other), count in twin_counts(found).items()
    ]
    rows += [
        (f"label conflicts: {kind}", "all", sum(c.kind == kind for c in found.conflicts))
        for kind in ("sequence", "near", "overlap")
    ]
    if found.law:
        rows += [
            (f"power law: {name}", "all", f"{value:.4g}" if isinstance(value, float) else value)
            for name, value in vars(found.law).items()
        ]
    return rows


def missing(found: Exploration) -> int:
    """Families that no train fold has, where there is a train fold."""
    trained = [counts for fold, counts in found.domains.items() if fold.split("/")[-1] == "train"]
    return len(found.families) - len(set().union(*trained)) if trained else 0


def twin_counts(found: Exploration) -> dict[tuple[str, str, str], int]:
    """{(kind, fold, later fold): rows}, with the pairs of folds that have none."""
    near = f"over {NEAR:.0%} of words"
    names = {"sequence": "same sequence", "name": "same name"}
    names |= {"near": f"{near}, same family", "other": f"{near}, other family"} if found.near else {}
    folds = list(found.rows)
    counts = {
        (kind, one, other): 0
        for i, one in enumerate(folds)
        for other in folds[i + 1 :]
        for kind in names.values()
    }
    for twin in found.twins:
        kind = "other" if twin.kind == "near" and keys(twin.one) != keys(twin.other) else twin.kind
        counts[names[kind], twin.one.fold, twin.other.fold] += 1
    return counts


def families(found: Exploration) -> list[tuple]:
    """Every family with its clan and its domains in each fold, the largest first."""
    folds = list(found.rows)
    ranked = sorted(found.sizes.items(), key=lambda item: (-item[1], item[0]))
    return [
        ("accession", "name", "clan", "domains", *folds),
        *(
            (
                found.families[key].accession,
                found.families[key].name,
                found.families[key].clan or "-",
                count,
                *(found.domains[fold][key] for fold in folds),
            )
            for key, count in ranked
        ),
    ]


def sizes(found: Exploration) -> list[tuple]:
    """How many families have so many domains, and at least so many."""
    counts = Counter(found.sizes.values())
    least, rows = len(found.families), []
    for size in sorted(counts):
        rows.append((size, counts[size], least))
        least -= counts[size]
    return [("domains", "families", "families_of_at_least"), *rows]


def lengths(found: Exploration) -> list[tuple]:
    """Mean, median and percentiles of the lengths, in residues."""
    head = ("rows", "number", "mean", "median", *(f"p{p}" for p in PERCENTILES))
    return [
        head,
        *(
            (
                what,
                len(values),
                f"{values.mean():.1f}",
                f"{np.median(values):g}",
                *(f"{x:g}" for x in np.percentile(values, PERCENTILES)),
            )
            for what, values in found.lengths.items()
            if len(values)
        ),
    ]


def histogram(found: Exploration) -> list[tuple]:
    """How many rows are of a length, by bins."""
    what = list(found.lengths)
    longest = max(int(values.max(initial=1)) for values in found.lengths.values())
    bounds = [*(bound for bound in BOUNDS if bound <= longest), longest + 1]
    counts = [np.histogram(found.lengths[name], bounds)[0].tolist() for name in what]
    return [("from", "below", *what), *zip(bounds, bounds[1:], *counts)]


def limits(found: Exploration) -> list[tuple]:
    """What a limit on the length would cut off."""
    head = ("limit", "rows", "longer", "percent_of_rows", "residues_cut", "percent_of_residues")
    return [
        head,
        *(
            (limit, what, longer, f"{100 * longer / len(values):.2f}", cut, f"{100 * cut / values.sum():.2f}")
            for what, values in found.lengths.items()
            if len(values)
            for limit, longer, cut in cut_by(values)
        ),
    ]


def twins(found: Exploration) -> list[tuple]:
    """Every row of a fold that stands in an earlier one too, or nearly so."""
    head = ("kind", "fold", "name", "families", "other_fold", "other_name", "other_families", "words_shared")
    return [
        head,
        *(
            (
                t.kind,
                t.one.fold,
                t.one.name,
                keys(t.one),
                t.other.fold,
                t.other.name,
                keys(t.other),
                f"{t.share:.3f}" if t.kind != "name" else "-",
            )
            for t in found.twins
        ),
    ]


def keys(entry) -> str:
    return " ".join(dict.fromkeys(key for _, _, key in entry.labels)) or "-"


def conflicts(found: Exploration) -> list[tuple]:
    """Every piece of sequence under two families."""
    head = ("kind", "fold", "name", "family", "other_fold", "other_name", "other_family", "residues")
    return [
        head,
        *(
            (
                c.kind,
                c.one.fold,
                c.one.name,
                c.families[0],
                c.other.fold,
                c.other.name,
                c.families[1],
                c.residues or "-",
            )
            for c in found.conflicts
        ),
    ]


def clan_rows(found: Exploration) -> list[tuple]:
    """The clans, and in the line "-" the families without one."""
    return [("clan", "families", "domains"), *((clan or "-", *counts) for clan, *counts in clans(found))]


def alphabet(found: Exploration) -> list[tuple]:
    """The letters, the most frequent first, and whether they are amino acids."""
    total = sum(found.letters.values())
    return [
        ("letter", "amino_acid", "number", "percent"),
        *(
            (letter, "yes" if letter in LETTERS.decode() else "no", count, f"{100 * count / total:.4f}")
            for letter, count in found.letters.most_common()
        ),
    ]


def as_text(rows: list[tuple]) -> str:
    """Rows as lines between tabs; white space in a field becomes a blank."""
    return "".join("\t".join(" ".join(str(value).split()) for value in row) + "\n" for row in rows)
