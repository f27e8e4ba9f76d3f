"""A light network made over into one of another shape."""

import json

import numpy as np
import pytest
import synthetic
import torch
from conftest import build, refused
from safetensors import safe_open

from pfamnet.model.directory import WEIGHTS, open_model
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.tokens import PAD, encode
from pfamnet.training.light_reshape import check_shape, finer, narrower, normalise

COARSE = LightConfig(5, embedding=8, width=16, context=16, stride=4, dilations=(1, 2, 4, 1))


def tokens(length=192, count=8):
    rng = np.random.default_rng(4)
    rows = [encode(synthetic.random_sequence(rng, length)) for _ in range(count)]
    return torch.from_numpy(np.array(rows).astype(np.int64))


@pytest.fixture
def network():
    """As after a training: normalisations know what they see."""
    torch.manual_seed(2)
    made = LightNetwork(COARSE).eval()
    normalise(made, tokens())
    return made


def test_a_finer_network_sees_the_same_places_and_those_between(network):
    seen = {}
    other = finer(network, 2).eval()
    for name, each in (("coarse", network), ("fine", other)):
        each.body[-1].second.register_forward_hook(
            lambda _, __, output, name=name: seen.update({name: output})
        )
        each(tokens())
    assert other.config.stride == 2 and other.config.dilations == (2, 4, 8, 2)
    torch.testing.assert_close(seen["fine"][..., ::2], seen["coarse"])


def test_a_finer_network_keeps_its_stride_where_that_is_asked_for(network):
    torch.testing.assert_close(finer(network, 4).eval()(tokens()), network(tokens()))


def test_all_channels_give_the_same_network(network):
    """Whatever the order in which they stand; where all stay it is that there was."""
    torch.testing.assert_close(
        narrower(network, 16, tokens())(tokens()), network(tokens()), atol=1e-4, rtol=1e-3
    )


def test_channels_that_nothing_comes_through_are_those_that_go(network):
    """Where a quarter of all channels is silent, three quarters are as good as all."""
    silent = torch.tensor([1, 5, 6, 12])
    with torch.no_grad():
        for part in (
            network.stem,
            *(half for residual in network.body for half in (residual.first, residual.second)),
        ):
            part[0].weight[silent] = 0
            part[1].running_mean[silent] = part[1].bias[silent] = 0
    torch.testing.assert_close(
        narrower(network, 12, tokens())(tokens()), network(tokens()), atol=1e-4, rtol=1e-3
    )


def test_normalised_channels_keep_their_means_and_variances(network):
    moments = {}
    few = narrower(network, 12, tokens())
    for name, each in (("all", network), ("few", few)):
        each.context[1].register_forward_hook(
            lambda _, __, output, name=name: moments.update({name: torch.var_mean(output, (0, 2))})
        )
        each(tokens())
    for before, after in zip(moments["all"], moments["few"]):
        torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)


def test_the_network_is_left_as_it_was(network):
    before = network(tokens())
    narrower(network.train(), 8, tokens())
    assert network.training and not any(
        module._forward_hooks or module._forward_pre_hooks for module in network.modules()
    )
    torch.testing.assert_close(network.eval()(tokens()), before)


@pytest.mark.parametrize("shape", [{"width": 17, "stride": None}, {"width": None, "stride": 8}])
def test_what_cannot_be_made_is_refused(shape):
    with pytest.raises(Exception, match="cannot be made of one of"):
        check_shape(COARSE, **shape)


def config(model):
    with safe_open(model / WEIGHTS, "np") as file:
        return json.loads(file.metadata()["config"])


def test_a_build_makes_the_shape_that_is_asked_for(light_model, trainset, tmp_path):
    out = tmp_path / "made"
    build(
        "--light-from",
        light_model,
        "--light-width",
        48,
        "--light-stride",
        1,
        "--light-residues",
        20000,
        out,
        *trainset,
    )
    before, after = config(light_model), config(out)
    assert (after["width"], after["stride"]) == (48, 1)
    assert after["dilations"] == [d * before["stride"] for d in before["dilations"]]
    ids = encode(synthetic.random_sequence(np.random.default_rng(0), 90) + "A" * 6)
    assert (ids != PAD).all() and open_model(out).runtime("light").run(ids.astype(np.int64)).shape[0] == 6


def test_a_build_says_at_once_that_a_network_cannot_be_wider(light_model, trainset, tmp_path):
    line = refused(
        build("--light-from", light_model, "--light-width", 999, tmp_path / "made", *trainset, check=False)
    )
    assert "width 999" in line and not (tmp_path / "made.work").exists()


def test_a_new_network_has_the_shape_that_is_asked_for(trainset, tmp_path):
    out = tmp_path / "made"
    build("--light-width", 24, "--light-stride", 4, "--light-residues", 20000, out, *trainset)
    made = config(out)
    assert (made["width"], made["stride"], made["dilations"]) == (24, 4, [1, 2, 4, 1, 2, 4])
