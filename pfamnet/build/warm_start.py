"""A light network that begins with the weights of another model."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ..errors import PfamnetError
from ..model.directory import WEIGHTS, open_model
from ..network.light import LightConfig, LightNetwork
from ..scan.opening import shipped_model

SHIPPED = "shipped"  # stands for the model that comes with the package


def model_to_begin_with(name: str) -> Path:
    """The model directory of a name: the shipped one for `SHIPPED`, unless there is one of that name."""
    return shipped_model() if name == SHIPPED and not Path(name).exists() else Path(name)


def expected(config: LightConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a network, for which no memory is taken."""
    with torch.device("meta"):
        state = LightNetwork(config).state_dict()
    return {name.replace("embed.weight", "embed"): tuple(tensor.shape) for name, tensor in state.items()}


class Stored:
    """The light network of a model directory: `config`, `tensors`, and the families' `places`.

    Raises:
        PfamnetError: if there is no such model.
    """

    def __init__(self, name: str):
        folder = model_to_begin_with(name)
        path = folder / WEIGHTS
        self.places = {family.key: place for place, family in enumerate(open_model(folder).families)}
        try:
            with safe_open(path, "pt") as file:
                self.config = LightConfig.from_json(json.loads(file.metadata()["config"]))
            self.tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
            fits = self.config.families == len(self.places) and self.shapes() == expected(self.config)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, ZeroDivisionError):
            fits = False
        if not fits:
            raise PfamnetError(f"{path}: no weights of a light network for this model's families")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors by their names in a network."""
        shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        return shapes | {"head.weight": shapes["head.weight"][::-1]}

    def network(self, keys: list[str]) -> LightNetwork:
        """A network for the families of some keys; those that are new begin at random."""
        network = LightNetwork(LightConfig(**vars(self.config) | {"families": len(keys)}))
        with torch.no_grad():
            network.embed.weight.copy_(self.tensors["embed"])
            self.fill_head(network.head, keys)
            for name, parameter in network.named_parameters():
                if name in self.tensors and not name.startswith("head."):
                    parameter.copy_(self.tensors[name])
        return network

    def fill_head(self, head: nn.Linear, keys: list[str]) -> None:
        """Copy the rows of the stored families; the bias of the others is the average one."""
        weight, bias = self.tensors["head.weight"].T, self.tensors["head.bias"]
        head.bias[1:] = bias[1:].mean()
        places = [self.places.get(key, -1) for key in keys]
        rows = [0, *(row for row, place in enumerate(places, 1) if place >= 0)]
        stored = [0, *(place + 1 for place in places if place >= 0)]
        head.weight[rows], head.bias[rows] = weight[stored], bias[stored]
