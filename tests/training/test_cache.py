"""What frozen layers give is computed once, and trains as if it were computed each time."""

from contextlib import nullcontext

import pytest
import torch
from encoders import packed_sampler

from pfamnet.network.esm import EsmNetwork
from pfamnet.network.esm_files import load_encoder
from pfamnet.network.esm_packed import PackedEsm
from pfamnet.training.cache import CachedSampler, load_vectors, save_vectors
from pfamnet.training.settings import TrainSettings

SETTINGS = TrainSettings(10**6, 800, pool=4, precision="fp32")
BATCHES = 3 * 4  # three draws


@pytest.fixture(params=[1, 2], ids=["one layer", "all layers"])
def cached(request, base, tmp_path):
    """A network without dropout, what trains it on cached vectors, and their sampler."""
    torch.manual_seed(0)
    network = EsmNetwork(load_encoder(base), 5, dropout=0)
    model, sampler = PackedEsm(network, request.param), packed_sampler()
    save_vectors(model, sampler, SETTINGS, BATCHES * 800, tmp_path / "vectors.npy", nullcontext())
    return network, model, CachedSampler(sampler, load_vectors(tmp_path / "vectors.npy"))


def passes(cached, number):
    """The batches of one pass."""
    draws = range(3 * number, 3 * number + 3)
    return [batch for draw in draws for batch in cached.batches(draw, SETTINGS.batch, SETTINGS.drawn)]


def test_cached_batches_have_the_same_losses_up_to_rounding_in_any_pass(cached):
    network, model, sampler = cached
    drawn = [batch for draw in range(3) for batch in sampler.sampler.batches(draw, 800, 4)]
    expected = [batch.loss(PackedEsm(network)(*batch.inputs), 16).item() for batch in drawn]
    for number in (0, 1, 5):
        found = [batch.loss(model(*batch.inputs), 16).item() for batch in passes(sampler, number)]
        assert sorted(found) == pytest.approx(sorted(expected), rel=1e-3)
        assert found != pytest.approx(expected, rel=1e-3)  # in an order of its own


def test_each_pass_has_an_order_of_its_own_that_seed_and_step_decide(cached):
    orders = [[batch.tokens.sum().item() for batch in passes(cached[2], number)] for number in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]


def test_upper_layers_get_the_same_gradients_and_frozen_ones_none(cached):
    network, model, sampler = cached
    for frozen in (network.encoder.embeddings, network.encoder.encoder.layer[: model.encode.cached]):
        frozen.requires_grad_(False)
    drawn = [batch for draw in range(3) for batch in sampler.sampler.batches(draw, 800, 4)]
    batch = sampler.batches(0, 800, 4)[0]
    same = next(other for other in drawn if torch.equal(other.segments, batch.segments))
    expected, found = (gradients(PackedEsm(network), same), gradients(model, batch))
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=0.05, atol=1e-3)


def gradients(model, batch):
    """What each parameter gets of a batch."""
    model.zero_grad()
    batch.loss(model(*batch.inputs), 16).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
