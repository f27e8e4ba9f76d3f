"""Crops and their targets: who is drawn, what each block is told, what a seed decides."""

import numpy as np
import pytest
import synthetic
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pfamnet.network.tokens import PAD, encode
from pfamnet.training.corpus import Corpus, block_range
from pfamnet.training.emission import Emission
from pfamnet.training.examples import BARE, NEIGHBOUR, RARER, Dice
from pfamnet.training.sampler import BACKGROUND_WEIGHT, Sampler, SamplerSettings
from pfamnet.trainset.trainset import Fold

QUIET = {"substitutions": 0.0}


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


def sampler(fold, families, block=16, seed=0, soft_labels=None, emission=None, **changes):
    corpus = Corpus(fold)
    corpus.soft = soft_labels
    return Sampler(corpus, families, block, SamplerSettings(**QUIET | changes), seed, emission)


def dice(seed=0):
    return Dice([seed], torch.device("cpu"))


def drawn(made, count, seed=0):
    """Examples, and their tokens (count, crop)."""
    rolled = dice(seed)
    examples = made.source.draw(count, rolled)
    return examples, made.made(examples, made.settings.crop, rolled).tokens


def spans(examples):
    """The domains of each example: start, end and row in the corpus."""
    columns = (part.tolist() for part in (examples.starts, examples.ends, examples.rows))
    for starts, ends, rows in zip(*columns, strict=True):
        yield [span for span in zip(starts, ends, rows, strict=True) if span[1]]


def only_batch(made):
    """One example of the only sequence, as long as it may be."""
    return made.batches(0, made.settings.crop)[0]


def dense(batch, families):
    """Targets as an array (B, blocks, F + 1) of weights."""
    targets = np.zeros((*batch.background.shape, families + 1))
    targets[..., 0] = batch.background
    for row, classes in enumerate(batch.classes.tolist()):
        for place, label in enumerate(classes):
            targets[row, :, label] += batch.weights[row, :, place].numpy()
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


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 200), st.integers(1, 300))
def test_the_targets_are_of_the_blocks_that_a_domain_claims(start, size):
    fold = make_fold(["A" * (start + size + 7)], [(0, start, start + size, 0)], [True])
    targets = dense(only_batch(sampler(fold, 1, crop=512)), 1)[0]
    assert np.flatnonzero(targets[:, 1]).tolist() == list(range(*block_range(start, start + size, 16)))


def test_blocks_are_told_their_family_and_what_no_domain_claims_is_background():
    fold = make_fold(["A" * 100], [(0, 32, 64, 4)], [True])
    targets = dense(only_batch(sampler(fold, 6, crop=128)), 6)[0]
    assert (targets[2:4, 5] == 1).all()
    background = np.delete(targets, [2, 3], axis=0)
    # the eighth block holds no residue
    assert np.allclose(background[:, 0], [BACKGROUND_WEIGHT] * 5 + [0])
    assert targets.sum() == pytest.approx(2 + 5 * 0.2)


def test_a_block_of_several_families_shares_its_weight_among_them():
    fold = make_fold(["A" * 64], [(0, 0, 64, 0), (0, 0, 64, 2)], [True])
    targets = dense(only_batch(sampler(fold, 3, crop=64)), 3)[0]
    assert np.allclose(targets, [[0, 0.5, 0, 0.5]] * 4)


def test_nothing_is_learnt_from_residues_of_families_left_out():
    fold = make_fold(["A" * 96], [(0, 0, 32, -1), (0, 64, 96, 0)], [True])
    targets = dense(only_batch(sampler(fold, 1, crop=96)), 1)[0]
    # 2 and 3 are background, 0 and 1 neither that nor a family
    assert np.flatnonzero(targets.sum(1)).tolist() == [2, 3, 4, 5]
    assert targets[4:, 1].tolist() == [1, 1]


def test_the_last_block_counts_as_full_where_the_domain_ends_with_the_example():
    fold = make_fold(["A" * 35], [(0, 0, 35, 0)], [False])
    batch = only_batch(sampler(fold, 1, crop=48, alone=1.0))
    assert dense(batch, 1)[0, :, 1].tolist() == [1, 1, 1]
    assert batch.pooled.tolist() == [1]


