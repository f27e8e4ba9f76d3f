"""Prototypes: what is near a training row, which families have rows few enough, and the file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from pfamnet.errors import PfamnetError
from pfamnet.model.prototypes import MOST_ROWS, Prototypes, few_rows, make_prototypes, unit
from pfamnet.trainset.trainset import Fold

DIRECTIONS = "ACDEFGHIKLMNPQRSTVWY"


class Runtime:
    """Sees the composition of a sequence, block by block."""

    def vectors(self, sequence):
        blocks = [sequence[i:i + 16] for i in range(0, len(sequence), 16)]
        vectors = np.array([[block.count(letter) for letter in DIRECTIONS] for block in blocks], np.float32)
        return np.zeros((len(blocks), 3)), vectors


def watch(items, total):
    return items


def fold(counts, emitted=0):
    """Rows of families, each of a letter of its own; family 0 has emitted ones too."""
    rng, sequences, labels = np.random.default_rng(sum(counts)), [], []
    for family, count in enumerate(counts):
        for _ in range(count):
            sequences.append(DIRECTIONS[family] * 30 + "".join(rng.choice(list(DIRECTIONS), 10)))
            labels.append(family)
    names = [f"s{i}" for i in range(len(sequences))] + [f"emitted:{i}" for i in range(emitted)]
    sequences, labels = sequences + ["Y" * 40] * emitted, labels + [0] * emitted
    domains = np.array([(i, 0, 40, family) for i, family in enumerate(labels)], np.int32)
    return Fold(sequences, names, domains, np.zeros(len(names), bool))


def test_families_with_few_real_rows_have_prototypes():
    rows = few_rows(fold([3, MOST_ROWS, MOST_ROWS + 1], emitted=40), 3)
    assert np.bincount(rows[:, 3], minlength=3).tolist() == [3, MOST_ROWS, 0]


def test_a_domain_resembles_its_own_family():
    train, dev = fold([3, 5, 30]), fold([4, 2, 9])
    prototypes = make_prototypes(Runtime(), train, dev, 3, 1, watch)
    assert len(prototypes.families) == 8 and 0 <= prototypes.floor < 0.8
    for sequence, (_, _, _, family) in zip(dev.sequences, dev.domains):
        found = prototypes.resemblance(Runtime().vectors(sequence)[1].mean(0), np.array([2, 1, 0]))
        assert found[0] == 0 and (found[2 - family] > 0.5 or family == 2)
        assert (np.delete(found, 2 - family) < 0.3).all()
    again = make_prototypes(Runtime(), train, dev, 3, 3, watch)
    assert np.array_equal(again.vectors, prototypes.vectors) and again.floor == prototypes.floor


def test_where_all_families_have_rows_enough_there_are_none():
    assert make_prototypes(Runtime(), fold([20, 30]), fold([3, 3]), 2, 1, watch) is None


@given(arrays(np.float32, 4, elements=st.floats(-5, 5, width=32)), st.floats(-0.5, 0.9))
def test_resemblance_is_between_nothing_and_one(vector, floor):
    prototypes = Prototypes(np.eye(4, dtype=np.float32)[:3], np.array([0, 0, 5]), floor)
    found = prototypes.resemblance(vector, np.array([5, 3, 0, 9]))
    assert ((0 <= found) & (found <= 1)).all() and found[1] == found[3] == 0
    assert prototypes.resemblance(2 * np.eye(4)[2], np.array([5]))[0] == 1


def test_prototypes_come_back_from_their_file(tmp_path):
    vectors = unit(np.random.default_rng(0).normal(size=(5, 8))).astype(np.float16).astype(np.float32)
    Prototypes(vectors, np.array([1, 1, 2, 7, 7]), 0.6).save(tmp_path / "p")
    back = Prototypes.load(tmp_path / "p")
    assert np.array_equal(back.vectors, vectors) and back.families.tolist() == [1, 1, 2, 7, 7] and back.floor == 0.6


@pytest.mark.parametrize("tensors", ({}, {"vectors": np.zeros((2, 3)), "families": np.zeros(3, int), "floor": np.zeros(1)},
                                     {"vectors": np.zeros((2, 3)), "families": np.zeros(2, int), "floor": np.ones(1)}))
def test_what_holds_none_is_refused(tensors, tmp_path):
    save_file(tensors, tmp_path / "p")
    with pytest.raises(PfamnetError, match="holds no prototypes"):
        Prototypes.load(tmp_path / "p")
    (tmp_path / "p").write_bytes(b"rubbish")
    with pytest.raises(PfamnetError, match="holds no prototypes"):
        Prototypes.load(tmp_path / "p")
