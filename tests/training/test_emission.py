"""Sequences emitted from profiles: what they are made of, and how long they are."""

import numpy as np
import pytest
import synthetic
import torch
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.plan7 import Background, Builder

from pfamnet.network.tokens import encode
from pfamnet.training import emission
from pfamnet.training.emission import Emission

AMINO = "ACDEFGHIKLMNPQRSTVWY"
RESIDUES = torch.from_numpy(encode(AMINO).astype(np.int64))
INSERT, DELETE, INSERT_ON, DELETE_ON = range(4)


def certain(consensus, moves=(0.0, 0.0, 0.0, 0.0)):
    """The match log-probabilities of columns that emit one letter each, and their moves."""
    letters = torch.tensor([AMINO.index(x) for x in consensus])
    match = torch.full((len(letters), 20), -30.0).scatter(1, letters[:, None], 0.0)
    return match, torch.tensor(moves).repeat(len(letters), 1)


def profiles(*tables, background=None):
    matches, moves = zip(*tables, strict=True)
    starts = torch.tensor([0, *np.cumsum([len(match) for match in matches])])
    background = torch.ones(20) if background is None else background
    return Emission(starts, torch.cat(matches), torch.cat(moves), RESIDUES, background)


def emitted(tables, families, longest=400, seed=0):
    """The sequences, as arrays of tokens."""
    generator = torch.Generator().manual_seed(seed)
    tokens, lengths = tables.emit(torch.tensor(families), longest, generator)
    assert tokens.shape == (len(families), longest) and tokens.dtype == torch.uint8
    assert int(lengths.min()) >= 1 and int(lengths.max()) <= longest
    return [row[:length].numpy() for row, length in zip(tokens, lengths.tolist(), strict=True)]


@pytest.fixture
def complete(monkeypatch):
    """Each sequence is of the whole profile, with its own probabilities."""
    monkeypatch.setattr(emission, "PART", 1.0)
    monkeypatch.setattr(emission, "SHARPEST", 1.0)


def test_columns_that_are_certain_emit_the_consensus_or_a_part_of_it():
    first, second = (synthetic.random_sequence(np.random.default_rng(i), 100) for i in (1, 2))
    tables = profiles(certain(first), certain(second))
    for family, sequence in zip([0, 1] * 200, emitted(tables, [0, 1] * 200), strict=True):
        consensus = encode((first, second)[family]).astype(np.uint8)
        assert sequence.tobytes() in consensus.tobytes() and len(sequence) >= 40


def test_half_of_the_sequences_are_complete_and_the_parts_are_from_everywhere():
    consensus = synthetic.random_sequence(np.random.default_rng(1), 100)
    sequences = emitted(profiles(certain(consensus)), [0] * 2000)
    lengths = np.array([len(sequence) for sequence in sequences])
    # a hundredth or so of the parts has all columns too
    assert np.mean(lengths == 100) == pytest.approx(0.5, abs=0.04)
    whole = encode(consensus).astype(np.uint8).tobytes()
    begins = [whole.index(sequence.tobytes()) for sequence in sequences if len(sequence) < 100]
    assert min(begins) == 0 and max(begins) > 40


def test_a_short_profile_is_not_cut_below_its_least_part():
    assert {len(sequence) for sequence in emitted(profiles(certain("A" * 12)), [0] * 50)} == {12}


def test_no_sequence_is_longer_than_asked_for():
    consensus = synthetic.random_sequence(np.random.default_rng(1), 300)
    tables = profiles(certain(consensus, (0.3, 0.0, 0.9, 0.0)))
    assert {len(sequence) for sequence in emitted(tables, [0] * 50, 64)} == {64}


def test_residues_have_the_columns_probabilities(complete):
    chances = torch.full((1, 20), 0.2 / 18)
    chances[0, 3], chances[0, 7] = 0.5, 0.3
    tables = profiles((chances.log().repeat(200, 1), torch.zeros(200, 4)))
    tokens = np.concatenate(emitted(tables, [0] * 100))
    seen = np.bincount(tokens, minlength=33)[RESIDUES.numpy()] / len(tokens)
    assert seen == pytest.approx(chances[0].numpy(), abs=0.015)


