"""The light network as it scans: an ONNX graph, three times as fast in 8-bit integers as in float32.

Some families' log-odds are high wherever one looks. The graph subtracts half of a family's common
log-odds from its bias (`family_offsets`), so that fewer candidates are enough.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from .graph_check import OPSET
from .light import LightNetwork
from .runtime import import_onnxruntime
from .tokens import PAD, encode

SAMPLES = 200  # sequences that show the ranges of the activations
LONGEST = 2048  # residues used of a sequence
MOST_LOGITS = 50_000_000  # from which families' common log-odds are taken
RARE = 0.01  # fraction of the blocks in which a family exceeds its common log-odds


def rounded(network: LightNetwork) -> LightNetwork:
    """A copy for inference with the weights that `save_light` writes."""
    return copy.deepcopy(network).eval().half().float().requires_grad_(False)


def save_light(network: LightNetwork, path: Path) -> None:
    """Write the weights, float16, and the configuration: what a later build can begin with."""
    tensors = {name: tensor.half() for name, tensor in rounded(network).state_dict().items()}
    tensors["embed"] = tensors.pop("embed.weight")
    tensors["head.weight"] = tensors["head.weight"].T.contiguous()
    save_file(tensors, path, {"config": json.dumps(network.config.to_json())})


def family_offsets(network: LightNetwork, sequences: Iterable[str]) -> np.ndarray:
    """What to subtract from the logit of each class (F + 1,), 0 for class 0.

    Half of the log-odds that a family exceeds in 1 % of the blocks of ordinary sequences.
    """
    network, rows, room = rounded(network), [], MOST_LOGITS
    for tokens in map(as_input, sequences):
        with torch.inference_mode():
            logits = network(torch.from_numpy(tokens))[0].float().numpy()
        rows.append(logits[:, 1:] - logits[:, :1])
        room -= rows[-1].size
        if room < 0:
            break
    if not rows:
        return np.zeros(network.config.families + 1, np.float32)
    common = np.quantile(np.concatenate(rows), 1 - RARE, axis=0)
    return np.concatenate([[0], common / 2]).astype(np.float32)


def as_input(sequence: str) -> np.ndarray:
    """Tokens (1, L) int64 of a sequence's first residues."""
    return encode(sequence[:LONGEST]).astype(np.int64)[None]


class OneProtein(nn.Module):
    """The network on complete blocks of one protein, as `export_light` writes it."""

    def __init__(self, network: LightNetwork, offsets: np.ndarray | None):
        super().__init__()
        self.network = rounded(network)
        if offsets is not None:
            self.network.head.bias -= torch.from_numpy(offsets)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.network.head(self.network.features(tokens).squeeze(0))


def export_light(network: LightNetwork, path: Path, offsets: np.ndarray | None = None) -> None:
    """Write the graph in float32; `offsets` are those of `family_offsets`.

    From `tokens` (1, L) int64, L a multiple of the block, it computes `levels` (L / block, F + 1) and
    `none` (L / block,), see `complete`.
    """
    example = torch.full((1, 4 * network.block), PAD)
    # the exporter that needs no further package warns of itself, and of shapes that are fixed here
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            OneProtein(network, offsets).eval(),
            (example,),
            path,
            input_names=["tokens"],
            output_names=["logits"],
            dynamic_axes={"tokens": {1: "residues"}, "logits": {0: "blocks"}},
            opset_version=OPSET,
            dynamo=False,
        )
    complete(path)


def complete(path: Path) -> None:
    """Replace a graph's output `logits` by those of `Blocks`, with `step` and `zero` as metadata.

    If the graph quantizes its logits, levels are the integers: four times fewer bytes to look through.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph, levels, step, zero = model.graph, "logits", 1.0, 0.0
    [last] = [node for node in graph.node if "logits" in node.output]
    if last.op_type == "DequantizeLinear":
        values = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in graph.initializer}
        levels, step, zero = last.input[0], *(values[name] for name in last.input[1:])
    graph.initializer.append(numpy_helper.from_array(np.array(0), "no family"))
    graph.node.append(helper.make_node("Identity", [levels], ["levels"]))
    graph.node.append(helper.make_node("LogSoftmax", ["logits"], ["log p"], axis=1))
    graph.node.append(helper.make_node("Gather", ["log p", "no family"], ["none"], axis=1))
    kind = TensorProto.FLOAT if levels == "logits" else TensorProto.UINT8
    shape = [dim.dim_param or dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
    graph.value_info.append(graph.output.pop())
    graph.output.append(helper.make_tensor_value_info("levels", kind, shape))
    graph.output.append(helper.make_tensor_value_info("none", TensorProto.FLOAT, shape[:1]))
    helper.set_model_props(model, {"step": repr(step), "zero": repr(zero)})
    onnx.save(model, path)


def quantize_light(path: Path, sequences: Iterable[str], block: int) -> None:
    """Replace a graph by one in 8-bit integers.

    Activations are quantized by their ranges on `sequences`, which should resemble those to be scanned.
    Weights take seven bits, so that sums cannot saturate and all processors give equal results.
    """
    import_onnxruntime()
    import onnx
    from onnx.utils import Extractor
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # onnxruntime's advice
    try:
        quantize_static(
            Extractor(onnx.load(path)).extract_model(["tokens"], ["logits"]),
            path,
            Samples(sequences, block),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.disable(before)
    complete(path)


class Samples:
    """Inputs for the calibration, one at a time, as onnxruntime asks for them."""

    def __init__(self, sequences: Iterable[str], block: int):
        tokens = map(as_input, sequences)
        pad = lambda row: np.pad(row, ((0, 0), (0, -row.shape[1] % block)), constant_values=PAD)
        self.inputs = ({"tokens": pad(row)} for row in tokens)

    def get_next(self) -> dict | None:
        return next(self.inputs, None)
