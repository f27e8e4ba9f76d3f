"""Adapters: they begin as nothing, learn alone, go on after a kill, and end as plain weights."""

import copy

import numpy as np
import pytest
import torch
from test_esm import CONFIG, random_rows
from test_loop import Batches, Killed, equal, weights

from pfamnet.errors import PfamnetError
from pfamnet.network import esm
from pfamnet.training.loop import Training, TrainSettings
from pfamnet.training.lora import add_adapters, check_rank, merge_adapters

ROWS = random_rows([40, 23, 1], 40)


@pytest.fixture
def plain():
    torch.manual_seed(1)
    return esm.EsmEncoder(CONFIG).eval()


def adapted(plain, rank, seed=None):
    """A copy with adapters; with a seed they have learnt something."""
    encoder = copy.deepcopy(plain)
    add_adapters(encoder, rank)
    if seed is not None:
        torch.manual_seed(seed)
        for layer in encoder.layers:
            torch.nn.init.normal_(layer.qkv.up, std=0.5)
    return encoder


def test_adapters_begin_as_nothing(plain):
    assert torch.equal(adapted(plain, 4)(*ROWS), plain(*ROWS))


@pytest.mark.parametrize("rank", [1, 3, 8, 32])
def test_merged_adapters_compute_what_they_did_beside_the_weights(plain, rank):
    encoder = adapted(plain, rank, seed=rank)
    before = encoder(*ROWS)
    assert (before - plain(*ROWS)).abs().max() > 0.01  # they do something
    merge_adapters(encoder)
    torch.testing.assert_close(encoder(*ROWS), before, atol=1e-5, rtol=1e-5)


def test_merging_leaves_a_plain_encoder_with_another_query_and_value(plain):
    encoder, size = adapted(plain, 4, seed=0), CONFIG.hidden_size
    merge_adapters(encoder)
    changed = encoder.state_dict()
    assert list(changed) == list(plain.state_dict())
    assert all(type(layer.qkv) is torch.nn.Linear for layer in encoder.layers)
    for name, tensor in plain.state_dict().items():
        if not name.endswith("qkv.weight"):
            assert torch.equal(changed[name], tensor), name
            continue
        differ = [
            not torch.equal(a, b) for a, b in zip(changed[name].split(size), tensor.split(size), strict=True)
        ]
        assert differ == [True, False, True]
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_the_rank_is_that_of_the_change(plain):
    encoder = adapted(plain, 3, seed=0)
    merge_adapters(encoder)
    change = encoder.layers[0].qkv.weight - plain.layers[0].qkv.weight
    assert [int(torch.linalg.matrix_rank(part, rtol=1e-4)) for part in change.detach().chunk(3)] == [3, 0, 3]


def test_only_adapters_and_head_learn(plain):
    network = esm.EsmNetwork(adapted(plain, 2, seed=0), families=2).train()
    network(*ROWS).square().sum().backward()
    learning = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learning == {
        f"encoder.layers.{number}.qkv.{kind}" for number in range(2) for kind in ("down", "up")
    } | {f"head.{name}" for name in ("0.weight", "0.bias", "2.weight", "2.bias")}
    grouped = [p for group in esm.parameter_groups(network, 1e-4, 1e-3) for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in network.parameters() if p.requires_grad}


def test_a_rank_wider_than_the_encoder_is_refused(plain):
    check_rank(plain, 0)
    check_rank(plain, CONFIG.hidden_size)
    with pytest.raises(PfamnetError, match="--lora 33: the encoder is 32 wide"):
        check_rank(plain, 33)


# Training


class Residues(Batches):
    """Rows of twelve residues, in blocks of 16: one block each."""

    def batch(self, rng):
        batch = super().batch(rng)
        kept = batch.blocks[:, 1] == 0
        batch.blocks, batch.weights = batch.blocks[kept], batch.weights[kept]
        batch.tokens = batch.tokens.astype(np.int64)
        return batch


def training(plain, folder):
    torch.manual_seed(4)
    network = esm.EsmNetwork(adapted(plain, 2), families=2)
    settings = TrainSettings(48 * 12, 48, evaluate=4, precision="fp32", checkpoint_seconds=0)
    measure = lambda network: 1 / (1 + float(network.encoder.layers[0].qkv.up.abs().sum()))
    return Training(
        "esm",
        network,
        esm.parameter_groups(network, 3e-3, 1e-2),
        Residues(),
        measure,
        settings,
        folder,
        torch.device("cpu"),
    )


def test_a_killed_training_of_adapters_goes_on_and_leaves_the_rest_as_it_was(plain, tmp_path):
    whole = training(plain, tmp_path / "whole")
    whole.run()
    cut = training(plain, tmp_path / "cut")
    step = cut.step

    def fatal(batches):
        if cut.state["step"] == 7:
            raise Killed
        return step(batches)

    cut.step = fatal
    with pytest.raises(Killed):
        cut.run()
    resumed = training(plain, tmp_path / "cut")
    torch.manual_seed(99)
    resumed.run()
    assert equal(weights(whole.network), weights(resumed.network))
    learnt = whole.network.encoder
    assert float(learnt.layers[0].qkv.up.detach().abs().sum()) > 0
    assert equal(plain.state_dict(), learnt.state_dict())  # the frozen weights, under their own names