def test_sequences_are_nearer_to_the_consensus_than_independent_draws():
    chances = torch.full((1, 20), 0.5 / 19)
    chances[0, 3] = 0.5
    tables = profiles((chances.log().repeat(200, 1), torch.zeros(200, 4)))
    agreeing = [np.mean(sequence == int(RESIDUES[3])) for sequence in emitted(tables, [0] * 200)]
    assert np.mean(agreeing) > 0.7 and min(agreeing) < 0.7 and max(agreeing) > 0.95


@pytest.mark.parametrize("again, deleted", [(0.0, 0.1), (0.5, 0.1 * 2 / 1.2)])
def test_deletions_occur_at_about_their_rate(complete, again, deleted):
    consensus = "A" * 200
    sequences = emitted(profiles(certain(consensus, (0.0, 0.1, 0.0, again))), [0] * 300)
    mean = np.mean([len(sequence) for sequence in sequences])
    assert 1 - mean / 200 == pytest.approx(deleted, abs=0.025)
    assert all((sequence == int(RESIDUES[0])).all() for sequence in sequences)


@pytest.mark.parametrize("again, residues", [(0.0, 1), (0.5, 2)])
def test_inserts_occur_at_about_their_rate_and_have_the_background_frequencies(complete, again, residues):
    background = torch.zeros(20)
    background[4], background[5] = 3.0, 1.0
    tables = profiles(certain("A" * 200, (0.05, 0.0, again, 0.0)), background=background)
    tokens = np.concatenate(emitted(tables, [0] * 300))
    seen = np.bincount(tokens, minlength=33)[RESIDUES.numpy()]
    assert seen[0] == 300 * 200 and seen.sum() == seen[[0, 4, 5]].sum()
    assert (seen.sum() / seen[0] - 1) == pytest.approx(0.05 * residues, rel=0.1)
    assert seen[4] / (seen[4] + seen[5]) == pytest.approx(0.75, abs=0.03)


def test_a_state_is_deleted_by_the_move_from_the_one_before(complete):
    match, moves = certain(AMINO)
    moves[5, DELETE] = 1.0
    expected = encode(AMINO[:6] + AMINO[7:]).astype(np.uint8)
    assert all(
        sequence.tobytes() == expected.tobytes() for sequence in emitted(profiles((match, moves)), [0] * 20)
    )


def test_a_generator_of_the_same_seed_emits_the_same():
    tables = profiles(certain("ACDEFGHIKL" * 8, (0.1, 0.1, 0.5, 0.5)))
    one, again, other = (emitted(tables, [0] * 5, seed=seed) for seed in (1, 1, 2))
    same = lambda a, b: all(map(np.array_equal, a, b))
    assert same(one, again) and not same(one, other)


def test_the_tables_are_those_of_the_profiles():
    alphabet = Alphabet.amino()
    builder, background = Builder(alphabet, seed=1), Background(alphabet)
    sequences = ["WHCPG" * 8, "CCWWPPHHGG" * 2]  # of each of these it is itself the likeliest
    hmms = [
        builder.build(TextSequence(name=f"f{i}", sequence=s).digitize(alphabet), background)[0]
        for i, s in enumerate(sequences)
    ]
    tables = Emission.of(hmms)
    assert tables.starts.tolist() == [0, 40, 60]
    likeliest = tables.residues[tables.match.float().argmax(1)].numpy()
    assert (likeliest == encode("".join(sequences))).all()
    moves = np.asarray(hmms[1].transition_probabilities)[1:]
    names = dict(zip(("MM", "MI", "MD", "IM", "II", "DM", "DD"), moves.T, strict=True))
    for column, name in (INSERT, "MI"), (DELETE, "MD"), (INSERT_ON, "II"), (DELETE_ON, "DD"):
        assert tables.moves[40:, column].numpy() == pytest.approx(names[name], rel=1e-3)
