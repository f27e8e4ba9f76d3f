"""Models of any number of families, made from one: for time alone.

Fewer families: those with the most training rows.  More: copies of real
profiles with their match columns shuffled, each with a name of its own, and
as many outputs more of the network, whose weights are those of real families
shuffled.  Such families cost what real ones do; they find nothing.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from pfamnet.families import write_families
from pfamnet.model.directory import GRAPH, ModelWriter, open_model
from pfamnet.profiles.files import write_profiles


def make_model(source, families: int, path) -> Path:
    """Write a model of so many families to `path`; `source` is a model directory."""
    model, rng = open_model(source), np.random.default_rng(families)
    there = len(model.families)
    order = sorted(range(there), key=lambda i: (-model.families[i].rows, i))
    chosen = [order[i % there] for i in range(families)]
    with ModelWriter(path) as writer:
        offsets = write_profiles(str(writer.folder / "profiles.h3m"), profiles(model, chosen, rng))
        write_families(
            writer.folder / "families.tsv",
            [
                replace(named(model.families[i], place, there), offset=offset)
                for place, (i, offset) in enumerate(zip(chosen, offsets))
            ],
        )
        graph = resized(onnx.load(Path(source) / GRAPH), chosen, there, rng)
        (writer.folder / GRAPH).write_bytes(graph.SerializeToString())
        light = model.description["networks"]["light"]
        writer.finish(
            {
                "pfamnet": model.description["pfamnet"],
                "profiles": "profiles.h3m",
                "networks": {"light": light},
                "families": families,
                "provenance": {"padded": f"from {model.name}, for time alone"},
            }
        )
    return Path(path)


def profiles(model, chosen, rng):
    """The profiles of the chosen families; from the second time on, shuffled copies."""
    for place, i in enumerate(chosen):
        hmm = model.store.hmm(i)
        if place >= len(model.families):
            columns = np.asarray(hmm.match_emissions)
            columns[1:] = columns[1 + rng.permutation(len(columns) - 1)]
            hmm.name, hmm.accession = f"Padding_{place}", f"PX{place:05}.1"
            hmm.set_consensus()
        yield hmm


def named(family, place, there):
    return (
        family
        if place < there
        else replace(family, name=f"Padding_{place}", accession=f"PX{place:05}.1", description="", clan="")
    )


def resized(graph, chosen, there, rng):
    """The network's graph with the outputs of the chosen families, whatever they are quantized to."""
    columns = np.array([0, *(i + 1 for i in chosen)])
    padding = np.arange(len(columns)) > there
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.shape and values.shape[-1] == there + 1:
            values = values[..., columns]
            if values.ndim == 2:
                values[:, padding] = rng.permuted(values[:, padding], axis=0)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(columns)
    del graph.graph.value_info[:]
    return graph
