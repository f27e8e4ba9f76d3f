"""Only the graph of a light network reaches onnxruntime; any other is refused in one line, at once."""

import re

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pfamnet.errors import PfamnetError
from pfamnet.network import graph_check
from pfamnet.network.graph_check import read_light_graph
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import export_light, quantize_light
from pfamnet.network.runtime import LightRuntime

CONFIG = LightConfig(families=4, embedding=8, width=16, context=16)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(0)
    for name in ("plain", "int8"):
        export_light(LightNetwork(CONFIG).eval(), folder / name)
    quantize_light(folder / "int8", ["ACDEFGHIKLMNPQRSTVWY" * 20], CONFIG.block)
    return folder


@pytest.fixture
def graph(stored):
    return onnx.load(stored / "plain")


@pytest.mark.parametrize("name", ["plain", "int8"])
def test_what_a_build_writes_is_let_through_to_the_byte(stored, name):
    assert read_light_graph(stored / name, CONFIG.block, 4) == (stored / name).read_bytes()


def node_of(graph, operator):
    return next(node for node in graph.graph.node if node.op_type == operator)


def weight_of(graph, end):
    return next(tensor for tensor in graph.graph.initializer if tensor.name.endswith(end))


def set_attribute(node, name, value):
    kept = [one for one in node.attribute if one.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def loop(graph):
    body = helper.make_graph([], "body", [], [])
    graph.graph.node.insert(0, helper.make_node("Loop", ["n"], ["never"], body=body))


def other_operator(graph):
    node_of(graph, "Relu").op_type = "Sigmoid"


def other_domain(graph):
    node_of(graph, "Relu").domain = "elsewhere"


def external(graph):
    tensor = weight_of(graph, "head.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/dev/zero")


def claimed_size(graph):
    weight_of(graph, "head.bias").dims[0] = 1 << 40


def negative_size(graph):
    weight_of(graph, "head.bias").dims[0] = -5


def function(graph):
    node = helper.make_node("Relu", ["x"], ["y"])
    graph.functions.append(helper.make_function("d", "f", ["x"], ["y"], [node], graph.opset_import))


def wide_padding(graph):
    set_attribute(node_of(graph, "Conv"), "pads", [1 << 40, 1 << 40])


def no_stride(graph):
    set_attribute(node_of(graph, "MaxPool"), "strides", [0])


def text_for_a_number(graph):
    set_attribute(node_of(graph, "Conv"), "group", "one")


def doubled(graph):
    names = ["x0", "x0"]
    graph.graph.node.append(helper.make_node("Identity", ["tokens"], ["x0"]))
    for n in range(1, 60):
        graph.graph.node.append(helper.make_node("Concat", names, [f"x{n}"], axis=1))
        names = [f"x{n}"] * 2


def many(graph):
    for n in range(100_000):
        graph.graph.node.append(helper.make_node("Identity", ["tokens"], [f"x{n}"]))


def before_it_is_made(graph):
    node_of(graph, "Gather").input[1] = "logits"


def other_input(graph):
    graph.graph.input[0].name = "residues"


def two_inputs(graph):
    graph.graph.input.add().CopyFrom(graph.graph.input[0])


def other_output(graph):
    graph.graph.output[0].name = "scores"


def claimed_output(graph):
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40


def all_classes(graph):
    graph.graph.node[-1].op_type = "Identity"
    del graph.graph.node[-1].input[1:], graph.graph.node[-1].attribute[:]


def across_blocks(graph):
    set_attribute(node_of(graph, "LogSoftmax"), "axis", 0)


def claimed_between(graph):
    graph.graph.value_info.append(helper.make_tensor_value_info("/Relu_output_0", 1, [1, 16, 1 << 40]))


def other_version(graph):
    graph.opset_import[0].version = 9


def small_vocabulary(graph):
    tensor = weight_of(graph, "embed.weight")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:20], tensor.name))


