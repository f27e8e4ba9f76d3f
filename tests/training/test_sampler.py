"""Crops and their targets: who is drawn, what each block is told, what a seed decides."""

import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.network.tokens import MASK, PAD, encode
from pfamnet.training.corpus import Corpus, block_range
from pfamnet.training.sampler import BACKGROUND_WEIGHT, Example, Sampler, SamplerSettings
from pfamnet.trainset.trainset import Fold

QUIET = {"substitutions": 0.0, "masked": 0.0}


def make_fold(sequences, domains, whole):
    return Fold(
        sequences=sequences,
        names=[f"s{i}" for i in range(len(sequences))],
        domains=np.array(domains, np.int32).reshape(-1, 4),
        whole=np.array(whole, bool),
    )


def isolated_fold(families, rows, seed=0):
    """Isolated domains: `rows[i]` of family i."""
    rng = np.random.default_rng(seed)
    labels = [family for family in range(families) for _ in range(rows[family])]
    sequences = [synthetic.domain(family, rng) for family in labels]
    domains = [(i, 0, len(s), f) for i, (s, f) in enumerate(zip(sequences, labels, strict=True))]
    return make_fold(sequences, domains, [False] * len(sequences))


def protein_fold(count=6, seed=0, flank=150):
    rng, sequences, domains = np.random.default_rng(seed), [], []
    for i in range(count):
        sequence, places = synthetic.protein([i % 3, 3], rng, flank)
        domains += [(i, start, end, family) for start, end, family in places]
        sequences.append(sequence)
    return make_fold(sequences, domains, [True] * count)


def sampler(fold, families, block=16, seed=0, **changes):
    return Sampler(Corpus(fold), families, block, SamplerSettings(**QUIET | changes), seed)