def test_a_teacher_has_its_share_of_the_target():
    fold = make_fold(["A" * 32, "C" * 32], [(0, 0, 32, 0), (1, 0, 32, 1)], [False, False])
    # of the other domain the teacher said nothing
    soft = np.array([[1, 3], [0, 0]]), np.array([[0.75, 0.25], [0, 0]], np.float32)
    batch = sampler(fold, 3, soft_labels=soft, soft=0.4, alone=1.0, crop=32).batches(0, 320)[0]
    first = (batch.tokens[:, 0] == int(encode("A")[0])).numpy()
    assert first.any() and not first.all()
    targets = dense(batch, 3)
    assert np.allclose(targets[first], [[0, 0.6 + 0.4 * 0.75, 0, 0.4 * 0.25]] * 2)
    assert np.allclose(targets[~first], [[0, 0, 1, 0]] * 2)


# Drawing


def test_rare_families_are_drawn_more_often_than_their_rows():
    made = sampler(isolated_fold(3, [1, 10, 100]), 3, power=0.5, alone=1.0)
    seen = np.bincount(made.source.draw(20_000, dice()).pooled)[1:]
    expected = np.array([1, 10, 100]) ** 0.5
    assert seen / seen.sum() == pytest.approx(expected / expected.sum(), abs=0.01)


def test_domains_of_families_left_out_are_never_drawn():
    fold = isolated_fold(4, [3] * 4)
    fold.domains[fold.domains[:, 3] == 3, 3] = -1
    examples = sampler(fold, 3, alone=0.5).source.draw(500, dice())
    assert set(examples.families[examples.ends > 0].tolist()) == {0, 1, 2}


def test_a_draw_at_the_very_end_is_the_last_domain():
    class Last(Dice):
        def uniform(self, *shape, dtype=torch.float64):
            return torch.full(shape, np.nextafter(1, 0), dtype=dtype)

    cdf = sampler(isolated_fold(3, [1, 10, 100]), 3).source.domain_cdf
    assert Last([0], torch.device("cpu")).pick(cdf * (1 - 1e-12), 2).tolist() == [110, 110]


@pytest.mark.parametrize("power", (0.0, 0.6, 1.0))
def test_class_shares_are_how_often_families_are_drawn(power):
    rows = np.array([2, 2, 2, 6])
    shares = sampler(protein_fold(6), 5, power=power).class_shares()
    assert shares == pytest.approx(np.array([0, *rows**power / (rows**power).sum(), 0]))


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_what_an_example_says_of_its_residues_is_true(seed):
    made = sampler(protein_fold(), 4, crop=128, background=0.3)
    examples, tokens = drawn(made, 5, seed)
    assert examples.length.tolist() == [128] * 5 and examples.pooled.tolist() == [-1] * 5
    for held, row in zip(spans(examples), tokens.numpy(), strict=True):
        for start, end, domain in held:
            index, first, last, _ = made.corpus.domains[domain]
            whole, piece = made.corpus.sequence(index)[first:last], row[start:end].astype(np.uint8)
            assert 0 <= start < end <= 128
            # the piece is as much of the domain as the crop holds
            assert piece.tobytes() in whole.tobytes()
            assert len(piece) == len(whole) or start == 0 or end == 128


def test_a_few_residues_of_a_longer_domain_are_ignored():
    fold = make_fold(["A" * 400], [(0, 100, 160, 0), (0, 163, 169, 1), (0, 200, 260, 2)], [True])
    examples, _ = drawn(sampler(fold, 3, crop=64, background=0.9), 400)
    held = set()
    columns = (part.tolist() for part in (examples.starts, examples.ends, examples.families, examples.rows))
    for starts, ends, families, rows in zip(*columns, strict=True):
        for start, end, family, row in zip(starts, ends, families, rows, strict=True):
            if end:
                least = min(8, (60, 6, 60)[row])  # a domain of six residues has no more
                assert family == (row if end - start >= least else -1)
                held.add((row, family))
    assert {(0, 0), (0, -1), (1, 1), (1, -1), (2, 2), (2, -1)} == held


