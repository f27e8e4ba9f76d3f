"""What blocks say for families, against a softmax of all classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.families import clan_numbers
from pfamnet.network import blocks
from pfamnet.network.blocks import REST, Blocks

CLANS = clan_numbers(["b", "", "a", "b", "", "a", "c"])


def against(logits, families, clans):
    """Odds of each family against all classes but those of its clan, by definition."""
    chances = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    columns = []
    for family in families:
        rest = 1 - chances[:, 1:][:, clans == clans[family]].sum(1)
        columns.append(np.log(chances[:, 1 + family] / np.maximum(rest, REST)))
    return np.stack(columns, 1)


@given(st.integers(1, 40), st.lists(st.integers(0, 6), unique=True, min_size=1), st.integers(0, 9))
def test_sisters_do_not_speak_against_a_family_and_all_others_do(count, families, seed):
    logits = np.random.default_rng(seed).normal(0, 2, (count, 8)).astype(np.float32)
    found = Blocks.of(logits).contrasts(np.array(families), CLANS)
    assert found == pytest.approx(against(logits, families, CLANS), abs=1e-3)


def test_a_few_blocks_at_a_time_say_the_same(monkeypatch):
    logits = np.random.default_rng(0).normal(0, 4, (33, 8)).astype(np.float32)
    families = np.array([6, 0, 3])
    together = Blocks.of(logits).contrasts(families, CLANS)
    monkeypatch.setattr(blocks, "CELLS", 10)
    np.testing.assert_array_equal(Blocks.of(logits).contrasts(families, CLANS), together)


def test_one_block_does_not_decide_alone():
    logits = np.array([[0, 90, 0, 0, 0, 0, 0, 0], [90, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    found = Blocks.of(logits).contrasts(np.array([0]), CLANS)[:, 0]
    assert found == pytest.approx([-np.log(REST), -90], abs=1e-3)


def test_of_no_families_nothing_is_said():
    assert Blocks.of(np.zeros((3, 8), np.float32)).contrasts(np.array([], int), CLANS).shape == (3, 0)
