"""A light network that begins with another model's weights.

What a model directory stores are convolutions with their normalisation folded
in.  Here each normalisation is set anew so that it changes nothing but for the
stored bias: its mean and variance are taken from a batch of examples, its
weight and bias undo them.  The network then gives what the stored one gives,
and can be trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..errors import PfamnetError
from ..families import Family
from ..model.directory import WEIGHTS, open_model
from ..network.light import LightConfig, LightNetwork
from .light_reshape import finer, narrower


class Stored:
    """The light network of a model directory: `config`, `tensors`, and the families' places.

    Raises PfamnetError, one line, where there is no such model.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / WEIGHTS
        self.places = {family.key: place for place, family in enumerate(open_model(folder).families)}
        try:
            with safe_open(self.path, "pt") as file:
                self.config = LightConfig.from_json(json.loads(file.metadata()["config"]))
                self.tensors = {name: file.get_tensor(name).float() for name in file.keys()}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise PfamnetError(f"{self.path}: no weights of a light network") from None

    def network(
        self,
        families: list[Family],
        tokens: torch.Tensor,
        width: int | None = None,
        stride: int | None = None,
    ) -> LightNetwork:
        """A network for `families`, those in common with the stored one as they are there.

        `tokens` (B, L) int64 are of ordinary examples.  Other families begin
        with random weights.  `width` and `stride` of the stem, where given,
        are made of those that are stored (`pfamnet.training.light_reshape`).
        """
        network = LightNetwork(LightConfig(**vars(self.config) | {"families": len(families)}))
        with torch.no_grad():
            network.embed.weight.copy_(self.tensors["embed"])
            self.fill_head(network.head, families)
            for name, (convolution, norm) in named_convolutions(network):
                convolution.weight.copy_(self.tensors[f"{name}.weight"])
                norm.bias.copy_(self.tensors[f"{name}.bias"])
            settle(network, tokens)
        if stride is not None and stride != self.config.stride:
            network = finer(network, stride)
        if width is not None and width != self.config.width:
            network = narrower(network, width, tokens)
        return network

    def fill_head(self, head: nn.Linear, families: list[Family]) -> None:
        """The stored families' rows; the bias of the others is the average one."""
        weight, bias = self.tensors["head.weight"].T, self.tensors["head.bias"]
        head.bias[1:] = bias[1:].mean()
        pairs = [(0, 0)] + [
            (row + 1, self.places[family.key] + 1)
            for row, family in enumerate(families)
            if family.key in self.places
        ]
        rows, places = (list(column) for column in zip(*pairs))
        head.weight[rows], head.bias[rows] = weight[places], bias[places]


def named_convolutions(network: LightNetwork):
    """(name in the weight file, (convolution, normalisation)) of each convolution."""
    yield "stem", network.stem
    for index, residual in enumerate(network.body):
        yield f"body.{index}.first", residual.first
        yield f"body.{index}.second", residual.second
    yield "context", network.context


def settle(network: LightNetwork, tokens: torch.Tensor) -> None:
    """Make every normalisation add its bias and change nothing else, on examples like these."""

    def undo(norm, inputs):
        variance, mean = torch.var_mean(inputs[0], (0, 2), correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.add_(mean)

    hooks = [norm.register_forward_pre_hook(undo) for _, (_, norm) in named_convolutions(network)]
    was_training = network.training
    network.eval()(tokens)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