def test_all_domains_of_a_crop_are_told():
    fold = make_fold(["A" * 200], [(0, 10, 60, 0), (0, 40, 90, 1), (0, 120, 180, 2)], [True])
    examples, _ = drawn(sampler(fold, 3, crop=256), 3)
    assert list(spans(examples)) == [[(10, 60, 0), (40, 90, 1), (120, 180, 2)]] * 3


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_an_isolated_domain_stands_alone_or_between_flanks(seed):
    made = sampler(isolated_fold(5, [4] * 5), 5, crop=256)
    examples, tokens = drawn(made, 5, seed)
    for row, held in enumerate(spans(examples)):
        length, pooled = int(examples.length[row]), int(examples.pooled[row])
        if pooled >= 0:
            assert held == [(0, length, held[0][2])]
            assert made.corpus.domains[held[0][2], 3] + 1 == pooled
        else:
            assert length == 256
        for start, end, domain in held:
            whole = made.corpus.sequence(made.corpus.domains[domain, 0])
            assert (tokens[row, start:end].numpy() == whole).all()
        places = sorted(span[:2] for span in held)
        assert all(one[1] <= other[0] for one, other in zip(places, places[1:], strict=False))


def test_flanks_are_residues_of_one_sequence_and_hold_a_neighbour_at_times():
    letters = "ACDE"
    fold = make_fold([x * 40 for x in letters], [(i, 0, 40, i) for i in range(4)], [False] * 4)
    examples, tokens = drawn(sampler(fold, 4, crop=256, alone=0.25), 4000)
    held = list(spans(examples))
    for row, domains in enumerate(held):
        around = set(range(int(examples.length[row]))) - {i for a, b, _ in domains for i in range(a, b)}
        assert len(set(tokens[row, sorted(around)].tolist())) <= 1
    alone = (examples.pooled >= 0).float().mean()
    assert float(alone) == pytest.approx(0.25, abs=0.03)
    two = [domains for domains in held if len(domains) == 2]
    assert len(two) / (4000 * 0.75) == pytest.approx(NEIGHBOUR, abs=0.03)
    # the neighbour stands on either side
    assert 0.4 < np.mean([domains[0][0] < domains[1][0] for domains in two]) < 0.6


def test_domains_longer_than_a_crop_are_cropped_and_stay_alone():
    fold = isolated_fold(8, [0] * 7 + [3])  # of 130 residues or so
    examples, tokens = drawn(sampler(fold, 8, crop=64), 40)
    assert examples.pooled.tolist() == [8] * 40 and examples.length.tolist() == [64] * 40
    assert all([span[:2] for span in held] == [(0, 64)] for held in spans(examples))
    assert len({tuple(row) for row in tokens.tolist()}) > 20


def test_crops_round_a_domain_show_it_in_many_places():
    made = sampler(protein_fold(3), 4, crop=128, background=0.0)
    assert len({span[0] for held in spans(made.source.draw(300, dice())) for span in held}) > 40


def test_some_crops_are_from_anywhere():
    fold = make_fold(["A" * 9000], [(0, 0, 50, 0)], [True])
    held = list(spans(sampler(fold, 1, crop=100, background=0.3).source.draw(3000, dice())))
    assert np.mean([not domains for domains in held]) == pytest.approx(0.3, abs=0.03)


# Emitted examples


def letters_emission(letters, size):
    """Profiles of `size` columns, each of which emits one letter and nothing else."""
    residues = torch.from_numpy(encode("ACDEFGHIKLMNPQRSTVWY").astype(np.int64))
    wanted = torch.tensor(["ACDEFGHIKLMNPQRSTVWY".index(x) for x in letters]).repeat_interleave(size)
    match = torch.full((len(wanted), 20), -30.0).scatter(1, wanted[:, None], 0.0)
    starts, moves = torch.arange(len(letters) + 1) * size, torch.zeros(len(wanted), 4)
    return Emission(starts, match, moves, residues, torch.ones(20))


def emitting(share, **changes):
    """A sampler of two families; the second has no rows, so that only its profile shows it."""
    fold = make_fold(["D" * 40], [(0, 0, 40, 0)], [False])
    return sampler(fold, 2, crop=128, emission=letters_emission("AC", 50), emitted=share, **changes)


