"""The light network as it is scanned with: an ONNX graph over a safetensors file.

`export_light` folds the batch normalisations into the convolutions and writes
`light.safetensors` (float16, what a model directory stores) and `light.onnx`,
a few kilobytes of graph whose tensors are external data inside the safetensors
file, so that the weights exist once and can be read by anything.  The graph
widens them to float32 when it is opened; all arithmetic is float32, unless
`pfamnet.network.quantize` replaces the graph by one in integers.

Some families' log-odds are higher than others' wherever one looks.  The graph takes
half of what is common for a family off its bias (`family_offsets`): so fewer
candidates are enough.  The stored weights stay as they were trained.

Input `tokens` (1, L) int64, L a multiple of the block; output `logits`
(L / block, families + 1).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ..model.directory import GRAPH, WEIGHTS
from .light import LightNetwork
from .tokens import encode

LOOKED_AT = 50_000_000  # logits
LONGEST = 2048  # residues of a sequence that are looked at
RARE = 0.01  # share of the blocks in which a family exceeds what is common for it
OPSET, IR_VERSION = 17, 8


def fold(convolution) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a convolution with its batch normalisation inside it."""
    conv, norm = convolution
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None], norm.bias - norm.running_mean * scale


def folded_tensors(network: LightNetwork) -> dict[str, torch.Tensor]:
    """Inference weights by name, float16."""
    convolutions = {"stem": network.stem, "context": network.context}
    for index, residual in enumerate(network.body):
        convolutions[f"body.{index}.first"] = residual.first
        convolutions[f"body.{index}.second"] = residual.second
    tensors = {
        "embed": network.embed.weight,
        "head.weight": network.head.weight.T,
        "head.bias": network.head.bias,
    }
    for name, convolution in convolutions.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = fold(convolution)
    return {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}


def family_offsets(network: LightNetwork, sequences: Iterable[str]) -> np.ndarray:
    """What to take off the logit of each class (F + 1,), 0 for class 0.

    Half of the log-odds that a family exceeds in one block of a hundred, in
    ordinary sequences.  As many of them are looked at as fit into `LOOKED_AT` logits.
    """
    rows, room = [], LOOKED_AT
    for sequence in sequences:
        tokens = torch.from_numpy(encode(sequence[:LONGEST]).astype(np.int64))
        with torch.inference_mode():
            logits = network(tokens[None])[0].float().numpy()
        rows.append(logits[:, 1:] - logits[:, :1])
        room -= rows[-1].size
        if room < 0:
            break
    if not rows:
        return np.zeros(network.config.families + 1, np.float32)
    common = np.quantile(np.concatenate(rows), 1 - RARE, axis=0)
    return np.concatenate([[0], common / 2]).astype(np.float32)


def export_light(network: LightNetwork, folder: Path, offsets: np.ndarray | None = None) -> None:
    """Write light.safetensors and light.onnx into a folder; `offsets` by `family_offsets`."""
    folder = Path(folder)
    tensors = folded_tensors(network)
    save_file(tensors, folder / WEIGHTS, {"config": json.dumps(network.config.to_json())})
    graph = build_graph(network, folder / WEIGHTS, offsets=offsets)
    (folder / GRAPH).write_bytes(graph.SerializeToString())