ATTACKS = {
    loop: "operator 'Loop'|not as pfamnet-build",
    other_operator: "operator 'Sigmoid'",
    other_domain: "operator 'Relu'",
    external: "not as pfamnet-build writes it",
    claimed_size: "weights of another size than they claim",
    negative_size: "weights that are not in the file",
    function: "not as pfamnet-build writes it",
    wide_padding: "a kernel",
    no_stride: "a kernel",
    text_for_a_number: "not as pfamnet-build writes it",
    doubled: "too large to run",
    many: "too many operators",
    before_it_is_made: "not as pfamnet-build writes it",
    other_input: "its input is not 'tokens'",
    two_inputs: "not as pfamnet-build writes it",
    other_output: "its outputs are not 'levels' and 'none'",
    claimed_output: "an output has another shape",
    all_classes: "not one probability for each block",
    across_blocks: "a softmax",
    claimed_between: "shapes that do not fit each other",
    other_version: "not of operator set 17",
    small_vocabulary: "an embedding",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_another_graph_is_refused(attack, graph, tmp_path):
    attack(graph)
    path = tmp_path / "light.onnx"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(PfamnetError, match=ATTACKS[attack]) as refusal:
        read_light_graph(path, CONFIG.block, 4)
    assert re.match(r"\S+/light.onnx: cannot be opened as a network: .{3,90}$", str(refusal.value))


def test_a_graph_of_another_number_of_families_or_of_blocks_is_refused(stored):
    with pytest.raises(PfamnetError, match="logits of 4 families; the model has 5"):
        read_light_graph(stored / "plain", CONFIG.block, 5)
    with pytest.raises(PfamnetError, match="not one row of logits for each block"):
        read_light_graph(stored / "plain", 32, 4)


def test_a_large_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(graph_check, "MOST_BYTES", 1 << 20)
    with open(tmp_path / "light.onnx", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PfamnetError, match="more than 1 MiB"):
        read_light_graph(tmp_path / "light.onnx", 16, 4)


def test_every_cut_is_refused(stored, tmp_path):
    data = (stored / "plain").read_bytes()
    for size in [*range(300), *range(300, len(data), 997)]:
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(PfamnetError, match="cannot be opened as a network"):
            read_light_graph(tmp_path / "cut", CONFIG.block, 4)


@pytest.mark.parametrize("step", ["nan", "0", "1e30", "-1"])
def test_logits_without_a_scale_are_refused(step, graph, tmp_path):
    helper.set_model_props(graph, {"step": step, "zero": "0"})
    (tmp_path / "light.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(
        PfamnetError, match="light.onnx: cannot be opened as a network: its logits have no scale"
    ):
        LightRuntime(tmp_path / "light.onnx", CONFIG.block, 4)


@pytest.mark.parametrize("poison", [np.nan, 3e38])
def test_logits_that_are_no_numbers_end_the_scan(poison, graph, tmp_path):
    tensor = weight_of(graph, "head.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[2] = poison
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    bias = weight_of(graph, "head.bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(5, poison, np.float32), bias.name))
    (tmp_path / "light.onnx").write_bytes(graph.SerializeToString())
    runtime = LightRuntime(tmp_path / "light.onnx", CONFIG.block, 4)
    with pytest.raises(PfamnetError, match=r"light.onnx: its logits are no numbers$"):
        runtime.logits("ACDEFGHIKLMNPQRSTVWY" * 20)


def test_what_onnxruntime_refuses_is_one_line(graph, tmp_path, capfd):
    tensor = weight_of(graph, "head.bias")  # shapes fit; types do not
    tensor.CopyFrom(numpy_helper.from_array(np.zeros(5, np.int32), tensor.name))
    (tmp_path / "light.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(PfamnetError, match="light.onnx: cannot be opened as a network: ") as refusal:
        LightRuntime(tmp_path / "light.onnx", CONFIG.block, 4)
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr().err == ""