def test_emitted_examples_have_their_share_and_their_families_labels():
    made = emitting(0.25)
    examples, tokens = drawn(made, 400)
    emitted = examples.families[300:, 0]
    assert (examples.families[:300, 0] == -1).all() and set(emitted.tolist()) == {0, 1}
    for row in range(300, 400):
        start, end = int(examples.starts[row, 0]), int(examples.ends[row, 0])
        letter = "AC"[int(examples.families[row, 0])]
        assert 20 <= end - start <= 50
        assert set(tokens[row, start:end].tolist()) == set(encode(letter).tolist())
        # the flanks are of the corpus
        around = [*tokens[row, :start].tolist(), *tokens[row, end : examples.length[row]].tolist()]
        assert set(around) <= set(encode("D").tolist())


def test_some_emitted_examples_are_bare_and_only_those_are_exactly_one_domain():
    examples, _ = drawn(emitting(1.0), 4000)
    bare = examples.pooled >= 0
    assert float(bare.float().mean()) == pytest.approx(BARE, abs=0.03)
    assert torch.equal(examples.pooled[bare], examples.families[bare, 0] + 1)
    assert torch.equal(examples.length[bare], examples.ends[bare, 0])
    assert (examples.starts[bare, 0] == 0).all() and (examples.length[~bare] == 128).all()


def test_profiles_of_rare_families_emit_nearly_as_often():
    fold = isolated_fold(2, [63, 0])
    made = sampler(fold, 2, emission=letters_emission("AC", 50), emitted=1.0)
    share = float((made.source.draw(4000, dice()).families[:, 0] == 1).float().mean())
    assert share == pytest.approx(1 / (1 + 64**RARER), abs=0.03)


def test_emitted_examples_are_targets_like_others():
    batch = emitting(1.0).batches(0, 128 * 20)[0]
    targets = dense(batch, 2)
    for row in range(20):
        label = int(batch.classes[row, 0])
        assert label and targets[row, :, label].sum() >= 1


def test_without_a_share_no_profile_emits():
    examples, _ = drawn(emitting(0.0), 50)
    assert set(examples.families.flatten().tolist()) <= {0, -1} and not len(examples.emitted)


# Batches


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in vars(one))


@pytest.mark.parametrize("pool", [1, 4])
def test_a_step_draws_the_same_batches_in_every_run_and_each_step_others(pool):
    fold, emission = isolated_fold(5, [4] * 5), letters_emission("ACDEF", 50)
    settings = {"substitutions": 0.1, "emitted": 0.2}
    made = lambda seed=0: sampler(fold, 5, seed=seed, emission=emission, **settings)
    one, again = made(), made()
    again.batches(3, 2048, pool)  # a draw leaves nothing behind
    first = one.batches(7, 2048, pool)
    assert len(first) == pool and all(map(same, first, again.batches(7, 2048, pool)))
    others = (
        one.batches(8, 2048, pool),
        made(seed=1).batches(7, 2048, pool),
        one.batches(7, 2048, pool, rank=1),
    )
    assert not any(same(a, b) for other in others for a, b in zip(first, other, strict=True))


def test_batches_are_all_of_one_shape():
    made = sampler(isolated_fold(8, [9] * 8), 8, crop=512)
    assert {batch.tokens.shape for batch in made.batches(0, 4096, count=8)} == {(8, 512)}


@pytest.mark.parametrize("pool", [1, 2, 7, 16])
def test_batches_shorter_than_an_example_hold_one_each(pool):
    made = sampler(protein_fold(), 4, crop=512)
    batches = made.batches(0, 256, pool)
    assert len(batches) == pool and all(len(batch.tokens) == 1 for batch in batches)


def test_padding_and_lengths_agree():
    for batch in sampler(isolated_fold(5, [4] * 5), 5).batches(3, 2048, 4):
        inside = torch.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
        assert torch.equal(batch.tokens != PAD, inside) and not batch.tokens.shape[1] % 16


def test_substitutions_have_their_share_and_leave_padding_alone():
    made = sampler(isolated_fold(5, [4] * 5), 5, substitutions=0.2)
    before = torch.arange(4, 24).repeat(200, 10)
    before[:, 150:] = PAD
    tokens = made.disturbed(before, before != PAD, dice())
    assert (tokens[:, 150:] == PAD).all() and not (tokens[:, :150] == PAD).any()
    # one in twenty substitutes is what stood there
    assert float((tokens != before)[:, :150].float().mean()) == pytest.approx(0.19, abs=0.01)
