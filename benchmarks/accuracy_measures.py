"""Figures of merit of accuracy.py: errors in all their bins, calls on decoys, E-values."""

import numpy as np
from accuracy_methods import AMINO, NONE, to_queries, word_codes
from common import by_bins, mcnemar, share
from pyhmmer.easel import DigitalSequenceBlock
from pyhmmer.hmmer import hmmalign
from tqdm import tqdm

ROWS = (1, 6, 11, 21, 51, 101, 201)  # train rows of a family
IDENTITY = (0, 20, 25, 30, 40, 50, 60, 80)  # per cent, to the nearest train row
LENGTHS = (0, 50, 100, 150, 200, 300, 500)  # residues
FALSE_CALLS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # a decoy
NOMINAL = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
SURE_BINS = 10
NEAREST = 10  # train rows that a sequence's identity is sought among


def errors(answer, labels, clans, of_rows, identity, lengths):
    """All that is said of one method's picks."""
    wrong = answer.picks != labels
    sisters = np.array(
        [
            pick >= 0 and clans[pick] == clans[label]
            for pick, label in zip(answer.picks.tolist(), labels.tolist())
        ]
    )
    known = np.unique(labels)
    clan_of = np.array([clans[label] for label in labels.tolist()])
    return {
        "family": share(int(wrong.sum()), len(labels)),
        "family_or_clan": share(int((wrong & ~sisters).sum()), len(labels)),
        "nothing_named": int((answer.picks == NONE).sum()),
        "mean_of_families_percent": mean_percent(wrong[labels == label] for label in known),
        "mean_of_clans_percent": mean_percent(
            wrong[clan_of == clan] for clan in sorted(set(clan_of.tolist()))
        ),
        "by_rows": by_bins(of_rows, wrong, ROWS),
        "by_identity": by_bins(np.floor(identity).astype(int).tolist(), wrong, IDENTITY),
        "by_length": by_bins(lengths, wrong, LENGTHS),
    }


def mean_percent(groups):
    return round(100 * float(np.mean([group.mean() for group in groups])), 3)


def against(answer, other, labels):
    """McNemar's test of one method against another on the same rows."""
    right, others = answer.picks == labels, other.picks == labels
    ours, theirs = int((right & ~others).sum()), int((~right & others).sum())
    return {"only_this_right": ours, "only_other_right": theirs, "p": mcnemar(ours, theirs)}


def curve(answer, labels, decoys):
    """Sensitivity where so many decoys of all are called: [[calls a decoy, % found], ...]."""
    ranked = np.sort(decoys)[::-1]
    right = np.sort(answer.sure[answer.picks == labels])
    points = []
    for calls in FALSE_CALLS:
        count = round(calls * len(ranked))
        if 0 < count <= len(ranked):
            # the next decoy sets the threshold, so that `count` score above it
            limit = ranked[count] if count < len(ranked) else -np.inf
            found = len(right) - np.searchsorted(right, limit, "right")
            points.append([calls, round(100 * found / len(labels), 3)])
    return points


def observed(evalues, count):
    """Calls at E-values from 1e-5 to 10: `evalues` of all families on `count` decoys, in any shape."""
    flat = np.asarray(evalues).ravel()
    return [
        {
            "nominal": nominal,
            "calls": int((flat <= nominal).sum()),
            "observed": round(float((flat <= nominal).sum()) / count, 6),
        }
        for nominal in NOMINAL
    ]


def reliability(log_p, labels):
    """How often the first family is right, by the probability it is given: (mean probability, share right, rows)."""
    sure = np.exp(log_p.max(1).astype(float))
    right = log_p.argmax(1) == labels
    edges = np.linspace(0, 1, SURE_BINS + 1)
    places = np.clip(np.digitize(sure, edges) - 1, 0, SURE_BINS - 1)
    bins = [
        (float(sure[places == b].mean()), float(right[places == b].mean()), int((places == b).sum()))
        for b in range(SURE_BINS)
        if (places == b).any()
    ]
    gap = sum(n * abs(s - r) for s, r, n in bins) / len(labels)
    return {
        "bins": [[round(s, 4), round(r, 4), n] for s, r, n in bins],
        "expected_calibration_error": round(gap, 5),
    }


def confusions(answer, labels, clans):
    """The wrong picks: [[right family, family named, rows], ...], and how many stay within the clan."""
    wrong = np.flatnonzero((answer.picks != labels) & (answer.picks != NONE))
    pairs, counts = np.unique(np.stack([labels[wrong], answer.picks[wrong]], 1), axis=0, return_counts=True)
    rows = [[int(a), int(b), int(n)] for (a, b), n in zip(pairs.tolist(), counts.tolist())]
    within = sum(n for a, b, n in rows if clans[a] == clans[b])
    return {"within_clans": within, "between_clans": sum(n for *_, n in rows) - within, "pairs": rows}


def nearest_identity(profiles, sequences, labels, train, train_labels):
    """Per cent identity of each sequence to the nearest train row of its family (n,).

    Both are aligned to the family's profile; identical match states are
    counted against those of the shorter of the two. Aligned are the `NEAREST`
    train rows that share the most words with the sequence.
    """
    identity = np.zeros(len(sequences))
    for family in tqdm(np.unique(labels).tolist(), "identity", disable=None):
        mine, theirs = np.flatnonzero(labels == family), np.flatnonzero(train_labels == family)
        if not len(theirs):
            continue
        theirs = theirs[sharing([sequences[i] for i in mine], [train[i] for i in theirs], NEAREST)]
        block = DigitalSequenceBlock(
            AMINO, to_queries([sequences[i] for i in mine] + [train[i] for i in theirs])
        )
        columns = matched(profiles[family], block)
        rows = columns[len(mine) :]
        sizes = (rows > 0).sum(1)
        for place, row in zip(mine, columns):
            same = ((rows == row) & (row > 0)).sum(1)
            identity[place] = 100 * (same / np.maximum(np.minimum(sizes, (row > 0).sum()), 1)).max()
    return identity


def sharing(queries, rows, most):
    """Indices of the rows that are among the `most` with which one of the queries shares the most words."""
    codes = [word_codes(row) for row in rows]
    owners = np.repeat(np.arange(len(rows)), [len(c) for c in codes])
    words = np.concatenate(codes)
    order = np.argsort(words, kind="stable")
    words, owners, chosen = words[order], owners[order], set()
    for query in queries:
        mine = word_codes(query)
        first, last = np.searchsorted(words, mine), np.searchsorted(words, mine, "right")
        hits = [owners[a:b] for a, b in zip(first, last) if b > a]
        shared = np.bincount(np.concatenate(hits) if hits else np.zeros(0, int), minlength=len(rows))
        chosen.update(np.argsort(-shared, kind="stable")[:most].tolist())
    return np.array(sorted(chosen))


def matched(profile, block):
    """Residues in the match states (n, M) as bytes, 0 where there is none."""
    msa = hmmalign(profile, block, all_consensus_cols=True)
    letters = np.array([list(row.encode()) for row in msa.alignment], np.uint8)
    marks = np.frombuffer(
        msa.reference if isinstance(msa.reference, bytes) else msa.reference.encode(), np.uint8
    )
    columns = letters[:, marks == ord("x")]
    return np.where((columns >= ord("A")) & (columns <= ord("Z")), columns, 0)
