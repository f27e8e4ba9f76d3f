"""Adapters: they begin as nothing, learn alone, are restored with the network, and end as plain weights."""

import copy

import pytest
import torch
from encoders import random_rows, tiny_encoder

from pfamnet.network import esm
from pfamnet.training.lora import add_adapters, merge_adapters

ROWS = random_rows([40, 23, 1], 40)
ADAPTERS = {
    f"encoder.layer.{number}.attention.self.{which}.{kind}"
    for number in range(2)
    for which in ("query", "value")
    for kind in ("down", "up")
}
ADAPTED = {name.rsplit(".", 1)[0] + ".weight" for name in ADAPTERS}


@pytest.fixture
def plain():
    torch.manual_seed(1)
    return tiny_encoder()


def adapted(plain, rank, seed=None):
    """A copy with adapters; with a seed they have learnt something."""
    encoder = copy.deepcopy(plain)
    add_adapters(encoder, rank)
    if seed is not None:
        torch.manual_seed(seed)
        for name, parameter in encoder.named_parameters():
            if name.endswith(".up"):
                torch.nn.init.normal_(parameter, std=0.5)
    return encoder


def vectors(encoder):
    hidden, inside = esm.embed(encoder, *ROWS)
    return hidden[inside]


def test_adapters_begin_as_nothing(plain):
    assert torch.equal(vectors(adapted(plain, 4)), vectors(plain))


@pytest.mark.parametrize("rank", [1, 3, 8, 32])
def test_merged_adapters_compute_what_they_did_beside_the_weights(plain, rank):
    encoder = adapted(plain, rank, seed=rank)
    before = vectors(encoder)
    assert (before - vectors(plain)).abs().max() > 0.01  # they do something
    merge_adapters(encoder)
    torch.testing.assert_close(vectors(encoder), before, atol=1e-5, rtol=1e-5)


def test_merging_leaves_a_plain_encoder_with_another_query_and_value(plain):
    encoder = adapted(plain, 3, seed=0)
    merge_adapters(encoder)
    changed, original = encoder.state_dict(), plain.state_dict()
    assert list(changed) == list(original)
    assert {type(module) for module in encoder.modules()} == {type(module) for module in plain.modules()}
    assert {name for name in changed if not torch.equal(changed[name], original[name])} == ADAPTED
    assert {int(torch.linalg.matrix_rank(changed[name] - original[name], rtol=1e-4)) for name in ADAPTED} == {
        3
    }
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_only_adapters_and_head_learn(plain):
    network = esm.EsmNetwork(adapted(plain, 2, seed=0), families=2).train()
    groups = esm.parameter_groups(network, 1e-2, 1e-2)
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in network.parameters() if p.requires_grad}
    before = copy.deepcopy(network.state_dict())
    network(*ROWS).square().sum().backward()
    torch.optim.AdamW(groups).step()
    learnt = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    head = {f"head.{name}" for name in ("0.weight", "0.bias", "2.weight", "2.bias")}
    assert learnt == {f"encoder.{name}" for name in ADAPTERS} | head


def test_a_network_with_adapters_is_restored_from_its_state(plain):
    network = esm.EsmNetwork(adapted(plain, 2, seed=0), families=2).eval()
    other = esm.EsmNetwork(adapted(tiny_encoder(), 2), families=2).eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(*ROWS), network(*ROWS))


def test_layers_that_stay_as_they_are_get_no_adapters(plain):
    encoder = plain
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    depth = len(encoder.encoder.layer)
    add_adapters(encoder, 2, depth - 1)
    learning = {name for name, tensor in encoder.named_parameters() if tensor.requires_grad}
    assert learning and all(f"layer.{depth - 1}." in name for name in learning)
    merge_adapters(encoder)
    assert {name: tensor.tolist() for name, tensor in encoder.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in before.items()
    }