def dense(batch, families):
    """Targets as an array (B, blocks, F + 1) of weights."""
    blocks = -(-batch.tokens.shape[1] // 16)
    targets = np.zeros((len(batch.tokens), blocks, families + 1))
    for (row, block, label), weight in zip(batch.blocks, batch.weights, strict=True):
        targets[row, block, label] += weight
    return targets


# Corpus


def test_a_corpus_gives_back_sequences_and_their_domains_in_order():
    fold = make_fold(["ACDEF", "GHIKLMN", "PQ"], [(2, 0, 2, 1), (0, 1, 4, 0), (2, 0, 1, 0)], [1, 1, 0])
    corpus = Corpus(fold)
    assert len(corpus) == 3
    for i, sequence in enumerate(fold.sequences):
        assert (corpus.sequence(i) == encode(sequence)).all()
    assert [len(corpus.domains_of(i)) for i in range(3)] == [1, 0, 2]
    assert corpus.domains[list(corpus.domains_of(2))].tolist() == [[2, 0, 2, 1], [2, 0, 1, 0]]


def test_an_empty_corpus_has_no_sequences():
    assert len(Corpus(make_fold([], [], []))) == 0


# Blocks and targets


@given(st.integers(0, 500), st.integers(1, 300), st.sampled_from([1, 4, 8, 16]))
def test_a_domain_claims_the_blocks_it_half_fills_and_at_least_one(start, size, block):
    first, last = block_range(start, start + size, block)
    assert last > first
    for number in range((start + size) // block + 2):
        inside = min(start + size, (number + 1) * block) - max(start, number * block)
        if inside > block // 2:
            assert first <= number < last
        if first <= number < last:
            assert inside > 0


def test_blocks_are_told_their_family_and_what_no_domain_claims_is_background():
    fold = make_fold(["A" * 100], [(0, 32, 64, 4)], [True])
    batch = sampler(fold, 6).collate(
        [Example(encode(fold.sequences[0]), [(32, 64, 0)])], np.random.default_rng(0)
    )
    targets = dense(batch, 6)[0]
    assert targets.shape == (7, 7)
    assert (targets[2:4, 5] == 1).all()
    background = np.delete(targets, [2, 3], axis=0)
    assert np.allclose(background[:, 0], BACKGROUND_WEIGHT) and targets.sum() == pytest.approx(2 + 5 * 0.2)


def test_a_block_of_several_families_shares_its_weight_among_them():
    fold = make_fold(["A" * 64], [(0, 0, 64, 0), (0, 0, 64, 2)], [True])
    batch = sampler(fold, 3).collate(
        [Example(encode(fold.sequences[0]), [(0, 64, 0), (0, 64, 1)])], np.random.default_rng(0)
    )
    targets = dense(batch, 3)[0]
    assert np.allclose(targets, [[0, 0.5, 0, 0.5]] * 4)


def test_nothing_is_learnt_from_residues_of_families_left_out():
    fold = make_fold(["A" * 96], [(0, 0, 32, -1), (0, 64, 96, 0)], [True])
    batch = sampler(fold, 1).collate(
        [Example(encode(fold.sequences[0]), [(0, 32, 0), (64, 96, 1)])], np.random.default_rng(0)
    )
    told = sorted({block for _, block, _ in batch.blocks.tolist()})
    assert told == [2, 3, 4, 5]  # 2 and 3 are background, 0 and 1 neither that nor a family
    assert dense(batch, 1)[0, 4:, 1].tolist() == [1, 1]


def test_the_last_block_counts_as_full_where_the_domain_ends_with_the_example():
    fold = make_fold(["A" * 35], [(0, 0, 35, 0)], [False])
    batch = sampler(fold, 1).collate(
        [Example(encode(fold.sequences[0]), [(0, 35, 0)], 0)], np.random.default_rng(0)
    )
    assert dense(batch, 1)[0, :, 1].tolist() == [1, 1, 1]
    assert batch.pooled.tolist() == [[0, 1]]


def test_a_teacher_has_its_share_of_the_target():
    fold = make_fold(["A" * 32, "A" * 32], [(0, 0, 32, 0), (1, 0, 32, 1)], [False, False])
    made = sampler(fold, 3, soft=0.4)
    made.corpus.soft = (np.array([[1, 3], [0, 0]]), np.array([[0.75, 0.25], [0, 0]], np.float32))
    examples = [Example(encode("A" * 32), [(0, 32, row)], row) for row in (0, 1)]
    targets = dense(made.collate(examples, np.random.default_rng(0)), 3)
    assert np.allclose(targets[0], [[0, 0.6 + 0.4 * 0.75, 0, 0.4 * 0.25]] * 2)
    # of the other domain the teacher said nothing
    assert np.allclose(targets[1], [[0, 0, 1, 0]] * 2)


# Drawing


def test_rare_families_are_drawn_more_often_than_their_rows():
    made = sampler(isolated_fold(3, [1, 10, 100]), 3, power=0.5)
    rng = np.random.default_rng(0)
    drawn = np.bincount([made.corpus.domains[made.draw_domain(rng), 3] for _ in range(20_000)])
    expected = np.array([1, 10, 100]) ** 0.5
    assert drawn / drawn.sum() == pytest.approx(expected / expected.sum(), abs=0.01)


def test_domains_of_families_left_out_are_never_drawn():
    fold = protein_fold()
    fold.domains[fold.domains[:, 3] == 3, 3] = -1
    made, rng = sampler(fold, 3), np.random.default_rng(0)
    assert {int(made.corpus.domains[made.draw_domain(rng), 3]) for _ in range(500)} == {0, 1, 2}


def test_a_draw_at_the_very_end_is_the_last_domain():
    class Last:
        def random(self):
            return np.nextafter(1, 0)

    made = sampler(isolated_fold(3, [1, 10, 100]), 3)
    made.domain_cdf = made.domain_cdf * (1 - 1e-12)
    assert made.draw_domain(Last()) == 110


def test_class_counts_are_of_the_families_with_class_0_first():
    fold = protein_fold(6)
    assert sampler(fold, 5).class_counts().tolist() == [0, 2, 2, 2, 6, 0]


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_what_an_example_says_of_its_residues_is_true(seed):
    made = sampler(protein_fold(), 4, crop=128, background=0.3)
    example = made.example(np.random.default_rng(seed))
    assert len(example.tokens) == 128 and example.alone < 0
    for start, end, row in example.spans:
        index, first, last, _ = made.corpus.domains[row]
        domain = made.corpus.sequence(index)[first:last]
        piece = example.tokens[start:end]
        assert 0 <= start < end <= 128
        # the piece is as much of the domain as the crop holds
        assert piece.tobytes() in domain.tobytes()
        assert len(piece) == len(domain) or start == 0 or end == 128


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_an_isolated_domain_stands_alone_or_between_flanks(seed):
    made = sampler(isolated_fold(5, [4] * 5), 5, crop=256)
    example = made.example(np.random.default_rng(seed))
    if example.alone >= 0:
        assert example.spans == [(0, len(example.tokens), example.alone)]
    else:
        assert len(example.tokens) == 256
    for start, end, row in example.spans:
        domain = made.corpus.sequence(made.corpus.domains[row, 0])
        assert (example.tokens[start:end] == domain).all()
    spans = sorted(span[:2] for span in example.spans)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))


