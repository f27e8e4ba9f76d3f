"""Variants of a model directory, for timing: any number of families, any number of candidates.

Fewer families are those with the most training rows.  More are copies of real profiles with their match
columns shuffled, each under its own name, and as many more outputs of the network, whose weights are those
of real families, shuffled.  Such families cost what real ones do; they find nothing.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from common import Model, read_model
from onnx import numpy_helper
from pyhmmer.plan7 import HMM
from safetensors.numpy import save_file

from pfamnet.families import read_families, write_families
from pfamnet.model.directory import WORDS, ModelWriter
from pfamnet.profiles.words import columns_of

GRAPH, PROFILES, FAMILIES = "light.onnx", "profiles.h3m", "families.tsv"


def with_candidates(model: Model, candidates: int, path: Path) -> Model:
    """The same model with so many candidates per 1,024 residues at most, and no threshold."""
    light = model.description["networks"]["light"]
    sensitivities = {
        name: mode | {"candidates": candidates, "most": candidates, "passing": candidates, "threshold": -1e30}
        for name, mode in light["sensitivities"].items()
    }
    with ModelWriter(path) as writer:
        for name in model.description["files"]:
            (writer.folder / name).parent.mkdir(exist_ok=True)
            os.symlink((model.path / name).resolve(), writer.folder / name)
        description = {name: value for name, value in model.description.items() if name != "digest"}
        writer.finish(description | {"networks": {"light": light | {"sensitivities": sensitivities}}})
    return read_model(path)


def with_families(model: Model, families: int, path: Path) -> Model:
    """A model of so many families, made of this one."""
    rng, there = np.random.default_rng(families), len(model.families)
    order = sorted(range(there), key=lambda i: (-int(model.families[i]["rows"]), i))
    chosen = [order[place % there] for place in range(families)]
    known, hmms, rows = read_families(model.path / FAMILIES), list(model.profiles()), []
    every = []
    with ModelWriter(path) as writer:
        with open(writer.folder / PROFILES, "wb") as file:
            for place, i in enumerate(chosen):
                family = replace(known[i], offset=file.tell())
                if place >= there:
                    name, accession = f"Padding_{place}", f"PX{place:05}.1"
                    hmms[i] = shuffled(hmms[i], name, accession, rng)
                    family = replace(family, name=name, accession=accession, description="", clan="")
                rows.append(family)
                every.append(hmms[i])
                hmms[i].write(file, binary=True)
        write_families(writer.folder / FAMILIES, rows)
        save_file(columns_of(every), writer.folder / WORDS)
        graph = resized(onnx.load(model.path / GRAPH), chosen, there, rng)
        (writer.folder / GRAPH).write_bytes(graph.SerializeToString())
        writer.finish(
            {
                "pfamnet": model.description["pfamnet"],
                "profiles": PROFILES,
                "words": model.description["words"],
                "networks": {"light": model.description["networks"]["light"]},
                "families": families,
                "provenance": {"padded": f"from {model.path.name}, for timing alone"},
            }
        )
    return read_model(path)


def shuffled(hmm: HMM, name: str, accession: str, rng: np.random.Generator) -> HMM:
    """A copy of a profile with its match columns in another order."""
    copy = hmm.copy()
    columns = np.asarray(copy.match_emissions)
    columns[1:] = columns[1 + rng.permutation(len(columns) - 1)]
    copy.name, copy.accession = name, accession
    copy.set_consensus()
    return copy


def resized(
    graph: onnx.ModelProto, chosen: list[int], there: int, rng: np.random.Generator
) -> onnx.ModelProto:
    """The network's graph with the outputs of the chosen families, whatever they are quantized to."""
    columns = np.array([0, *(i + 1 for i in chosen)])
    padding = np.arange(len(columns)) > there
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if there + 1 not in values.shape:
            continue
        values = values.take(columns, axis := values.shape.index(there + 1))
        if values.ndim == 2:
            rows = np.moveaxis(values, axis, 0)  # a view
            rows[padding] = rng.permuted(rows[padding], axis=1)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(columns)
    del graph.graph.value_info[:]
    return graph
