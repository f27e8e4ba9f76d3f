"""The esm network: padding, pooling, learning rates, activation checkpointing."""

import pytest
import torch
from encoders import random_rows, tiny_encoder

from pfamnet.network import esm, tokens


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return tiny_encoder()


# The network


def test_logits_have_the_shape_of_the_contract(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    for width, blocks in [(1, 1), (16, 1), (17, 2), (64, 4)]:
        assert network(*random_rows([width, 1], width)).shape == (2, blocks, 6)


def test_results_do_not_depend_on_the_padding(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    lengths = [50, 33, 16, 1]
    together = network(*random_rows(lengths, 90))
    rows, _ = random_rows(lengths, 90)
    for number, length in enumerate(lengths):
        alone = network(rows[number : number + 1, :length], torch.tensor([length]))[0]
        torch.testing.assert_close(together[number, : len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_what_stands_in_the_padding_does_not_matter(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    rows, lengths = random_rows([20, 40], 40)
    dirty = rows.clone()
    dirty[0, 20:] = tokens.VOCABULARY.index("<mask>")
    torch.testing.assert_close(network(dirty, lengths)[0, :2], network(rows, lengths)[0, :2])


def test_a_row_without_residues_leaves_the_others_finite(encoder):
    network = esm.EsmNetwork(encoder, families=5).eval()
    assert network(*random_rows([0, 20], 20)).isfinite().all()


def test_ends_are_set_after_each_rows_last_residue():
    framed, inside = esm.add_ends(torch.tensor([[5, 6, 7], [8, 9, 9]]), torch.tensor([3, 1]))
    assert framed.tolist() == [[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]
    assert inside.tolist() == [[True, True, True], [True, False, False]]


def test_a_partial_block_averages_the_residues_that_exist():
    hidden = torch.arange(10.0).view(1, 5, 2)
    pooled = esm.pool_blocks(hidden, torch.tensor([[True, True, True, False, False]]), 2)
    assert pooled.tolist() == [[[1.0, 2.0], [4.0, 5.0], [0.0, 0.0]]]


def test_bfloat16_autocast_is_near_to_single_precision_and_trains(encoder):
    rows, lengths = random_rows([60, 30], 60)
    network = esm.EsmNetwork(encoder, families=5).eval()
    exact = network(rows, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(rows, lengths)
    assert (logits.float() - exact)[0].abs().max() < 0.05
    logits.float().logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_network_learns_to_tell_two_families_apart():
    torch.manual_seed(0)
    network = esm.EsmNetwork(tiny_encoder(), families=2, block=16)
    optimizer = torch.optim.AdamW(esm.parameter_groups(network, lr=3e-3, head_lr=1e-2))
    rows, lengths = random_rows([20] * 8, 20)
    classes = torch.tensor([1, 2] * 4)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(rows, lengths).mean(1), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(rows, lengths).mean(1).argmax(-1) == classes).all()


# Learning rates


def test_every_parameter_is_in_one_group_and_layers_learn_slower_downwards(encoder):
    network = esm.EsmNetwork(encoder, families=5)
    groups = esm.parameter_groups(network, lr=1e-4, head_lr=1e-3)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["head"] == 1e-3
    assert rates["layer1"] == pytest.approx(1e-4)
    assert rates["layer0"] == pytest.approx(0.8e-4)
    assert rates["embedding"] == pytest.approx(0.64e-4)
    for group in groups:
        dimensions = {p.dim() > 1 for p in group["params"]}
        assert dimensions == {group["weight_decay"] > 0}


def test_a_frozen_encoder_leaves_only_the_heads_groups(encoder):
    network = esm.EsmNetwork(encoder.requires_grad_(False), families=5)
    names = {group["name"] for group in esm.parameter_groups(network, lr=1e-4, head_lr=1e-3)}
    assert names == {"head", "head (no decay)"}
