"""What a network is right about, against counting by hand."""

import numpy as np
import pytest

from pfamnet.build.evaluation import LENGTHS, Evaluation, evaluate, latency, tables, write_tables
from pfamnet.build.work import Threads
from pfamnet.families import Family
from pfamnet.training.corpus import Corpus
from pfamnet.trainset.trainset import Fold

FAMILIES = [
    Family("PF1", "One", clan="CL1", rows=2),
    Family("PF2", "Two", clan="CL1", rows=5),
    Family("PF3", "Three", rows=200),
    Family("PF4", "Four", rows=7),
]


class Runtime:
    """Names a sequence by its first letter; the class of 'X' is the second family."""

    block = 4

    def run(self, tokens):
        logits = np.zeros((-(-len(tokens) // 4), 5), np.float32)
        logits[:, 0] = 9  # "no family" is no answer here
        logits[:, {5: 1, 23: 2, 13: 3}.get(int(tokens[0]), 2)] = 1
        return [logits]

    def logits(self, sequence):
        return self.run(np.full(len(sequence), 5))[0]


@pytest.fixture
def evaluation():
    sequences = ["A" * 20] * 3 + ["C" * 20] * 2 + ["F" * 16, "D" * 20]
    families = [0, 0, 1, 1, 0, 2, 2]
    domains = np.array(
        [(i, 0, len(s), family) for i, (s, family) in enumerate(zip(sequences, families))], np.int32
    )
    fold = Fold(sequences, list("abcdefg"), domains, np.zeros(7, bool))
    return evaluate(Runtime(), Corpus(fold), 100, Threads())


def called_of(letter):
    from pfamnet.network.tokens import encode

    return int(Runtime().run(encode(letter * 4))[0][0, 1:].argmax())


def test_the_counts_are_those_by_hand(evaluation):
    made = tables(FAMILIES, {"light": evaluation})
    a, c, f, d = map(called_of, "ACFD")
    right = {0: 2 * (a == 0) + (c == 0), 1: (a == 1) + (c == 1), 2: (f == 2) + (d == 2)}
    head, rows = made["accuracy_by_family"]
    assert head == ("network", "accession", "name", "clan", "rows", "domains", "right", "accuracy")
    assert [row[1] for row in rows] == ["PF1", "PF2", "PF3"]  # the fourth has no dev domain
    assert [(int(row[5]), int(row[6])) for row in rows] == [(3, right[0]), (2, right[1]), (2, right[2])]
    assert evaluation.summary() == {
        "regions": 7,
        "accuracy": round(sum(right.values()) / 7, 5),
        "family_mean": round((right[0] / 3 + right[1] / 2 + right[2] / 2) / 3, 5),
        "families": 3,
        "macro_f1": round(evaluation.macro_f1(), 5),
    }
    _, rows = made["accuracy_by_size"]
    assert [row[1:5] for row in rows] == [("1", "3", "1", "3"), ("4", "10", "1", "2"), ("101", "-", "1", "2")]


def test_macro_f1_is_the_mean_over_families_that_are_there_or_called():
    family, called = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 4, 1])
    made = Evaluation(family, called, family == called, [])
    one, two = 2 * 1 * (2 / 3) / (1 + 2 / 3), 2 * 1 * (1 / 3) / (1 + 1 / 3)
    assert made.macro_f1() == pytest.approx((one + two + 0 + 0) / 4)  # 2 never named, 4 never there
    # a sister that is there too is as good as the family itself
    assert Evaluation(family, called, np.ones(6, bool), []).macro_f1() == 1


def test_no_more_residues_are_looked_at_than_asked_for():
    sequences = ["A" * 20, "C" * 40, "D" * 60]
    domains = np.array([(i, 0, len(s), i) for i, s in enumerate(sequences)], np.int32)
    corpus = Corpus(Fold(sequences, list("abc"), domains, np.zeros(3, bool)))
    looked = [
        len(evaluate(Runtime(), corpus, 100, Threads(), residues).family) for residues in (1, 119, 120, None)
    ]
    assert looked == [1, 2, 3, 3]


def test_only_sisters_are_in_the_confusion_within_clans(tmp_path):
    family, called = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 2, 0, 0, 2])
    made = Evaluation(family, called, family == called, [(64, 0.002)])
    write_tables(tmp_path / "e", tables(FAMILIES, {"esm": made}))
    rows = read_table(tmp_path / "e" / "confusion_in_clans.tsv")
    assert rows[1:] == [["esm", "CL1", "One", "Two", "2", "3"], ["esm", "CL1", "Two", "One", "1", "1"]]
    assert read_table(tmp_path / "e" / "latency.tsv")[1:] == [["esm", "64", "2.000", "32000"]]


def read_table(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_every_length_has_its_time_unless_it_takes_long(evaluation, monkeypatch):
    assert [length for length, _ in evaluation.latency] == list(LENGTHS)
    assert all(seconds > 0 for _, seconds in evaluation.latency)
    monkeypatch.setattr("pfamnet.build.evaluation.PATIENCE", 0.0)
    assert [length for length, _ in latency(Runtime())] == [LENGTHS[0]]


def test_a_model_has_the_tables_of_its_networks(esm_model):
    import json

    dev = {
        name: network["dev"]
        for name, network in json.loads((esm_model / "model.json").read_text())["networks"].items()
    }
    _, *rows = read_table(esm_model / "evaluation" / "accuracy_by_family.tsv")
    for network in ("light", "esm"):
        own = [row for row in rows if row[0] == network]
        assert len(own) == 8 and sum(int(row[5]) for row in own) == dev[network]["regions"]
        share = sum(int(row[6]) for row in own) / dev[network]["regions"]
        assert share == pytest.approx(dev[network]["accuracy"], abs=1e-4)
