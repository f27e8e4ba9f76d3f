"""Inference of a network over one protein at a time, of any length.

A protein is cut into overlapping windows of a fixed grid, each window is run
alone, and each block's logits are taken from the window in which it lies
farthest from an edge.  Nothing depends on what else is scanned: no batch, no
padding but the last window's own, one thread a run (several runs go on in
several threads).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import PfamnetError
from .tokens import PAD, encode

WINDOW = 4096  # residues
OVERLAP = 512  # residues two windows share; more than the network sees to one side


def windows(length: int, size: int = WINDOW, overlap: int = OVERLAP) -> list[tuple[int, int, int, int]]:
    """Windows over a protein: (start, end, first kept, end of kept), in residues.

    The kept ranges tile the protein; inside an overlap the border lies in its
    middle.  `size` and `overlap` are multiples of twice the block.

    >>> windows(10, 8, 4)
    [(0, 8, 0, 6), (4, 10, 6, 10)]
    """
    starts = [0]
    while starts[-1] + size < length:
        starts.append(starts[-1] + size - overlap)
    borders = [start + overlap // 2 for start in starts[1:]]
    return [
        (start, min(start + size, length), first, end)
        for start, first, end in zip(starts, [0, *borders], [*borders, length])
    ]


def by_windows(run, tokens: np.ndarray, block: int) -> np.ndarray:
    """Block logits of a whole protein: (L,) tokens -> (ceil(L / block), F + 1).

    `run` takes the tokens of one window and gives its block logits.
    """
    parts = []
    for start, end, first, last in windows(len(tokens)):
        logits = run(tokens[start:end])
        parts.append(logits[(first - start) // block : -(-(last - start) // block)])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def import_onnxruntime():
    """onnxruntime, told to keep no record of its use: else 1.32 leaves a device number and a database of events,
    which it has the means to send, in the user's cache. It must be told before it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class LightRuntime:
    """The light network of a model directory, through onnxruntime on the CPU."""

    def __init__(self, graph: Path, block: int):
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.block = block
        try:
            self.session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common base for its own
            reason = str(error).splitlines()[0]
            raise PfamnetError(f"{graph}: cannot be opened as a network: {reason}") from None

    def logits(self, sequence: str) -> np.ndarray:
        """Block logits (ceil(L / block), F + 1) of a protein, float32."""
        return by_windows(self.run, encode(sequence).astype(np.int64), self.block)

    def run(self, tokens: np.ndarray) -> np.ndarray:
        padded = np.full((1, len(tokens) + -len(tokens) % self.block), PAD)
        padded[0, : len(tokens)] = tokens
        return self.session.run(["logits"], {"tokens": padded})[0]


class EsmRuntime:
    """The fine-tuned ESM-2 of a model directory, through torch."""

    def __init__(self, encoder: Path, head: Path, device: str = "cpu"):
        try:
            import torch

            from .devices import pick_device
            from .esm_files import load_network
        except ImportError:
            raise PfamnetError("the esm network needs torch: pip install 'pfamnet[build]'") from None
        torch.set_num_threads(1)  # several proteins are under way at once instead
        self.torch, self.device = torch, pick_device(device)
        self.network = load_network(encoder, head).to(self.device).eval()
        self.block = self.network.block

    def logits(self, sequence: str) -> np.ndarray:
        """Block logits (ceil(L / block), F + 1) of a protein, float32."""
        return by_windows(self.run, encode(sequence).astype(np.int64), self.block)

    def run(self, tokens: np.ndarray) -> np.ndarray:
        with self.torch.inference_mode():
            return self.network(*self.batch(tokens))[0].float().cpu().numpy()

    def batch(self, tokens: np.ndarray):
        """A window as the network takes it."""
        torch = self.torch
        return torch.from_numpy(tokens)[None].to(self.device), torch.tensor([len(tokens)], device=self.device)
