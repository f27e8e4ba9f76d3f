"""The light network: a small convolutional network for scanning on CPUs.

The stem embeds residues and downsamples them by its stride. Residual blocks of dilated convolutions
follow at that resolution. Their average and maximum are pooled to blocks of 16 residues, where one more
convolution and a linear head give a logit for each family and for "no family" (class 0). It costs about
1.3 MFLOP a residue.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import torch
from torch import nn
from torch.nn import functional as F

from .tokens import PAD, VOCABULARY

REACH = 1_024  # dilation, at most
RARE = -8.0  # a family's logit in a new network


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
    dilations: tuple[int, ...] = (2, 4, 8, 2, 4, 8)
    context: int = 384

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> LightConfig:
        """The configuration of some values, others left aside.

        Raises KeyError if one is missing, TypeError or ValueError if it is none of a network that can run.
        """
        known = {field.name: values[field.name] for field in fields(cls)}
        config = cls(**known | {"dilations": tuple(known["dilations"])})
        sizes = [*(value for name, value in vars(config).items() if name != "dilations"), *config.dilations]
        if not (all(isinstance(size, int) and size > 0 for size in sizes) and max(config.dilations) <= REACH):
            raise ValueError("sizes of no network")
        if config.block % config.stride or len(config.dilations) % 2:
            raise ValueError("blocks or layers of no network")
        return config


def convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1, stride: int = 1) -> nn.Conv1d:
    """A convolution that keeps the length, except for its stride."""
    conv = nn.Conv1d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return conv


class Residual(nn.Module):
    """Two dilated convolutions with a skip connection.

    The second begins at zero, so that a new network needs no normalisation (Zhang et al. 2019, "Fixup").
    """

    def __init__(self, width: int, kernel: int, dilations: tuple[int, int]):
        super().__init__()
        self.first = convolution(width, width, kernel, dilations[0])
        self.second = convolution(width, width, kernel, dilations[1])
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class LightNetwork(nn.Module):
    """Family logits for each block of residues."""

    def __init__(self, config: LightConfig):
        super().__init__()
        self.config, self.block, width = config, config.block, config.width
        self.embed = nn.Embedding(len(VOCABULARY), config.embedding, padding_idx=PAD)
        self.stem = convolution(config.embedding, width, config.stem_kernel, stride=config.stride)
        pairs = zip(config.dilations[::2], config.dilations[1::2])
        self.body = nn.ModuleList(Residual(width, config.kernel, pair) for pair in pairs)
        self.context = convolution(2 * width, config.context, 3)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(config.context, config.families + 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, RARE)
        nn.init.zeros_(self.head.bias[:1])

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (B, ceil(L / block), F + 1) of a batch of tokens (B, L) int64, padded to any length.

        `lengths` are not needed, as the network has learnt what padding means; for the common interface.
        """
        tokens = F.pad(tokens, (0, -tokens.shape[1] % self.block), value=PAD)
        return self.head(self.dropout(self.features(tokens)))

    def features(self, tokens: torch.Tensor) -> torch.Tensor:
        """The head's input (B, L / block, context), for tokens (B, L) of complete blocks."""
        x = F.relu(self.stem(self.embed(tokens).transpose(1, 2)))
        for residual in self.body:
            x = residual(x)
        step = self.block // self.config.stride
        x = torch.cat([F.avg_pool1d(x, step), F.max_pool1d(x, step)], 1)
        return F.relu(self.context(x)).transpose(1, 2)
