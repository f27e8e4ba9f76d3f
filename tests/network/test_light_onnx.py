"""The exported graph says what the torch network says, from weights stored once."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, safe_open
from synthetic import random_sequence

from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import as_exported, export_light, family_offsets, fold, tensor_places
from pfamnet.network.runtime import LightRuntime
from pfamnet.network.tokens import encode

CONFIGS = {
    "small": LightConfig(families=5, embedding=16, width=32, context=48),
    "other": LightConfig(
        families=1, block=8, embedding=8, width=16, kernel=3, stem_kernel=5, dilations=(1, 3), context=16
    ),
    "silu": LightConfig(families=3, block=8, embedding=8, width=16, stride=2, activation="silu", context=16),
    "gelu": LightConfig(families=3, embedding=8, width=16, stride=8, activation="gelu", context=16),
}


def trained(config):
    """A network whose batch normalisations have seen data, as after a training."""
    torch.manual_seed(0)
    network = LightNetwork(config)
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.weight.data.uniform_(0.5, 2)
        norm.bias.data.normal_()
    with torch.no_grad():
        for seed in range(20):
            network(torch.randint(4, 24, (8, 128), generator=torch.Generator().manual_seed(seed)))
    return network.eval()


@pytest.fixture(params=CONFIGS)
def exported(request, tmp_path):
    network = trained(CONFIGS[request.param])
    export_light(network, tmp_path)
    return network, tmp_path


def in_torch(network, sequence):
    with torch.inference_mode():
        return network(torch.from_numpy(encode(sequence).astype(np.int64))[None])[0].numpy()


def test_folding_gives_what_convolution_and_normalisation_give():
    network = trained(CONFIGS["small"])
    convolution = network.body[1].first
    x = torch.randn(2, 32, 40)
    weight, bias = fold(convolution)
    conv = convolution[0]
    folded = torch.nn.functional.conv1d(x, weight, bias, padding=conv.padding, dilation=conv.dilation)
    torch.testing.assert_close(folded, convolution(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 7, 16, 31, 128, 300, 1000])
def test_the_graph_gives_the_networks_logits(exported, length):
    network, folder = exported
    sequence = random_sequence(np.random.default_rng(length), length)
    logits = LightRuntime(folder / "light.onnx", network.block).logits(sequence)
    expected = in_torch(network, sequence)
    assert logits.shape == expected.shape and logits.dtype == np.float32
    # weights are rounded to half precision, one part in two thousand
    assert np.abs(logits - expected).max() < 0.01 * np.abs(expected).max()


def test_the_graph_computes_in_single_precision_with_the_stored_weights(exported):
    """Set the folded, rounded weights into torch's own layers: hardly a difference is left."""
    network, folder = exported
    stored = as_exported(network)
    for name, convolution in [
        ("stem", network.stem),
        ("context", network.context),
        *(
            (f"body.{i}.{part}", getattr(residual, part))
            for i, residual in enumerate(network.body)
            for part in ("first", "second")
        ),
    ]:
        convolution[0].weight.data = torch.from_numpy(stored[f"{name}.weight"])
        norm = convolution[1]
        norm.weight.data.fill_(1)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.bias.data = torch.from_numpy(stored[f"{name}.bias"])
    network.embed.weight.data = torch.from_numpy(stored["embed"])
    network.head.weight.data = torch.from_numpy(stored["head.weight"].T.copy())
    network.head.bias.data = torch.from_numpy(stored["head.bias"])
    sequence = random_sequence(np.random.default_rng(0), 700)
    logits = LightRuntime(folder / "light.onnx", network.block).logits(sequence)
    assert np.abs(logits - in_torch(network, sequence)).max() < 1e-4 * np.abs(logits).max()


def test_weights_are_stored_once_and_open_to_others(exported):
    network, folder = exported
    assert (folder / "light.onnx").stat().st_size < 10_000
    tensors = load_file(folder / "light.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    with safe_open(folder / "light.safetensors", "pt") as file:
        assert LightConfig.from_json(json.loads(file.metadata()["config"])) == network.config


def test_places_of_tensors_are_where_their_bytes_lie(exported):
    _, folder = exported
    data = (folder / "light.safetensors").read_bytes()
    tensors = load_file(folder / "light.safetensors")
    for name, (offset, length, shape) in tensor_places(folder / "light.safetensors").items():
        values = np.frombuffer(data[offset : offset + length], np.float16).reshape(shape)
        assert (values == tensors[name].numpy()).all()


def test_equal_networks_make_equal_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export_light(trained(CONFIGS["small"]), tmp_path / name)
    for file in ("light.onnx", "light.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_graph_moves_with_its_weights(exported):
    network, folder = exported
    moved = folder / "moved"
    moved.mkdir()
    for file in ("light.onnx", "light.safetensors"):
        (folder / file).rename(moved / file)
    assert LightRuntime(moved / "light.onnx", network.block).logits("ACDEF").shape[0] == 1


def test_onnx_itself_finds_the_graph_sound(exported):
    import onnx

    onnx.checker.check_model(str(exported[1] / "light.onnx"))


def test_half_of_what_is_common_for_a_family_is_taken_off(tmp_path):
    network = trained(CONFIGS["small"])
    rng = np.random.default_rng(5)
    sequences = [random_sequence(rng, 300) for _ in range(30)]
    offsets = family_offsets(network, sequences)
    assert offsets.shape == (network.config.families + 1,) and offsets[0] == 0
    logits = {}
    for name, taken in (("plain", None), ("offset", offsets)):
        (tmp_path / name).mkdir()
        export_light(network, tmp_path / name, taken)
        runtime = LightRuntime(tmp_path / name / "light.onnx", network.block)
        logits[name] = np.concatenate([runtime.logits(sequence) for sequence in sequences])
    np.testing.assert_allclose(logits["plain"] - offsets, logits["offset"], atol=1e-4)
    odds = logits["plain"][:, 1:] - logits["plain"][:, :1]
    # as float16 weights have it
    np.testing.assert_allclose(2 * offsets[1:], np.quantile(odds, 0.99, axis=0), atol=0.05)
    assert len({(tmp_path / name / "light.safetensors").read_bytes() for name in logits}) == 1


def test_without_sequences_nothing_is_common():
    network = trained(CONFIGS["small"])
    assert not family_offsets(network, []).any()
