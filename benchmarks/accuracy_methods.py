"""The methods that accuracy.py compares: sequences in, answers out.

An answer is, for each sequence, the family that a method names (or NONE) and how
sure it is of it. The matrices that several methods are made of (a network's
log-probabilities and P-values, the profiles' bits) are worked out once and kept
as .npz files in a work directory, so that a benchmark that was stopped goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.hmmer import hmmsearch, phmmer
from tqdm import tqdm

from pfamnet.model.combination import log_probabilities
from pfamnet.network.candidates import best_runs
from pfamnet.trainset.similarity import CODES, LETTERS
from pfamnet.trainset.similarity import NONE as OTHER

NONE = -1
ONE_PASS = {"E": 10.0, "domE": 10.0}
UNFILTERED = {"E": 1e6, "domE": 1e6, "Z": 1, "bias_filter": False, "F1": 1.0, "F2": 1.0, "F3": 1.0}
WORD = 4  # residues of a word of the floor
AMINO = Alphabet.amino()


@dataclass(frozen=True)
class Answer:
    """`picks` (n,) families or NONE; `sure` (n,): the greater, the surer; `evalues` (n,) or None."""

    picks: np.ndarray
    sure: np.ndarray
    evalues: np.ndarray | None = None


class Kept:
    """Arrays by name in files of a directory, made when first asked for."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name, make):
        path = self.folder / f"{name}.npz"
        if not path.exists():
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, **make())
            partial.rename(path)
        with np.load(path) as file:
            return dict(file)


# -- networks


def network_view(runtime, info, sequences, name):
    """log_p (n, F): logarithm of the softmax of the mean block logits over the families;
    chance (n, F): the logarithm of each family's P-value, as a scan has it."""
    log_p, chance = [], []
    for sequence in tqdm(sequences, name, disable=None):
        view = of_logits(runtime.logits(sequence), info, len(sequence))
        log_p.append(view[0])
        chance.append(view[1])
    return {"log_p": np.stack(log_p), "chance": np.stack(chance)}


def of_logits(logits, info, length):
    mean = logits.mean(0)[1:].astype(float)
    scores, _, _ = best_runs(logits[:, 1:] - logits[:, :1])
    return (
        log_probabilities(mean).astype(np.float32),
        info.calibration.log_p(scores, length).astype(np.float32),
    )


def by_network(view):
    """The family with the largest mean logit; sure by its P-value."""
    picks = view["log_p"].argmax(1)
    chance = np.take_along_axis(view["chance"], picks[:, None], 1)[:, 0]
    return Answer(picks, -chance, view["log_p"].shape[1] * np.exp(chance.astype(float)))


