"""The light network's graph in 8-bit integers, three times as fast on a CPU.

onnxruntime's static quantization: weights per channel, activations by the
ranges that sample sequences show.  Weights take seven bits, so that sums
cannot saturate on processors without VNNI and the numbers are the same on all.
Thresholds and E-values are worked out afterwards, with the quantized graph.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..model.directory import GRAPH, WEIGHTS
from .light import LightNetwork
from .light_onnx import as_exported, build_graph
from .runtime import discreet_onnxruntime
from .tokens import PAD, encode

SAMPLES = 200  # sequences that show the ranges of the activations
LONGEST = 2048  # residues of them


def quantize_light(
    network: LightNetwork, folder: Path, sequences: Iterable[str], offsets: np.ndarray | None = None
) -> None:
    """Replace the light.onnx of a folder, where `export_light` has written, by one in int8.

    The new file holds its weights itself; light.safetensors stays as it is.
    `sequences` are ordinary ones, those to be scanned are like; `offsets` as there.
    """
    discreet_onnxruntime()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = build_graph(network, Path(folder) / WEIGHTS, as_exported(network), offsets)
    with tempfile.TemporaryDirectory() as scratch, quiet():
        plain = Path(scratch) / GRAPH
        plain.write_bytes(model.SerializeToString())
        quantize_static(
            plain,
            Path(folder) / GRAPH,
            Samples(sequences, network.block),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class Samples:
    """Inputs for the calibration, one at a time, as onnxruntime asks for them."""

    def __init__(self, sequences: Iterable[str], block: int):
        tokens = (encode(sequence[:LONGEST]).astype(np.int64) for sequence in sequences)
        self.inputs = (
            {"tokens": np.pad(row, (0, -len(row) % block), constant_values=PAD)[None]} for row in tokens
        )

    def get_next(self) -> dict | None:
        return next(self.inputs, None)


class quiet:
    """Without the advice that onnxruntime logs while it quantizes."""

    def __enter__(self):
        logging.disable(logging.WARNING)

    def __exit__(self, *_):
        logging.disable(logging.NOTSET)
