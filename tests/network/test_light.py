"""The light network: the contract's shapes, padding, and how far it sees."""

import pytest
import torch

from pfamnet.network.light import RARE, LightConfig, LightNetwork, Residual
from pfamnet.network.runtime import OVERLAP
from pfamnet.network.tokens import PAD

CONFIG = LightConfig(families=5, embedding=16, width=32, context=48)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LightNetwork(CONFIG).eval()


def random_tokens(*shape, seed=0):
    return torch.randint(4, 24, shape, generator=torch.Generator().manual_seed(seed))


def test_a_new_network_expects_every_family_to_be_rare():
    """Though there are many blocks: what nothing normalises neither grows nor shrinks."""
    torch.manual_seed(0)
    logits = LightNetwork(LightConfig(families=300)).eval()(random_tokens(8, 512)).detach()
    assert float(logits[..., 0].mean()) == pytest.approx(0, abs=1)
    assert float(logits[..., 1:].mean()) == pytest.approx(RARE, abs=0.5)
    assert 0.02 < float(logits[..., 1:].std()) < 2


@pytest.mark.parametrize("depth", [1, 4])
def test_blocks_of_a_new_network_change_nothing(depth):
    torch.manual_seed(0)
    residual = Residual(16, 5, (1, 2))
    x = torch.rand(2, 16, 40)
    assert torch.equal(torch.nn.Sequential(*[residual] * depth)(x), x)


@pytest.mark.parametrize("length, blocks", [(1, 1), (15, 1), (16, 1), (17, 2), (160, 10), (250, 16)])
def test_logits_have_the_shape_of_the_contract(network, length, blocks):
    assert network(random_tokens(3, length), torch.full((3,), length)).shape == (3, blocks, 6)


@pytest.mark.parametrize("length", [1, 20, 33, 47])
def test_a_last_block_that_is_not_full_is_padded(network, length):
    tokens = random_tokens(1, length)
    padded = torch.full((1, -(-length // 16) * 16), PAD)
    padded[:, :length] = tokens
    torch.testing.assert_close(network(tokens), network(padded), atol=0, rtol=0)


def test_rows_of_a_batch_do_not_see_each_other(network):
    tokens = random_tokens(4, 200)
    together = network(tokens)
    for row in range(4):
        torch.testing.assert_close(
            together[row : row + 1], network(tokens[row : row + 1]), atol=1e-5, rtol=1e-5
        )


def test_the_network_sees_less_than_half_a_windows_overlap():
    """With every weight positive, whatever is in reach changes the result."""
    network = LightNetwork(LightConfig(families=2, embedding=8, width=8, context=8)).double().eval()
    for parameter in network.parameters():
        parameter.data.uniform_(0.01, 0.02)
    length, middle = 2048, 1024
    tokens = random_tokens(1, length)
    changed = tokens.clone()
    changed[0, middle] = torch.where(tokens[0, middle] == 5, 6, 5)
    moved = (network(tokens) != network(changed)).any(-1)[0].nonzero().flatten()
    reach = max(middle - 16 * int(moved.min()), 16 * int(moved.max()) + 15 - middle)
    assert 16 < reach <= OVERLAP // 2


def test_a_configuration_survives_json():
    import json

    assert LightConfig.from_json(json.loads(json.dumps(CONFIG.to_json()))) == CONFIG


def test_fields_of_other_versions_are_left_aside():
    assert LightConfig.from_json(CONFIG.to_json() | {"activation": "relu"}) == CONFIG


def test_the_default_network_is_of_the_size_that_was_planned():
    size = sum(p.numel() for p in LightNetwork(LightConfig(families=2652)).parameters())
    assert 2_400_000 < size < 3_000_000
