"""The light network in 8-bit integers: near to the one in single precision, and the same each time."""

import logging
import shutil

import numpy as np
import pytest
import synthetic
from test_light_onnx import CONFIGS, trained

from pfamnet.network.light_onnx import export_light
from pfamnet.network.quantize import LONGEST, Samples, quantize_light
from pfamnet.network.runtime import LightRuntime
from pfamnet.network.tokens import PAD


def sequences(count=40):
    rng = np.random.default_rng(3)
    return [synthetic.random_sequence(rng, int(rng.integers(20, 400))) for _ in range(count)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same network in single precision and in integers."""
    folder = tmp_path_factory.mktemp("quantize")
    network = trained(CONFIGS["small"])
    for name in ("plain", "int8"):
        (folder / name).mkdir()
        export_light(network, folder / name)
    quantize_light(network, folder / "int8", sequences())
    return folder


@pytest.fixture(scope="module")
def runtimes(folders):
    return [LightRuntime(folders / name / "light.onnx", 16) for name in ("plain", "int8")]


@pytest.mark.parametrize("length", [1, 15, 100, 700, 5000])
def test_integers_say_about_what_single_precision_says(runtimes, length):
    sequence = synthetic.random_sequence(np.random.default_rng(length), length)
    plain, quantized = (runtime.logits(sequence) for runtime in runtimes)
    assert plain.shape == quantized.shape and quantized.dtype == np.float32
    assert np.abs(plain - quantized).mean() < 0.1 * plain.std()
    if length > 500:
        assert np.corrcoef(plain.ravel(), quantized.ravel())[0, 1] > 0.99


def test_integers_are_the_same_each_time_and_near_each_other_alone(runtimes):
    rng = np.random.default_rng(0)
    one, other = (synthetic.random_sequence(rng, 6000) for _ in range(2))
    logits = runtimes[1].logits(one)
    assert np.array_equal(logits, runtimes[1].logits(one))
    mixed = runtimes[1].logits(one[:3000] + other[3000:])
    assert np.array_equal(mixed[: (3000 - 256) // 16], logits[: (3000 - 256) // 16])


def test_the_graph_holds_its_weights_and_the_stored_ones_stay(folders, tmp_path):
    shutil.copy(folders / "int8" / "light.onnx", tmp_path)
    assert LightRuntime(tmp_path / "light.onnx", 16).logits("ACDEF").shape == (1, 6)
    assert (folders / "int8" / "light.safetensors").read_bytes() == (
        folders / "plain" / "light.safetensors"
    ).read_bytes()
    assert sorted(path.name for path in (folders / "int8").iterdir()) == ["light.onnx", "light.safetensors"]


def test_weights_take_seven_bits(folders):
    """So that no processor's sums saturate, and all give the same numbers."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(folders / "int8" / "light.onnx")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    integers = [array for array in arrays.values() if array.dtype == np.int8 and array.ndim > 1]
    assert len(integers) >= 8
    assert all(np.abs(array.astype(int)).max() <= 64 for array in integers)


def test_equal_networks_and_samples_make_equal_graphs(folders, tmp_path):
    network = trained(CONFIGS["small"])
    export_light(network, tmp_path)
    quantize_light(network, tmp_path, sequences())
    assert (tmp_path / "light.onnx").read_bytes() == (folders / "int8" / "light.onnx").read_bytes()


def test_one_sample_is_enough(tmp_path):
    network = trained(CONFIGS["other"])
    export_light(network, tmp_path)
    quantize_light(network, tmp_path, ["ACDEFGHIKL" * 5])
    assert np.isfinite(LightRuntime(tmp_path / "light.onnx", 8).logits("ACDEFG" * 30)).all()


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
    export_light(network, tmp_path, offsets)
    quantize_light(network, tmp_path, sequences(), offsets)
    sequence = synthetic.random_sequence(np.random.default_rng(8), 600)
    plain = LightRuntime(folders / "int8" / "light.onnx", 16).logits(sequence)
    difference = (plain - LightRuntime(tmp_path / "light.onnx", 16).logits(sequence)).mean(0)
    assert difference == pytest.approx(offsets, abs=0.4)
