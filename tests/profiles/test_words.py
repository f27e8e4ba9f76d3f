"""Matches without gaps: what the index finds is what a comparison of every word with every state finds."""

import golden
import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pfamnet.errors import PfamnetError
from pfamnet.profiles import words as words_of
from pfamnet.profiles.words import (
    FAR,
    LETTERS,
    LIKELY,
    NEAR,
    PATTERN,
    PROMISING,
    SENSITIVE,
    UNIT,
    WORD,
    Words,
)

LENGTHS = [hmm.M for hmm in golden.hmms()]
KEPT = words_of.columns_of(golden.hmms())
RNG = np.random.default_rng(4)
NOISE = synthetic.random_sequence(RNG, 300)


@pytest.fixture(scope="module")
def words():
    return Words(**KEPT, lengths=LENGTHS)


def found(words, sequence):
    families, nats = words.matches(sequence)
    assert (np.diff(families) > 0).all() and (nats > 0).all()
    return dict(zip(families.tolist(), nats.tolist(), strict=True))


def expected(sequence):
    """What `matches` is to find, by the words' definition, one place after another."""
    letters = [LETTERS.find(letter) for letter in sequence.upper()]
    ends, nats = np.cumsum(LENGTHS), {}
    for family, (end, length) in enumerate(zip(ends, LENGTHS, strict=True)):
        columns = KEPT["columns"][KEPT["codes"][end - length : end]].astype(int)
        likely = np.argsort(-columns, axis=1, kind="stable")[:, :LIKELY]
        ranked = np.array([[letter in likely[state] for letter in range(20)] for state in range(length)])
        scores = np.array([[column[x] if x >= 0 else -UNIT for x in letters] for column in columns])
        best = 0
        for state in range(length - PATTERN[-1]):
            for at in range(len(letters) - PATTERN[-1]):
                places = [(state + k, at + k) for k in PATTERN]
                if any(letters[j] < 0 or not ranked[i, letters[j]] for i, j in places):
                    continue
                if sum(scores[place] for place in places) >= WORD * UNIT:
                    near, far = (extended(scores, state, at, reach) for reach in (NEAR, FAR))
                    best = max(best, far if near >= PROMISING else 0)
        value = best * np.log(2) / UNIT - np.log(length * len(letters))
        if value > 0:
            nats[family] = value
    return nats


def extended(scores, state, at, reach):
    width = PATTERN[-1] + 1
    sums = [sum(scores[state + k, at + k] for k in range(width))]
    for steps in (range(-1, -reach - 1, -1), range(width, width + reach)):
        total, best = 0, 0
        for k in steps:
            if not (0 <= state + k < scores.shape[0] and 0 <= at + k < scores.shape[1]):
                break
            total += scores[state + k, at + k]
            best = max(best, total)
        sums.append(best)
    return sum(sums)


@pytest.mark.parametrize("record", golden.records()[:6], ids=lambda record: record.name)
def test_matches_are_those_that_the_definition_gives(words, record):
    sequence = record.sequence[:160]
    assert found(words, sequence) == pytest.approx(expected(sequence))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(LENGTHS) - 1), st.integers(0, 60), st.integers(0, 10**6))
def test_consensus_sequences_are_found_wherever_they_are_cut(words, family, cut, seed):
    consensus = golden.hmms()[family].consensus.upper()[cut:]
    flank = synthetic.random_sequence(np.random.default_rng(seed), 40)
    sequence = (flank + consensus + flank)[:140]
    assert found(words, sequence) == pytest.approx(expected(sequence))


def test_every_domain_of_the_golden_table_has_a_match(words):
    """GA domains of real proteins: the index is to find nearly all, and in shuffled ones nearly nothing."""
    pairs = missed = chance = 0
    for record, hits in zip(golden.records(), golden.hits("cut_ga"), strict=True):
        matched = found(words, record.sequence)
        missed += sum(hit.family not in matched for hit in hits)
        pairs += len(hits)
        shuffled = "".join(np.random.default_rng(record.number).permutation(list(record.sequence)))
        chance += len(found(words, shuffled))
    assert pairs > 10 and missed <= pairs // 4
    assert chance <= len(golden.records()) * len(LENGTHS) // 20


def test_letters_of_either_case_are_residues(words):
    sequence = golden.records()[0].sequence
    assert found(words, sequence.lower()) == found(words, sequence) != {}


@pytest.mark.parametrize("sequence", ["", "M", "MKV", "X" * 200, "*-1ä" * 30])
def test_what_has_no_words_has_no_matches(words, sequence):
    assert found(words, sequence) == {}


def test_no_match_reaches_over_the_end_of_a_profile():
    """Two families whose halves lie in the sequence as they lie in the index."""
    columns = np.full((20, 20), -UNIT, np.int8)
    np.fill_diagonal(columns, 3 * UNIT)
    text = "ACDEFGHIKLMNPQRSTVWY"
    alone = Words(columns, np.arange(20, dtype=np.uint16), [20])
    halves = Words(columns, np.arange(20, dtype=np.uint16), [10, 10])
    assert found(alone, text) == pytest.approx({0: 60 * np.log(2) - np.log(20 * 20)})
    assert found(halves, text) == pytest.approx(dict.fromkeys((0, 1), 30 * np.log(2) - np.log(10 * 20)))


