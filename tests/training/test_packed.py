"""Packed batches hold what padded ones do, and their loss is the same."""

import numpy as np
import pytest
import torch
from encoders import packed_sampler
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounter

from pfamnet.network.esm import EsmNetwork
from pfamnet.network.esm_files import load_encoder
from pfamnet.network.esm_packed import PackedEsm
from pfamnet.network.tokens import CLS, EOS, PAD
from pfamnet.training.compilation import Compilation
from pfamnet.training.examples import Dice
from pfamnet.training.loop import Training
from pfamnet.training.loss import class_weights
from pfamnet.training.packed import best_fit
from pfamnet.training.sampler import Batch
from pfamnet.training.settings import TrainSettings


@pytest.fixture
def sampler():
    return packed_sampler()


def unpacked(batch, n: int) -> Batch:
    """The padded batch of the n examples of a packed one."""
    k, crop = batch.classes.shape[1], 64
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


@pytest.mark.parametrize("balance", ["none", "inverse", "logit"])
def test_the_loss_of_packed_rows_is_that_of_padded_ones(sampler, base, balance):
    torch.manual_seed(0)
    network = EsmNetwork(load_encoder(base), 5).eval()
    parts = class_weights(torch.from_numpy(sampler.class_shares()), balance)
    for batch in sampler.batches(0, 800, 3):
        padded = unpacked(batch, len(batch.pooled))
        expected = padded.loss(network(*padded.inputs), 16, *parts)
        found = batch.loss(PackedEsm(network)(*batch.inputs), 16, *parts)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_batches_have_one_shape_and_little_padding(sampler):
    batches = sampler.batches(3, 1600, 8)
    assert {batch.tokens.shape for batch in batches} == {(20, 80)}
    assert np.mean([(batch.tokens != PAD).float().mean() for batch in batches]) > 0.85
    again = sampler.batches(3, 1600, 8)
    assert all(torch.equal(one.tokens, other.tokens) for one, other in zip(batches, again, strict=True))


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_batches_of_one_row_have_a_loss(sampler, base, count):
    model = PackedEsm(EsmNetwork(load_encoder(base), 5))
    for step in range(3):
        batches = sampler.batches(step, 64, count)
        assert len(batches) == count and all(batch.tokens.shape == (1, 80) for batch in batches)
        assert all(batch.loss(model(*batch.inputs), 16).isfinite() for batch in batches)


def test_a_batch_without_examples_teaches_nothing(sampler, base):
    model, dice = PackedEsm(EsmNetwork(load_encoder(base), 5).eval()), Dice([0], torch.device("cpu"))
    drawn, none = sampler.made(sampler.source.draw(1, dice), 64, dice), torch.zeros(0, dtype=torch.long)
    batch = sampler.packed(drawn, none, none, none, 1)
    loss = batch.loss(model(*batch.inputs), 16)
    loss.backward()
    assert loss == 0 and all(not p.grad.any() for p in model.parameters() if p.grad is not None)


def test_the_encoder_is_compiled_once_for_all_batches(sampler, base, tmp_path):
    torch._dynamo.reset()
    counter, network, said = CompileCounter(), EsmNetwork(load_encoder(base), 5), []
    settings, groups = (
        TrainSettings(8000, 800, precision="fp32"),
        [{"params": network.parameters(), "lr": 0.0}],
    )
    common = "esm", network, groups, sampler, settings, tmp_path, torch.device("cpu")
    training = Training(*common, model=PackedEsm(network))
    Compilation(said.append, counter, worth=0).started(training)
    assert counter.frame_count == 1 and counter.op_count > 20
    assert len(said) == 1 and said[0].startswith(("esm: compiled: ", "esm: not compiled: ")), said


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_items_fit_without_overlap(sizes):
    rows, places = best_fit(sizes, 50)
    used = [(row, place + i) for row, place, size in zip(rows, places, sizes) for i in range(size)]
    assert len(set(used)) == len(used) and all(place < 50 for _, place in used)
    assert set(rows) == set(range(max(rows) + 1)) and len(set(rows)) <= len(sizes)
