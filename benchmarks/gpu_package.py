"""What gpu.py carries to another machine: corpora and profiles, as arrays in one compressed file."""

import json
import lzma

import numpy as np
import torch
from safetensors.numpy import load, save

from pfamnet.training.corpus import Corpus
from pfamnet.training.emission import Emission

PARTS = ("tokens", "offsets", "whole", "domains")  # of a Corpus
STEPS = 1 / 16  # of a logarithm, in which match emissions are packed


def packed(path: str, arrays: dict, about: dict) -> None:
    """Write arrays and facts to a compressed file."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    options = {"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}
    with lzma.open(path, "wb", format=lzma.FORMAT_XZ, filters=[options]) as file:
        file.write(save(arrays, {"about": json.dumps(about)}))


def unpacked(path: str) -> tuple[dict, dict]:
    """The arrays and facts of a compressed file."""
    with lzma.open(path) as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    return load(data), json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["about"])


def corpus_arrays(fold, name: str) -> dict:
    """The arrays of a fold's corpus, named `<name>.*`."""
    corpus = Corpus(fold)
    arrays = {part: getattr(corpus, part) for part in PARTS}
    arrays |= {part: arrays[part].astype(np.int32) for part in ("offsets", "domains")}
    return {f"{name}.{part}": array for part, array in arrays.items()}


def corpus_of(arrays: dict, name: str) -> Corpus:
    """The corpus of the arrays `<name>.*`."""
    corpus = Corpus.__new__(Corpus)
    for part in PARTS:
        array = arrays[f"{name}.{part}"]
        setattr(corpus, part, array.astype(np.int64) if part in ("offsets", "domains") else array)
    corpus.first = np.searchsorted(corpus.domains[:, 0], np.arange(len(corpus.offsets)))
    corpus.soft = None
    return corpus


def emission_arrays(emission: Emission) -> dict:
    """The tables of profiles, with match emissions in bytes."""
    arrays = {f"emission.{name}": tensor.numpy() for name, tensor in vars(emission).items()}
    match = arrays["emission.match"].astype(np.float32)
    return arrays | {"emission.match": np.clip(np.rint(-match / STEPS), 0, 255).astype(np.uint8)}


def emission_of(arrays: dict) -> Emission:
    """The tables of profiles; moves too may be packed in bytes."""
    named = {name.split(".")[1]: array for name, array in arrays.items() if name.startswith("emission.")}
    tables = {name: torch.from_numpy(array) for name, array in named.items()}
    if tables["moves"].dtype == torch.uint8:
        tables["moves"] = (tables["moves"].float() / 255).half()
    tables["match"] = (-STEPS * tables["match"].float()).half()
    return Emission(**tables)


def chosen(arrays: dict, about: dict, every: bool) -> int:
    """The number of families; of a package that has two sets, keep the first or (`every`) both."""
    if every:
        both = np.concatenate([arrays["train.domains"], arrays["more.domains"]])
        arrays["train.domains"] = both[np.argsort(both[:, 0], kind="stable")]
        return about["all"]
    if first := about.get("first"):  # sequences of the first set
        domains = arrays["train.domains"]
        arrays["train.domains"] = domains[domains[:, 0] < first]
        arrays["train.offsets"] = arrays["train.offsets"][: first + 1]
        arrays["train.whole"] = arrays["train.whole"][:first]
        arrays["train.tokens"] = arrays["train.tokens"][: arrays["train.offsets"][-1]]
    return about["families"]