class Embedder:
    """Mean residue vectors of an ESM-2 encoder, in batches of like lengths."""

    def __init__(self, encoder):
        import torch

        from pfamnet.network.devices import autocast
        from pfamnet.network.esm import embed
        from pfamnet.network.tokens import PAD, encode

        torch.set_num_threads(1)
        self.torch, self.embed, self.encode, self.pad = torch, embed, encode, PAD
        self.encoder, self.context = encoder.eval(), autocast(torch.device("cpu"), "auto")[0]

    def __call__(self, sequences, name):
        """{"vectors": (n, d) of length 1}."""
        torch = self.torch
        order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
        vectors = [None] * len(sequences)
        with torch.inference_mode(), self.context:
            for start in tqdm(range(0, len(order), 32), name, disable=None):
                places = order[start : start + 32]
                for place, vector in zip(places, self.means([sequences[i] for i in places])):
                    vectors[place] = vector
        vectors = np.stack(vectors)
        return {"vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True)}

    def means(self, sequences):
        torch, lengths = self.torch, [len(sequence) for sequence in sequences]
        tokens = np.full((len(sequences), max(lengths)), self.pad, np.int64)
        for row, sequence in zip(tokens, sequences):
            row[: len(sequence)] = self.encode(sequence)
        counts = torch.tensor(lengths)
        hidden, inside = self.embed(self.encoder, torch.from_numpy(tokens), counts)
        return (hidden.float().masked_fill(~inside[..., None], 0).sum(1) / counts[:, None]).numpy()


def by_neighbour(queries, rows, labels):
    """The family of the train row whose vector has the largest cosine; vectors of length 1."""
    picks, sure = [], []
    for start in range(0, len(queries), 512):
        cosines = queries[start : start + 512] @ rows.T
        picks.append(labels[cosines.argmax(1)])
        sure.append(cosines.max(1))
    return Answer(np.concatenate(picks), np.concatenate(sure))


# -- profiles


def to_queries(sequences):
    return [
        TextSequence(name=str(i), sequence=sequence).digitize(AMINO) for i, sequence in enumerate(sequences)
    ]


def search(profiles, queries, cpu, settings, name):
    """What every profile finds: sequences (m,), families (m,), bits (m,), ln P (m,)."""
    found = []
    if queries:
        z = settings.get("Z", len(queries))
        results = hmmsearch(profiles, DigitalSequenceBlock(AMINO, queries), cpus=cpu, **settings)
        for family, top in enumerate(tqdm(results, name, len(profiles), disable=None)):
            found += [
                (int(hit.name), family, hit.score, np.log(max(hit.evalue, 1e-300) / z))
                for hit in top
                if hit.reported
            ]
    rows, families, bits, chance = zip(*found) if found else ((), (), (), ())
    return {
        "rows": np.array(rows, int),
        "families": np.array(families, int),
        "bits": np.array(bits, float),
        "chance": np.array(chance, float),
    }


def one_pass(profiles, sequences, cpu):
    """Default filters; reported is what hmmscan would: E <= 10 with Z = the families."""
    settings = ONE_PASS | {"Z": len(profiles)}
    return search(profiles, to_queries(sequences), cpu, settings, "one pass")


def second_pass(profiles, sequences, first, cpu):
    """The first pass, and without filters what it found nothing in."""
    hit = set(first["rows"].tolist())
    missed = [query for query in to_queries(sequences) if int(query.name) not in hit]
    more = search(profiles, missed, cpu, UNFILTERED, "second pass")
    return {name: np.concatenate([first[name], more[name]]) for name in first}


def candidates_pass(profiles, sequences, log_p, most, cpu):
    """Without filters, the profiles of each sequence's first `most` families alone."""
    wanted = np.argpartition(-log_p, min(most, log_p.shape[1]) - 1, 1)[:, :most]
    of_family = {}
    for row, families in enumerate(wanted):
        for family in families.tolist():
            of_family.setdefault(family, []).append(row)
    queries, parts = to_queries(sequences), []
    for family, rows in tqdm(sorted(of_family.items()), "candidates", disable=None):
        part = search([profiles[family]], [queries[row] for row in rows], cpu, UNFILTERED, "")
        part["families"][:] = family
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def by_profiles(found, count, families):
    """The family with the best score; sure by its P-value."""
    picks, sure = np.full(count, NONE), np.full(count, -np.inf)
    best = np.full(count, -np.inf)
    for row, family, bits, chance in zip(
        *(found[name].tolist() for name in ("rows", "families", "bits", "chance"))
    ):
        if bits > best[row] or (bits == best[row] and family < picks[row]):
            picks[row], best[row], sure[row] = family, bits, -chance
    with np.errstate(over="ignore"):
        return Answer(picks, sure, np.where(picks == NONE, np.inf, families * np.exp(-sure)))


def bits_matrix(found, shape):
    """Bits of the best hit as a matrix; what was not found has what the worst one
    that was has, and no more than 0."""
    bits = np.full(shape, np.nan)
    np.fmax.at(bits, (found["rows"], found["families"]), found["bits"])
    floor = np.minimum(np.nan_to_num(np.nanmin(np.where(np.isnan(bits), np.inf, bits), 1, initial=0.0)), 0.0)
    return np.where(np.isnan(bits), floor[:, None], bits)


def chance_matrix(found, shape):
    """ln P of the best hit as a matrix, 0 where there is none."""
    chance = np.zeros(shape)
    np.minimum.at(chance, (found["rows"], found["families"]), found["chance"])
    return chance


# -- both


def combined(view, found, weight):
    """The scores (n, F) by which a family is named: w * ln 2 * bits + log-probability."""
    return view["log_p"] + weight * np.log(2) * bits_matrix(found, view["log_p"].shape)


def by_both(view, found, weight, share):
    """The family with the best combined score; sure by both P-values, the network's times `share`."""
    picks = combined(view, found, weight).argmax(1)[:, None]
    network = np.take_along_axis(view["chance"], picks, 1)[:, 0]
    profile = np.take_along_axis(chance_matrix(found, view["log_p"].shape), picks, 1)[:, 0]
    return Answer(picks[:, 0], -(profile + share * network.astype(float)))


# -- single sequences against all train rows


def by_phmmer(sequences, rows, labels, cpu):
    """phmmer of each sequence against the train rows; the family of the best hit."""
    picks, sure = np.full(len(sequences), NONE), np.full(len(sequences), -np.inf)
    block = DigitalSequenceBlock(AMINO, to_queries(rows))
    results = phmmer(to_queries(sequences), block, cpus=cpu, E=10.0)
    for place, top in enumerate(tqdm(results, "phmmer", len(sequences), disable=None)):
        if len(top) and top[0].reported:
            picks[place] = labels[int(top[0].name)]
            sure[place] = -np.log(max(top[0].evalue, 1e-300))
    return {"picks": picks, "sure": sure}


class Words:
    """The floor: each word of a sequence votes for the family in whose train rows it is most frequent."""

    def __init__(self, rows, labels):
        codes = [word_codes(row) for row in rows]
        counts = np.unique(
            np.stack([np.concatenate(codes), np.repeat(labels, [len(c) for c in codes])], 1),
            axis=0,
            return_counts=True,
        )
        (word, label), shares = counts[0].T, counts[1] / np.bincount(labels)[counts[0][:, 1]]
        order = np.lexsort((label, -shares, word))
        first = order[np.flatnonzero(np.diff(word[order], prepend=-1))]
        self.label, self.share = np.full(len(LETTERS) ** WORD, NONE), np.zeros(len(LETTERS) ** WORD)
        self.label[word[first]], self.share[word[first]] = label[first], shares[first]

    def __call__(self, sequences):
        picks, sure = np.full(len(sequences), NONE), np.full(len(sequences), -np.inf)
        for place, sequence in enumerate(sequences):
            codes = word_codes(sequence)
            codes = codes[self.label[codes] != NONE]
            if len(codes):
                votes = np.bincount(self.label[codes], self.share[codes])
                picks[place], sure[place] = votes.argmax(), votes.max()
        return Answer(picks, sure)


def word_codes(sequence):
    """The distinct words of a sequence as whole numbers, in order; those with other letters are left out."""
    letters = CODES[np.frombuffer(sequence.encode(), np.uint8)].astype(np.int64)
    if len(letters) < WORD:
        return np.zeros(0, np.int64)
    parts = np.lib.stride_tricks.sliding_window_view(letters, WORD)
    return np.unique(parts[(parts != OTHER).all(1)] @ len(LETTERS) ** np.arange(WORD))