@pytest.mark.parametrize("text", ["A", "L", "LA", "QQP", "GAGAGS"])
@pytest.mark.parametrize("length", [12, 900, 9000])
def test_words_that_are_repeated_again_and_again_do_not_count(words, text, length):
    sequence = (text * 9000)[:length]
    if length > 12:
        assert found(words, sequence) == {}
    consensus = golden.hmms()[0].consensus.upper()
    assert 0 in found(words, sequence + consensus)  # others do


def test_a_sequence_shares_a_bounded_number_of_words(words, monkeypatch):
    monkeypatch.setattr(words_of, "USUAL", 1)
    letters = words_of._PLACES[np.frombuffer(golden.hmms()[0].consensus.upper().encode(), np.uint8)]
    (places, at), limit = words.shared(letters), words_of.BUSY * len(words.places) // len(words.first)
    assert 0 < len(places) == len(at) <= len(letters) * max(1, limit)


def test_many_states_are_replaced_by_similar_ones(monkeypatch):
    monkeypatch.setattr(words_of, "COLUMNS", 256)
    fewer = words_of.columns_of(golden.hmms())
    assert len(fewer["columns"]) == 256 and fewer["codes"].max() < 256
    exact = KEPT["columns"][KEPT["codes"]].astype(int)
    likely = exact.argmax(1)
    near = fewer["columns"][fewer["codes"]].astype(int)
    errors = np.abs(near - exact)[np.arange(len(exact)), likely]
    others = np.abs(near[RNG.permutation(len(near))] - exact)[np.arange(len(exact)), likely]
    assert errors.mean() < others.mean() / 2


# The file


def test_a_file_holds_what_a_model_needs(tmp_path, words):
    save_file(KEPT, tmp_path / "words.safetensors")
    read = words_of.read_words(tmp_path / "words.safetensors", LENGTHS)
    sequence = golden.records()[0].sequence
    assert found(read, sequence) == found(words, sequence)
    fewer = words_of.read_words(
        tmp_path / "words.safetensors", LENGTHS, **Words(**KEPT, lengths=LENGTHS, letters=3).rule
    )
    assert fewer.rule == {"bits": WORD, "letters": 3} and len(fewer.places) < len(read.places)


def damaged():
    whole = {name: array.copy() for name, array in KEPT.items()}
    beyond = whole["codes"].copy()
    beyond[7] = len(whole["columns"])
    yield "of another length", whole, [*LENGTHS[:-1], LENGTHS[-1] + 1]
    yield "a family without states", whole, [0, *LENGTHS]
    yield "a state without column", whole | {"codes": beyond}, LENGTHS
    yield "no columns", {"codes": whole["codes"]}, LENGTHS
    yield "too few scores", whole | {"columns": whole["columns"][:, :7].copy()}, LENGTHS


@pytest.mark.parametrize("tensors, lengths", [case[1:] for case in damaged()], ids=[c[0] for c in damaged()])
def test_a_file_of_other_profiles_is_refused(tmp_path, tensors, lengths):
    save_file(tensors, tmp_path / "words.safetensors")
    with pytest.raises(
        PfamnetError, match=r"words.safetensors: not the match states of the model's profiles$"
    ):
        words_of.read_words(tmp_path / "words.safetensors", lengths)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\xff" * 100, b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]"]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    (tmp_path / "words.safetensors").write_bytes(data)
    with pytest.raises(PfamnetError, match="words.safetensors: not the match states"):
        words_of.read_words(tmp_path / "words.safetensors", LENGTHS)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(PfamnetError, match="none.safetensors: no such file or directory"):
        words_of.read_words(tmp_path / "none.safetensors", LENGTHS)


def test_columns_that_make_every_word_likely_do_not_fill_the_memory():
    with pytest.raises(PfamnetError, match="more words than profiles have"):
        Words(np.full((1, 20), 100, np.int8), np.zeros(1000, np.uint16), [1000], most=10_000)


def test_words_beside_an_ignorant_network_are_as_many_as_open_in_moderate_time(monkeypatch, words):
    sensitive = words_of.sensitive_words(**KEPT, lengths=LENGTHS)
    assert sensitive.rule == {"bits": SENSITIVE, "letters": LIKELY}
    assert len(sensitive.places) > 2 * len(words.places)
    monkeypatch.setattr(words_of, "MODERATE", len(sensitive.places) - 1)
    fewer = words_of.sensitive_words(**KEPT, lengths=LENGTHS)
    assert fewer.rule["bits"] == SENSITIVE + 1 / UNIT and len(fewer.places) < len(sensitive.places)
    monkeypatch.setattr(words_of, "MODERATE", 1)
    assert words_of.sensitive_words(**KEPT, lengths=LENGTHS).rule["bits"] == WORD


def test_as_many_words_as_are_permitted_may_be(words):
    with pytest.raises(PfamnetError, match="more words than profiles have"):
        Words(**KEPT, lengths=LENGTHS, most=len(words.places) - 1)
    assert len(Words(**KEPT, lengths=LENGTHS, most=len(words.places)).places) == len(words.places)