def tensor_places(path: Path) -> dict[str, tuple[int, int, list[int]]]:
    """Where each tensor lies in a safetensors file: (byte offset, bytes, shape)."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return {
        name: (
            8 + size + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
            entry["shape"],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


class Graph:
    """Collects the nodes of the graph; each method returns the name of its result."""

    def __init__(self, weights: Path, inline: dict[str, np.ndarray] | None):
        from onnx import helper

        self.inline = inline
        self.helper, self.nodes, self.initializers = helper, [], []
        self.places, self.location = tensor_places(weights), weights.name

    def node(self, kind: str, *inputs: str, **attributes) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, name: str) -> str:
        """A float16 tensor of the weight file, widened to float32; or a float32 one, inline."""
        from onnx import StringStringEntryProto, TensorProto, numpy_helper

        if self.inline is not None:
            self.initializers.append(numpy_helper.from_array(self.inline[name], name))
            return name
        offset, length, shape = self.places[name]
        tensor = TensorProto(
            name=name, data_type=TensorProto.FLOAT16, dims=shape, data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", self.location), ("offset", offset), ("length", length)):
            tensor.external_data.append(StringStringEntryProto(key=key, value=str(value)))
        self.initializers.append(tensor)
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def convolution(self, x: str, name: str, kernel: int, dilation: int = 1, stride: int = 1) -> str:
        pad = dilation * (kernel // 2)
        return self.node(
            "Conv",
            x,
            self.weight(f"{name}.weight"),
            self.weight(f"{name}.bias"),
            kernel_shape=[kernel],
            dilations=[dilation],
            strides=[stride],
            pads=[pad, pad],
        )

    def activate(self, x: str, activation: str) -> str:
        if activation == "relu":
            return self.node("Relu", x)
        if activation == "silu":
            return self.node("Mul", x, self.node("Sigmoid", x))
        half = self.node("Mul", x, self.number(0.5))
        error = self.node("Erf", self.node("Mul", x, self.number(0.5**0.5)))
        return self.node("Mul", half, self.node("Add", error, self.number(1.0)))

    def number(self, value: float) -> str:
        """A constant that the graph holds itself."""
        name = f"number_{value:.6f}"
        if all(tensor.name != name for tensor in self.initializers):
            self.initializers.append(self.helper.make_tensor(name, 1, [], [value]))  # 1: float32
        return name


def build_graph(
    network: LightNetwork,
    weights: Path,
    inline: dict[str, np.ndarray] | None = None,
    offsets: np.ndarray | None = None,
):
    """The ONNX model of a light network whose folded weights lie in a file, or are given."""
    from onnx import TensorProto, helper, numpy_helper

    if inline is not None and offsets is not None:
        inline = inline | {"head.bias": inline["head.bias"] - offsets}
    config, graph = network.config, Graph(weights, inline)
    active = partial(graph.activate, activation=config.activation)
    x = graph.node("Gather", graph.weight("embed"), "tokens")
    x = graph.node("Transpose", x, perm=[0, 2, 1])
    x = active(graph.convolution(x, "stem", config.stem_kernel, stride=config.stride))
    for index in range(len(network.body)):
        one, two = config.dilations[2 * index : 2 * index + 2]
        h = active(graph.convolution(x, f"body.{index}.first", config.kernel, one))
        h = graph.convolution(h, f"body.{index}.second", config.kernel, two)
        x = active(graph.node("Add", x, h))
    step = config.block // config.stride
    pools = [graph.node(kind, x, kernel_shape=[step], strides=[step]) for kind in ("AveragePool", "MaxPool")]
    x = active(graph.convolution(graph.node("Concat", *pools, axis=1), "context", 3))
    x = graph.node("Transpose", x, perm=[0, 2, 1])
    graph.initializers.append(helper.make_tensor("flat", TensorProto.INT64, [2], [-1, config.context]))
    x = graph.node("Reshape", x, "flat")
    bias = graph.weight("head.bias")
    if inline is None and offsets is not None:
        graph.initializers.append(numpy_helper.from_array(offsets, "offsets"))
        bias = graph.node("Sub", bias, "offsets")
    graph.nodes.append(helper.make_node("Gemm", [x, graph.weight("head.weight"), bias], ["logits"]))
    made = helper.make_graph(
        graph.nodes,
        "light",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "residues"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["blocks", config.families + 1])],
        graph.initializers,
    )
    return helper.make_model(made, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])


def as_exported(network: LightNetwork) -> dict[str, np.ndarray]:
    """The folded weights as the graph uses them (float32 after float16)."""
    return {name: tensor.float().numpy() for name, tensor in folded_tensors(network).items()}
