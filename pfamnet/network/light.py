"""The light network: a small convolutional network for scanning on CPUs.

Residues are embedded and downsampled by two at once (the stem's stride); residual
blocks of dilated convolutions follow at that resolution; average and maximum
are pooled to blocks of 16 residues, where one more convolution and a linear
head give a logit for each family and for "no family" (class 0).  About 1.3
MFLOP a residue; benchmarks/README.md has what other shapes came to.  Batch
normalisation stands behind every convolution, so that
it folds into the convolution for inference (`pfamnet.network.light_onnx`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .tokens import PAD

# of networks that were written when there was no choice of these
BEFORE_NAMED = {"stride": 4, "activation": "relu"}
ACTIVATIONS = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu}


@dataclass(frozen=True)
class LightConfig:
    """Shape of a light network; `families` does not count class 0."""

    families: int
    block: int = 16
    embedding: int = 64
    width: int = 192
    kernel: int = 5
    stem_kernel: int = 9
    stride: int = 2  # of the stem; divides the block
    activation: str = "relu"
    dilations: tuple[int, ...] = (2, 4, 8, 2, 4, 8)
    context: int = 384
    vocabulary: int = 33

    def to_json(self) -> dict:
        return asdict(self) | {"dilations": list(self.dilations)}

    @classmethod
    def from_json(cls, fields: dict) -> LightConfig:
        return cls(**BEFORE_NAMED | fields | {"dilations": tuple(fields["dilations"])})


def dilations_for(stride: int) -> tuple[int, ...]:
    """Dilations by which convolutions reach as many residues whatever the stem's stride, where they can.

    >>> dilations_for(4)
    (1, 2, 4, 1, 2, 4)
    """
    return tuple(max(1, dilation * LightConfig.stride // stride) for dilation in LightConfig.dilations)


def convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1, stride: int = 1):
    """A convolution that keeps the length (but for its stride), normalised."""
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False),
        nn.BatchNorm1d(outputs),
    )


class Residual(nn.Module):
    """Two dilated convolutions with a way round them."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, int], activate):
        super().__init__()
        self.activate = activate
        self.first = convolution(width, width, kernel, dilations[0])
        self.second = convolution(width, width, kernel, dilations[1])

    def forward(self, x):
        return self.activate(x + self.second(self.activate(self.first(x))))


class LightNetwork(nn.Module):
    """tokens (B, L) int64 -> block logits (B, ceil(L / block), families + 1).

    Tokens are ESM-2 ids of residues, padded with `PAD` to any length; the
    network pads on to a whole number of blocks itself.  `lengths` is taken
    for the sake of the common interface and not needed: to this network
    padding is a letter like others, and it has learnt what it means.
    """

    def __init__(self, config: LightConfig):
        super().__init__()
        self.config = config
        self.block = config.block
        self.activate = ACTIVATIONS[config.activation]
        width = config.width
        self.embed = nn.Embedding(config.vocabulary, config.embedding, padding_idx=PAD)
        self.stem = convolution(config.embedding, width, config.stem_kernel, stride=config.stride)
        pairs = zip(config.dilations[::2], config.dilations[1::2])
        self.body = nn.ModuleList(Residual(width, config.kernel, pair, self.activate) for pair in pairs)
        self.context = convolution(2 * width, config.context, 3)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(config.context, config.families + 1)

    def forward(self, tokens, lengths=None):
        tokens = F.pad(tokens, (0, -tokens.shape[1] % self.block), value=PAD)
        x = self.activate(self.stem(self.embed(tokens).transpose(1, 2)))
        for residual in self.body:
            x = residual(x)
        step = self.block // self.config.stride
        x = torch.cat([F.avg_pool1d(x, step), F.max_pool1d(x, step)], 1)
        x = self.activate(self.context(x)).transpose(1, 2)
        return self.head(self.dropout(x))
