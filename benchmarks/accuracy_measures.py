"""The computations of accuracy.py: profile searches by pyhmmer, identities, errors, calls on decoys."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas
from common import by_bins, mcnemar, share
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.hmmer import hmmalign, hmmsearch, phmmer
from pyhmmer.plan7 import HMM

NONE = -1
ONE_PASS = {"E": 10.0, "domE": 10.0}
UNFILTERED = {"E": 1e9, "domE": 1e9, "bias_filter": False, "F1": 1.0, "F2": 1.0, "F3": 1.0}
AMINO = Alphabet.amino()
ROWS = (1, 6, 11, 21, 51, 101, 201)  # training rows of a family
IDENTITY = (0, 20, 25, 30, 40, 50, 60, 80)  # per cent, to the nearest training row
LENGTHS = (0, 50, 100, 150, 200, 300, 500)  # residues
FALSE_CALLS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # per decoy
NOMINAL = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # E-values
LEAST = 1e-300  # an E-value that is printed as 0


@dataclass(frozen=True)
class Answer:
    """One family per sequence: `picks` (n,) indices or NONE, `evalues` (n,), infinite where none."""

    picks: np.ndarray
    evalues: np.ndarray

    @property
    def sure(self) -> np.ndarray:
        """The greater, the surer (n,)."""
        return -np.log(np.maximum(self.evalues, LEAST))


# -- profiles and single sequences


def digital(sequences: Sequence[str]) -> list:
    return [TextSequence(name=str(i), sequence=text).digitize(AMINO) for i, text in enumerate(sequences)]


def search(profiles: Sequence[HMM], queries: Sequence, cpu: int, settings: dict) -> pandas.DataFrame:
    """What the profiles find: `place` (of the sequence), `family` (its index), `bits` and `evalue`.

    Z is the number of families, so that E-values are those of hmmscan.
    """
    block, found = DigitalSequenceBlock(AMINO, queries), []
    for family, top in enumerate(hmmsearch(profiles, block, cpus=cpu, Z=len(profiles), **settings)):
        found += [(int(hit.name), family, hit.score, hit.evalue) for hit in top if hit.reported]
    return pandas.DataFrame(found, columns=["place", "family", "bits", "evalue"])


def two_passes(profiles, queries: Sequence, first: pandas.DataFrame, cpu: int) -> pandas.DataFrame:
    """A first pass, and without filters what it found nothing in."""
    hit = set(first.place)
    missed = [query for place, query in enumerate(queries) if place not in hit]
    return pandas.concat([first, search(profiles, missed, cpu, UNFILTERED)]) if missed else first


def answer_of(found: pandas.DataFrame, count: int) -> Answer:
    """The first family of each sequence; of profiles that with the best score."""
    if "bits" in found:
        found = found.sort_values(["bits", "family"], ascending=[False, True])
    found = found.drop_duplicates("place")
    picks, evalues = np.full(count, NONE), np.full(count, np.inf)
    picks[found.place], evalues[found.place] = found.family, found.evalue
    return Answer(picks, evalues)


def by_phmmer(sequences: Sequence[str], rows: Sequence[str], labels: np.ndarray, cpu: int) -> Answer:
    """The family of the training row that phmmer finds with the best score."""
    picks, evalues = np.full(len(sequences), NONE), np.full(len(sequences), np.inf)
    block = DigitalSequenceBlock(AMINO, digital(rows))
    for place, top in enumerate(phmmer(digital(sequences), block, cpus=cpu, E=10.0)):
        if len(top) and top[0].reported:
            picks[place], evalues[place] = labels[int(top[0].name)], top[0].evalue
    return Answer(picks, evalues)


def nearest_identity(profiles, sequences, labels, train, train_labels) -> np.ndarray:
    """Per cent identity of each sequence to the nearest training row of its family (n,).

    Both are aligned to the family's profile; identical match states are counted against those of
    the shorter of the two.
    """
    identity = np.zeros(len(sequences))
    for family in np.unique(labels).tolist():
        mine, theirs = np.flatnonzero(labels == family), np.flatnonzero(train_labels == family)
        if not len(theirs):
            continue
        some = [sequences[i] for i in mine] + [train[i] for i in theirs]
        columns = matched(profiles[family], DigitalSequenceBlock(AMINO, digital(some)))
        rows = columns[len(mine) :]
        sizes = (rows > 0).sum(1)
        for place, row in zip(mine, columns):
            same = ((rows == row) & (row > 0)).sum(1)
            identity[place] = 100 * (same / np.maximum(np.minimum(sizes, (row > 0).sum()), 1)).max()
    return identity


def matched(profile: HMM, block: DigitalSequenceBlock) -> np.ndarray:
    """Residues in the match states (n, M) as bytes, 0 where there is none."""
    msa = hmmalign(profile, block, all_consensus_cols=True)
    letters = np.array([list(row.encode()) for row in msa.alignment], np.uint8)
    marks = msa.reference if isinstance(msa.reference, bytes) else msa.reference.encode()
    columns = letters[:, np.frombuffer(marks, np.uint8) == ord("x")]
    return np.where((columns >= ord("A")) & (columns <= ord("Z")), columns, 0)


# -- figures of merit


def errors(answer: Answer, labels: np.ndarray, clans: Sequence[str], bins: dict) -> dict:
    """The errors of one method, in all rows and in bins.

    Arguments:
        clans: the clan of each family; a family without one is a clan of its own.
        bins: {field: (values (n,), edges)}.
    """
    wrong = answer.picks != labels
    pairs = zip(answer.picks.tolist(), labels.tolist())
    related = np.array([pick >= 0 and clans[pick] == clans[label] for pick, label in pairs])
    clan_of = np.array([clans[label] for label in labels.tolist()])
    mean = lambda groups, names: round(100 * float(np.mean([wrong[groups == n].mean() for n in names])), 3)
    return {
        "family": share(int(wrong.sum()), len(labels)),
        "family_or_clan": share(int((wrong & ~related).sum()), len(labels)),
        "none_predicted": int((answer.picks == NONE).sum()),
        "mean_of_families_percent": mean(labels, np.unique(labels)),
        "mean_of_clans_percent": mean(clan_of, np.unique(clan_of)),
        **{field: by_bins(values, wrong, edges) for field, (values, edges) in bins.items()},
    }


def against(answer: Answer, other: Answer, labels: np.ndarray) -> dict:
    """McNemar's test of one method against another on the same rows."""
    right, others = answer.picks == labels, other.picks == labels
    ours, theirs = int((right & ~others).sum()), int((~right & others).sum())
    return {"only_this_correct": ours, "only_other_correct": theirs, "p": mcnemar(ours, theirs)}


def curve(answer: Answer, labels: np.ndarray, decoys: np.ndarray) -> list[list[float]]:
    """Sensitivity where so many decoys of all are called: [[calls per decoy, % found], ...].

    Arguments:
        decoys: how sure the method is of each decoy (m,).
    """
    ranked, points = np.sort(decoys)[::-1], []
    right = np.sort(answer.sure[answer.picks == labels])
    for calls in FALSE_CALLS:
        count = round(calls * len(ranked))
        if 0 < count <= len(ranked):
            # the next decoy sets the threshold, so that `count` score above it
            limit = ranked[count] if count < len(ranked) else -np.inf
            found = len(right) - np.searchsorted(right, limit, "right")
            points.append([calls, round(100 * float(found) / len(labels), 3)])
    return points


def observed(evalues: np.ndarray, count: int) -> list[dict]:
    """Calls at E-values from 1e-5 to 10: `evalues` of all families on `count` decoys."""
    calls = [(nominal, int((evalues <= nominal).sum())) for nominal in NOMINAL]
    return [{"nominal": n, "calls": c, "observed": round(c / count, 6)} for n, c in calls]
