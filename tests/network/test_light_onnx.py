"""The light network's graph: in float32 what the torch network computes, in 8-bit integers nearly that."""

import copy
import json
import logging
import shutil
from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, safe_open
from synthetic import random_sequence

from pfamnet.network.blocks import log_none
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import (
    LONGEST,
    Samples,
    export_light,
    family_offsets,
    quantize_light,
    rounded,
    save_light,
)
from pfamnet.network.runtime import LightRuntime
from pfamnet.network.tokens import PAD, encode

CONFIGS = {
    "small": LightConfig(families=5, embedding=16, width=32, context=48),
    "other": LightConfig(
        families=1, block=8, embedding=8, width=16, kernel=3, stem_kernel=5, dilations=(1, 3), context=16
    ),
}


def trained(config):
    """A network in which every weight counts, as after a training."""
    torch.manual_seed(0)
    network = LightNetwork(config)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
        elif "second" in name:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        elif name.startswith("head"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def written(network, folder, offsets=None):
    save_light(network, folder / "light.safetensors")
    export_light(network, folder / "light.onnx", offsets)
    return network


@pytest.fixture(params=CONFIGS)
def exported(request, tmp_path):
    network = trained(CONFIGS[request.param])
    return written(network, tmp_path), tmp_path


def in_torch(network, sequence):
    with torch.inference_mode():
        return network(torch.from_numpy(encode(sequence).astype(np.int64))[None])[0].numpy()


@pytest.mark.parametrize("length", [1, 7, 16, 31, 128, 300, 1000])
def test_the_graph_gives_the_networks_logits(exported, length):
    network, folder = exported
    sequence = random_sequence(np.random.default_rng(length), length)
    logits = LightRuntime(folder / "light.onnx", network.block, network.config.families).logits(sequence)
    expected = in_torch(network, sequence)
    assert logits.shape == expected.shape and logits.dtype == np.float32
    # weights are rounded to half precision, one part in two thousand
    assert np.abs(logits - expected).max() < 0.01 * np.abs(expected).max()


def test_the_graph_computes_in_single_precision_with_the_stored_weights(exported):
    network, folder = exported
    tensors = load_file(folder / "light.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    stored = rounded(network)
    state = {name: tensor.float() for name, tensor in tensors.items()}
    state["embed.weight"], state["head.weight"] = state.pop("embed"), state["head.weight"].T
    stored.load_state_dict(state)
    sequence = random_sequence(np.random.default_rng(0), 700)
    logits = LightRuntime(folder / "light.onnx", network.block, network.config.families).logits(sequence)
    assert np.abs(logits - in_torch(stored, sequence)).max() < 1e-4 * np.abs(logits).max()


def test_the_weights_name_their_configuration(exported):
    with safe_open(exported[1] / "light.safetensors", "pt") as file:
        assert LightConfig.from_json(json.loads(file.metadata()["config"])) == exported[0].config


def test_equal_networks_make_equal_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(trained(CONFIGS["small"]), tmp_path / name)
    for file in ("light.onnx", "light.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_exporting_leaves_the_network_as_it_was(tmp_path):
    network = trained(CONFIGS["small"])
    before = copy.deepcopy(network.state_dict())
    written(network, tmp_path, np.ones(6, np.float32))
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in after)


OPERATORS = {
    "Conv": 8,
    "Relu": 8,
    "Add": 3,
    "Gather": 2,
    "AveragePool": 1,
    "MaxPool": 1,
    "Concat": 1,
    "Gemm": 1,
    "Identity": 1,
    "LogSoftmax": 1,
}


@pytest.mark.parametrize("kind", ["plain", "int8"])
def test_the_graph_has_the_networks_operators_and_no_others(folders, kind):
    """Nothing is computed for shapes."""
    model = onnx.load(folders / kind / "light.onnx")
    counts = Counter(node.op_type for node in model.graph.node)
    others = {"Constant", "Transpose", "Squeeze"} | (
        {"QuantizeLinear", "DequantizeLinear"} if kind == "int8" else set()
    )
    assert {name: count for name, count in counts.items() if name not in others} == OPERATORS


def test_onnx_itself_finds_the_graph_sound(exported):
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
        written(network, tmp_path / name, taken)
        runtime = LightRuntime(tmp_path / name / "light.onnx", network.block, network.config.families)
        logits[name] = np.concatenate([runtime.logits(sequence) for sequence in sequences])
    np.testing.assert_allclose(logits["plain"] - offsets, logits["offset"], atol=1e-4)
    odds = logits["plain"][:, 1:] - logits["plain"][:, :1]
    # as float16 weights have it
    np.testing.assert_allclose(2 * offsets[1:], np.quantile(odds, 0.99, axis=0), atol=0.05)
    assert len({(tmp_path / name / "light.safetensors").read_bytes() for name in logits}) == 1


def test_without_sequences_nothing_is_common():
    network = trained(CONFIGS["small"])
    assert not family_offsets(network, []).any()


# In integers


def sequences(count=40):
    rng = np.random.default_rng(3)
    return [random_sequence(rng, int(rng.integers(20, 400))) for _ in range(count)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same network in single precision and in integers."""
    folder = tmp_path_factory.mktemp("quantize")
    network = trained(CONFIGS["small"])
    for name in ("plain", "int8"):
        (folder / name).mkdir()
        written(network, folder / name)
    quantize_light(folder / "int8" / "light.onnx", sequences(), network.block)
    return folder


@pytest.fixture(scope="module")
def runtimes(folders):
    return [LightRuntime(folders / name / "light.onnx", 16, 5) for name in ("plain", "int8")]


@pytest.mark.parametrize("length", [1, 15, 100, 700, 5000])
def test_integers_say_about_what_single_precision_says(runtimes, length):
    sequence = random_sequence(np.random.default_rng(length), length)
    plain, quantized = (runtime.logits(sequence) for runtime in runtimes)
    assert plain.shape == quantized.shape and quantized.dtype == np.float32
    assert np.abs(plain - quantized).mean() < 0.1 * plain.std()
    if length > 500:
        assert np.corrcoef(plain.ravel(), quantized.ravel())[0, 1] > 0.99


def test_integers_are_the_same_each_time_and_near_each_other_alone(runtimes):
    rng = np.random.default_rng(0)
    one, other = (random_sequence(rng, 6000) for _ in range(2))
    logits = runtimes[1].logits(one)
    assert np.array_equal(logits, runtimes[1].logits(one))
    mixed = runtimes[1].logits(one[:3000] + other[3000:])
    assert np.array_equal(mixed[: (3000 - 256) // 16], logits[: (3000 - 256) // 16])


def test_the_graph_holds_its_weights_and_the_stored_ones_stay(folders, tmp_path):
    shutil.copy(folders / "int8" / "light.onnx", tmp_path)
    assert LightRuntime(tmp_path / "light.onnx", 16, 5).logits("ACDEF").shape == (1, 6)
    assert (folders / "int8" / "light.safetensors").read_bytes() == (
        folders / "plain" / "light.safetensors"
    ).read_bytes()
    assert sorted(path.name for path in (folders / "int8").iterdir()) == ["light.onnx", "light.safetensors"]


def test_weights_take_seven_bits(folders):
    """So that no processor's sums saturate, and all give the same numbers."""
    model = onnx.load(folders / "int8" / "light.onnx")
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    integers = [array for array in arrays.values() if array.dtype == np.int8 and array.ndim > 1]
    assert len(integers) >= 8
    assert all(np.abs(array.astype(int)).max() <= 64 for array in integers)


def test_equal_networks_and_samples_make_equal_graphs(folders, tmp_path):
    network = trained(CONFIGS["small"])
    written(network, tmp_path)
    quantize_light(tmp_path / "light.onnx", sequences(), network.block)
    assert (tmp_path / "light.onnx").read_bytes() == (folders / "int8" / "light.onnx").read_bytes()


def test_one_sample_is_enough(tmp_path):
    network = trained(CONFIGS["other"])
    written(network, tmp_path)
    quantize_light(tmp_path / "light.onnx", ["ACDEFGHIKL" * 5], network.block)
    assert np.isfinite(LightRuntime(tmp_path / "light.onnx", 8, 1).logits("ACDEFG" * 30)).all()


def test_samples_come_one_at_a_time_padded_to_blocks():
    samples = Samples(["ACDEF", "A" * 3000], 16)
    first, second = samples.get_next()["tokens"], samples.get_next()["tokens"]
    assert first.shape == (1, 16) and (first[0, 5:] == PAD).all() and first.dtype == np.int64
    assert second.shape == (1, LONGEST)
    assert samples.get_next() is None and samples.get_next() is None


def test_logging_goes_on_as_before(folders, tmp_path):
    assert logging.root.manager.disable == logging.NOTSET


def test_offsets_are_taken_off_the_logits(folders, tmp_path):
    network = trained(CONFIGS["small"])
    offsets = np.array([0, 3, -2, 0, 1, 5], np.float32)
    written(network, tmp_path, offsets)
    quantize_light(tmp_path / "light.onnx", sequences(), network.block)
    sequence = random_sequence(np.random.default_rng(8), 600)
    plain = LightRuntime(folders / "int8" / "light.onnx", 16, 5).logits(sequence)
    difference = (plain - LightRuntime(tmp_path / "light.onnx", 16, 5).logits(sequence)).mean(0)
    assert difference == pytest.approx(offsets, abs=0.4)


def test_a_graph_in_integers_gives_its_logits_as_integers(folders):
    """And the probability of no family, which needs all of them."""
    sequence = random_sequence(np.random.default_rng(9), 5000)
    for name, kind in (("plain", np.float32), ("int8", np.uint8)):
        blocks = LightRuntime(folders / name / "light.onnx", 16, 5).blocks(sequence)
        assert blocks.levels.dtype == kind and blocks.count == len(blocks.none) == 313
        assert blocks.none == pytest.approx(log_none(blocks.logits()), abs=1e-4)