def test_domains_longer_than_a_crop_are_cropped_and_stay_alone():
    fold = isolated_fold(8, [0] * 7 + [3])  # of 130 residues or so
    for seed in range(20):
        example = sampler(fold, 8, crop=64).example(np.random.default_rng(seed))
        assert len(example.tokens) == 64 and example.spans == [(0, 64, example.alone)]


def test_crops_round_a_domain_show_it_in_many_places():
    made = sampler(protein_fold(3), 4, crop=128, background=0.0)
    rng = np.random.default_rng(0)
    starts = {span[0] for _ in range(300) for span in made.example(rng).spans}
    assert len(starts) > 40


# Batches


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


@pytest.mark.parametrize("pool", [1, 4])
def test_a_step_draws_the_same_batches_in_every_run_and_each_step_others(pool):
    fold = isolated_fold(5, [4] * 5)
    settings = {"substitutions": 0.1, "masked": 0.05}
    one = sampler(fold, 5, **settings).batches(7, 2048, pool)
    other = sampler(fold, 5, **settings).batches(7, 2048, pool)
    next_step = sampler(fold, 5, **settings).batches(8, 2048, pool)
    other_seed = sampler(fold, 5, seed=1, **settings).batches(7, 2048, pool)
    other_rank = sampler(fold, 5, **settings).batches(7, 2048, pool, rank=1)
    assert len(one) == pool and all(map(same, one, other))
    assert not any(map(same, one, next_step)) and not any(map(same, one, other_seed))
    assert not any(map(same, one, other_rank))


def test_batches_of_a_pool_are_of_equal_size_and_hardly_padded():
    made = sampler(isolated_fold(8, [9] * 8), 8, crop=512, alone=0.8)
    batches = made.batches(0, 4096, count=8)
    held = [int(batch.lengths.sum()) for batch in batches]
    assert len(batches) == 8 and min(held) > 4096 - 512 and max(held) < 4096 + 2 * 512
    padded = sum(batch.tokens.size for batch in batches)
    assert sum(held) > 0.8 * padded


@pytest.mark.parametrize("pool", [2, 7, 16])
def test_batches_shorter_than_an_example_hold_one_each(pool):
    made = sampler(protein_fold(), 4, crop=512)
    batches = made.batches(0, 256, pool)
    assert len(batches) == pool
    assert all(len(batch.tokens) >= 1 for batch in batches)


def test_padding_and_lengths_agree():
    for batch in sampler(isolated_fold(5, [4] * 5), 5).batches(3, 2048, 4):
        inside = np.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
        assert ((batch.tokens != PAD) == inside).all()


def test_substitutions_and_masks_have_their_shares_and_leave_padding_alone():
    made = sampler(isolated_fold(5, [4] * 5), 5, substitutions=0.2, masked=0.1)
    tokens = np.tile(np.arange(4, 24), (200, 10))
    tokens[:, 150:] = PAD
    before = tokens.copy()
    made.disturb(tokens, np.random.default_rng(0))
    assert (tokens[:, 150:] == PAD).all() and PAD not in tokens[:, :150]
    masked = (tokens == MASK).sum() / before[:, :150].size
    # one in twenty substitutes is what stood there
    swapped = ((tokens != before) & (tokens != MASK)).sum() / before[:, :150].size
    assert masked == pytest.approx(0.1, abs=0.01) and swapped == pytest.approx(0.19, abs=0.01)
