"""Relatives by shared words, against counting them in sets."""

import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.trainset.similarity import Clusters, distinct_kmers, relatives

texts = st.lists(st.text("ACX", max_size=14), max_size=9)


def words(sequence, k):
    found = {sequence[i : i + k] for i in range(len(sequence) - k + 1)}
    return {word for word in found if set(word) <= set("ACDEFGHIKLMNPQRSTVWY")}


def counted(sequences, share, k, least):
    """All pairs (later, earlier) of relatives, the plain way."""
    sets = [words(sequence, k) for sequence in sequences]
    pairs = {}
    for i, mine in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            shared = len(mine & other)
            if shared >= least and shared / min(len(mine), len(other)) > share:
                pairs[i, j] = shared / min(len(mine), len(other))
    return pairs


@given(texts, st.sampled_from([0, 0.3, 0.5]), st.integers(1, 3), st.integers(1, 4))
def test_relatives_are_those_that_counting_finds(sequences, share, k, least):
    found = {
        (i, int(j)): float(x)
        for i, others, shares in relatives(sequences, share, k, least)
        for j, x in zip(others, shares, strict=True)
    }
    assert found == pytest.approx(counted(sequences, share, k, least))


def test_many_sequences_and_few_shared_words_go_another_way():
    """Where few of many sequences share words these are sorted, not tallied."""
    rng = np.random.default_rng(0)
    sequences = [synthetic.random_sequence(rng, 30) for _ in range(300)]
    sequences[200] = sequences[7][:20] + sequences[200][20:]
    assert [(i, others.tolist()) for i, others, _ in relatives(sequences, 0.5)] == [(200, [7])]


def test_a_word_does_not_go_over_the_end_of_a_sequence():
    rows, _ = distinct_kmers(["ACD", "EFG", "", "CDEF"], 2)
    assert np.bincount(rows).tolist() == [2, 2, 0, 3]


def test_no_sequences():
    assert list(relatives([], 0.1)) == [] and list(relatives([""], 0.1)) == []


def test_a_sample_of_the_words_finds_relatives_in_many_sequences(monkeypatch):
    rng = np.random.default_rng(1)
    sequences = [synthetic.random_sequence(rng, 400) for _ in range(60)]
    sequences[50] = sequences[7][:200] + sequences[50][200:]
    found = [(i, others.tolist()) for i, others, _ in relatives(sequences, 0.05)]
    monkeypatch.setattr("pfamnet.trainset.similarity.RESIDUES", 5_000)
    assert [(i, others.tolist()) for i, others, _ in relatives(sequences, 0.05)] == found == [(50, [7])]
    rows, kmers = distinct_kmers(sequences, 5, 5)
    every = distinct_kmers(sequences, 5)
    assert 0.15 < len(rows) / len(every[0]) < 0.25
    shared = set(kmers) & set(every[1])
    assert [pair for pair in zip(*every) if pair[1] in shared] == list(zip(rows, kmers))


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_clusters_are_connected_parts(count, pairs):
    clusters, names = Clusters(count), list(range(count))
    for one, other in ((a % count, b % count) for a, b in pairs):
        clusters.join(one, [other])
        low, high = sorted((names[one], names[other]))
        names = [low if name == high else name for name in names]
    assert clusters.labels().tolist() == names


@settings(max_examples=20)
@given(st.permutations(range(12)))
def test_clusters_do_not_depend_on_the_order(order):
    clusters = Clusters(12)
    for i in order[:8]:
        clusters.join(i, [(i * 5) % 12, (i * 7) % 12])
    again = Clusters(12)
    for i in sorted(order[:8]):
        again.join(i, [(i * 5) % 12, (i * 7) % 12])
    assert clusters.labels().tolist() == again.labels().tolist()
