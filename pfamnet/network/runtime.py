"""Inference of a network on one protein at a time, of any length.

A protein is cut into overlapping windows of a fixed grid, and each window is run alone. A block's logits
come from the window in which it lies farthest from an edge. So a protein's logits do not depend on what else
is scanned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import PfamnetError
from .blocks import Blocks
from .graph_check import LENGTH, read_light_graph
from .tokens import PAD, encode

WINDOW = LENGTH  # residues
OVERLAP = 512  # residues shared by two windows; more than twice what the light network sees to one side
MOST_STEP = 1e6  # nats


def windows(length: int, size: int = WINDOW, overlap: int = OVERLAP) -> list[tuple[int, int, int, int]]:
    """Windows over a protein: (start, end, first kept, end of kept), in residues.

    The kept ranges tile the protein. `size` and `overlap` are multiples of twice the block.

    >>> windows(10, 8, 4)
    [(0, 8, 0, 6), (4, 10, 6, 10)]
    """
    starts = [0, *range(size - overlap, length - overlap, size - overlap)]
    borders = [start + overlap // 2 for start in starts[1:]]
    return [
        (start, min(start + size, length), first, end)
        for start, first, end in zip(starts, [0, *borders], [*borders, length])
    ]


def by_windows(run: Callable[[np.ndarray], Sequence], tokens: np.ndarray, block: int) -> list[np.ndarray]:
    """Arrays of ceil(L / block) rows for a protein's tokens (L,); `run` gives those of one window."""
    parts = [
        [array[(first - start) // block : -(-(last - start) // block)] for array in run(tokens[start:end])]
        for start, end, first, last in windows(len(tokens))
    ]
    return parts[0] if len(parts) == 1 else [np.concatenate(arrays) for arrays in zip(*parts)]


def import_onnxruntime():
    """Import onnxruntime without its telemetry, for which 1.32 keeps a database in the user's cache."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class Runtime:
    """What the networks' runtimes share: `blocks` and `block` are the network's own."""

    def blocks(self, sequence: str) -> Blocks:
        """What the network says of a protein's blocks."""
        raise NotImplementedError

    def logits(self, sequence: str) -> np.ndarray:
        """Block logits (ceil(L / block), F + 1) of a protein, float32."""
        return self.blocks(sequence).logits()


class LightRuntime(Runtime):
    """The light network of a model directory, run by onnxruntime on one CPU; threads may share it.

    Raises PfamnetError if the graph is not that of a light network of so many families.
    """

    def __init__(self, graph: Path, block: int, families: int):
        data = read_light_graph(graph, block, families)
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is reported here, in one line
        self.graph, self.block = graph, block
        try:
            self.session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
            about = self.session.get_modelmeta().custom_metadata_map
            self.step, self.zero = float(about["step"]), float(about["zero"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise self.refusal("cannot be opened as a network", error) from None

        if not (0 < self.step < MOST_STEP and abs(self.zero) < MOST_STEP):
            raise PfamnetError(f"{graph}: cannot be opened as a network: its logits have no scale")

    def blocks(self, sequence: str) -> Blocks:
        """What the network says of a protein's blocks, levels as the graph counts them."""
        levels, none = by_windows(self.run, encode(sequence), self.block)
        return Blocks(levels, none, self.step, self.zero)

    def run(self, tokens: np.ndarray) -> list[np.ndarray]:
        """Levels (blocks, F + 1) and `none` (blocks,) of one window's tokens (L,).

        Raises PfamnetError if they are no numbers.
        """
        padded = np.full((1, len(tokens) + -len(tokens) % self.block), PAD)
        padded[0, : len(tokens)] = tokens
        try:
            levels, none = self.session.run(["levels", "none"], {"tokens": padded})
        except Exception as error:
            raise self.refusal("cannot be run", error) from None
        if levels.dtype != np.uint8 and not (levels.dtype == np.float32 and np.isfinite(levels).all()):
            raise PfamnetError(f"{self.graph}: its logits are no numbers")
        if not np.isfinite(none).all():
            raise PfamnetError(f"{self.graph}: its logits are no numbers")
        return [levels, none]

    def refusal(self, what: str, error: Exception) -> PfamnetError:
        reason = " ".join(str(error).split())[:200]
        return PfamnetError(f"{self.graph}: {what}: {reason}")


class EsmRuntime(Runtime):
    """The fine-tuned ESM-2 of a model directory, run by torch; threads may share it.

    Opening it limits torch to one thread in this process: several proteins run at once instead.

    Raises PfamnetError if it cannot be read.
    """

    def __init__(self, encoder: Path, head: Path, device: str = "cpu"):
        try:
            import torch

            from .devices import pick_device
            from .esm_files import load_network

            self.torch, self.device = torch, pick_device(device)
            self.network = load_network(encoder, head).to(self.device)
        except ImportError:
            raise PfamnetError("the esm network needs torch: pip install 'pfamnet[build]'") from None
        torch.set_num_threads(1)
        self.block = self.network.block

    def blocks(self, sequence: str) -> Blocks:
        """What the network says of a protein's blocks."""
        return Blocks.of(*by_windows(self.run, encode(sequence).astype(np.int64), self.block))

    def run(self, tokens: np.ndarray) -> list[np.ndarray]:
        """Block logits of one window's tokens (L,)."""
        with self.torch.inference_mode():
            batch = self.torch.from_numpy(tokens)[None].to(self.device)
            lengths = self.torch.tensor([len(tokens)], device=self.device)
            return [self.network(batch, lengths)[0].float().cpu().numpy()]
