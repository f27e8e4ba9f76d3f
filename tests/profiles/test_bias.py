"""How much the bias filter takes: never much more than is estimated."""

import golden
import numpy as np
import pytest
from pyhmmer.easel import Alphabet
from pyhmmer.plan7 import Background

from pfamnet.profiles.bias import most_bias, span_counts
from pfamnet.profiles.search import to_digital

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
BACKGROUND = np.array(Background(Alphabet.amino()).residue_frequencies, float)


@pytest.fixture(scope="module")
def profiles():
    store = golden.profile_search().store
    with store.borrowed(range(len(golden.families()))) as profiles:
        yield profiles


def filtered(sequence, profile):
    """The bits of HMMER's filter by its definition: the Forward score of two states over the background."""
    ratios = np.log(np.array(profile.compositions, float) / BACKGROUND)
    stay = np.array([400 / 401, profile.M / 8 / (profile.M / 8 + 1)])
    moves = np.log([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
    states = np.log([0.999, 0.001])
    for place, letter in enumerate(sequence):
        if place:
            states = np.logaddexp(*(states[:, None] + moves))
        states[1] += ratios[LETTERS.index(letter)] if letter in LETTERS else 0
    return np.logaddexp(*states) / np.log(2)


@pytest.mark.parametrize("unit", (None, "WLI", "EK", "LV", "G", "CH", "STP"))
@pytest.mark.parametrize("around", (0, 200))
def test_an_estimate_from_above(unit, around, profiles):
    rng = np.random.default_rng(len(unit or "") + around)
    draw = lambda n, letters=LETTERS: "".join(rng.choice([*letters], n))
    for size in (30, 100, 400):
        sequence = draw(around) + draw(size, unit or LETTERS) + "X*" + draw(around)
        counts = span_counts(to_digital(sequence))
        assert counts.sum() == len(sequence) - 2
        for profile in profiles[::3]:
            bits = filtered(sequence, profile)
            assert bits <= most_bias(counts, profile) + 2


def test_ordinary_sequences_have_little(profiles):
    rng = np.random.default_rng(0)
    sequence = "".join(rng.choice([*LETTERS], 400, p=BACKGROUND / BACKGROUND.sum()))
    counts = span_counts(to_digital(sequence))
    assert np.median([most_bias(counts, profile) for profile in profiles]) < 8


def test_a_profile_without_composition_may_take_anything():
    class Without:
        compositions = np.full(20, -1.0, np.float32)

    assert most_bias(span_counts(to_digital("ACD")), Without()) == np.inf


def test_no_residues():
    assert span_counts(to_digital("")).shape == (0, 20)
