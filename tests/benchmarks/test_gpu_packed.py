"""Packed batches hold what padded ones do, and their loss is the same."""

import numpy as np
import pytest
import torch
from gpu_packed import PackedEncoder, PackedSampler, best_fit, packed_loss
from hypothesis import given
from hypothesis import strategies as st

from pfamnet.network.esm import EsmNetwork
from pfamnet.network.esm_files import load_encoder
from pfamnet.network.tokens import CLS, EOS, PAD
from pfamnet.training.corpus import Corpus
from pfamnet.training.examples import SamplerSettings
from pfamnet.training.loss import batch_loss
from pfamnet.training.sampler import Batch
from pfamnet.trainset.trainset import Fold

SETTINGS = SamplerSettings(64, alone=0.8)


@pytest.fixture
def sampler():
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 90, 40)
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), length)) for length in lengths]
    domains = np.array([(row, 0, length, row % 5) for row, length in enumerate(lengths)])
    fold = Fold(sequences, [str(row) for row in range(40)], domains, np.arange(40) % 4 == 0)
    sampler = PackedSampler(Corpus(fold), 5, 16, SETTINGS, 7)
    sampler.width = 80
    return sampler


def unpacked(batch, n: int) -> Batch:
    """The padded batch of the n examples of a packed one."""
    k, crop = batch.classes.shape[1], SETTINGS.crop
    tokens, lengths = torch.full((n, crop), PAD), torch.zeros(n, dtype=torch.long)
    classes, weights = torch.zeros(n, k, dtype=torch.long), torch.zeros(n, crop // 16, k)
    background, number = torch.zeros(n, crop // 16), [0] * n
    for example in range(n):
        own = batch.tokens[batch.segments == example]
        assert own[0] == CLS and own[-1] == EOS
        tokens[example, : len(own) - 2], lengths[example] = own[1:-1], len(own) - 2
    for block, example in enumerate(batch.examples.tolist()):
        place = number[example]
        weights[example, place], background[example, place] = batch.weights[block], batch.background[block]
        classes[example], number[example] = batch.classes[block], place + 1
    assert number == (-(-lengths // 16)).tolist()
    return Batch(tokens, lengths, classes, weights, background, batch.pooled)


def test_the_loss_of_packed_rows_is_that_of_padded_ones(sampler, base):
    torch.manual_seed(0)
    network = EsmNetwork(load_encoder(base), 5).eval()
    for batch in sampler.batches(0, 800, 3):
        padded = unpacked(batch, len(batch.pooled))
        hidden = PackedEncoder(network)(batch.tokens, batch.segments)
        expected = batch_loss(network(padded.tokens, padded.lengths), padded, 16)
        torch.testing.assert_close(packed_loss(network, hidden, batch), expected, rtol=1e-5, atol=1e-5)


def test_batches_have_one_shape_and_little_padding(sampler):
    batches = sampler.batches(3, 1600, 8)
    assert {batch.tokens.shape for batch in batches} == {(20, 80)}
    assert np.mean([(batch.tokens != PAD).float().mean() for batch in batches]) > 0.85
    again = sampler.batches(3, 1600, 8)
    assert all(torch.equal(one.tokens, other.tokens) for one, other in zip(batches, again))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_items_fit_without_overlap(sizes):
    rows, places = best_fit(sizes, 50)
    used = [(row, place + i) for row, place, size in zip(rows, places, sizes) for i in range(size)]
    assert len(set(used)) == len(used) and all(place < 50 for _, place in used)
    assert set(rows) == set(range(max(rows) + 1)) and len(set(rows)) <= len(sizes)
