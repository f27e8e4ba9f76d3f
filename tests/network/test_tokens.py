"""The tokens are those of ESM-2, and every character has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.network import tokens


def test_special_tokens_have_the_ids_of_esm2():
    assert len(tokens.VOCABULARY) == len(set(tokens.VOCABULARY)) == 33
    assert tokens.VOCABULARY[tokens.CLS] == "<cls>"
    assert tokens.VOCABULARY[tokens.PAD] == "<pad>"
    assert tokens.VOCABULARY[tokens.EOS] == "<eos>"
    assert tokens.VOCABULARY[tokens.UNKNOWN] == "X"
    assert (tokens.CLS, tokens.PAD, tokens.EOS, tokens.VOCABULARY.index("<mask>")) == (0, 1, 2, 32)


def test_residues_have_the_ids_of_esm2():
    encoded = tokens.encode("LAGVSERTIDPKQNFYMHWCXBUZO")
    assert encoded.dtype == np.uint8
    assert encoded.tolist() == list(range(4, 29))


def test_same_ids_as_the_tokenizer_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(tokens.VOCABULARY))
    tokenizer = transformers.EsmTokenizer(str(path))
    ids = tokenizer(tokens.RESIDUES)["input_ids"]
    assert ids == [tokens.CLS, *tokens.encode(tokens.RESIDUES).tolist(), tokens.EOS]


def test_lower_case_is_the_same_residue():
    assert np.array_equal(tokens.encode("mkvlaw"), tokens.encode("MKVLAW"))


@pytest.mark.parametrize("letter", ["J", "j", "*", "-", ".", "1", " ", "?", "é", "Ж", "𝔸"])
def test_other_characters_become_x(letter):
    assert tokens.encode(f"M{letter}K").tolist() == [20, tokens.UNKNOWN, 15]


def test_an_empty_sequence_has_no_tokens():
    assert tokens.encode("").shape == (0,)


@given(st.text())
def test_one_residue_token_for_each_character(sequence):
    encoded = tokens.encode(sequence)
    assert len(encoded) == len(sequence)
    assert all(4 <= token <= 28 for token in encoded)
