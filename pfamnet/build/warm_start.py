"""A light network that begins with the weights of another model.

A model directory stores convolutions with their normalisation folded in. Here each
normalisation is set so that it only adds the stored bias: its mean and variance come from a
batch of examples, its weight and bias undo them. The network then gives what the stored one
gives, and can be trained further.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ..errors import PfamnetError
from ..families import Family
from ..model.directory import WEIGHTS, open_model
from ..network.light import LightConfig, LightNetwork


class Stored:
    """The light network of a model directory: `config`, `tensors`, and the families' `places`.

    Raises:
        PfamnetError: if there is no such model.
    """

    def __init__(self, folder: str | Path):
        path = Path(folder) / WEIGHTS
        self.places = {family.key: place for place, family in enumerate(open_model(folder).families)}
        try:
            with safe_open(path, "pt") as file:
                self.config = LightConfig.from_json(json.loads(file.metadata()["config"]))
            self.tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise PfamnetError(f"{path}: no weights of a light network") from None

    def network(self, families: list[Family], tokens: torch.Tensor) -> LightNetwork:
        """A network for `families`, settled by examples (B, L) int64; new families begin at random."""
        network = LightNetwork(LightConfig(**vars(self.config) | {"families": len(families)}))
        with torch.no_grad():
            network.embed.weight.copy_(self.tensors["embed"])
            self.fill_head(network.head, families)
            for name, (convolution, norm) in named_convolutions(network):
                convolution.weight.copy_(self.tensors[f"{name}.weight"])
                norm.bias.copy_(self.tensors[f"{name}.bias"])
            settle(network, tokens)
        return network

    def fill_head(self, head: nn.Linear, families: list[Family]) -> None:
        """Copy the rows of the stored families; the bias of the others is the average one."""
        weight, bias = self.tensors["head.weight"].T, self.tensors["head.bias"]
        head.bias[1:] = bias[1:].mean()
        places = [self.places.get(family.key, -1) for family in families]
        rows = [0, *(row for row, place in enumerate(places, 1) if place >= 0)]
        stored = [0, *(place + 1 for place in places if place >= 0)]
        head.weight[rows], head.bias[rows] = weight[stored], bias[stored]


def named_convolutions(network: LightNetwork) -> Iterator[tuple[str, nn.Sequential]]:
    """(name in the weight file, convolution and normalisation) of each convolution."""
    yield "stem", network.stem
    for index, residual in enumerate(network.body):
        yield f"body.{index}.first", residual.first
        yield f"body.{index}.second", residual.second
    yield "context", network.context


def settle(network: LightNetwork, tokens: torch.Tensor) -> None:
    """Make every normalisation add its bias and change nothing else, on examples like these."""

    def undo(norm, inputs):
        variance, norm.running_mean[:] = torch.var_mean(inputs[0], (0, 2), correction=0)
        norm.running_var.copy_(variance)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.add_(norm.running_mean)

    hooks = [norm.register_forward_pre_hook(undo) for _, (_, norm) in named_convolutions(network)]
    network.eval()(tokens)
    network.train()
    for hook in hooks:
        hook.remove()
