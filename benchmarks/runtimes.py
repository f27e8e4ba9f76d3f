"""The light network through onnxruntime and through torch: start-up and throughput.

Each runtime is a process of its own, one thread, one protein at a time, the same
proteins: seconds to import, seconds to open the network, residues a second, and how
the families it ranks first agree with those of onnxruntime in float32.

    python benchmarks/runtimes.py --model DIR --proteins FASTA --out FILE
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import click
import numpy as np
from common import describe_model, machine, save

from pfamnet.fasta import read_fasta
from pfamnet.model import open_model
from pfamnet.tokens import encode

RUNTIMES = ("onnxruntime int8", "onnxruntime fp32", "torch fp32", "torch bf16")
FIRST = 32  # families compared


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", default=300, show_default=True, help="take the first N proteins")
@click.option("--runtime", type=click.Choice(RUNTIMES), hidden=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, first, runtime, out):
    """Compare runtimes of the light network."""
    if runtime:
        print(json.dumps(measure(runtime, model_path, sequences(proteins, first))))
        return
    rows = {}
    for name in RUNTIMES:
        command = [sys.executable, __file__, "--model", model_path, "--proteins", proteins,
                   "--first", str(first), "--runtime", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True,
                              env=os.environ | {"OMP_NUM_THREADS": "1"})
        rows[name] = json.loads(done.stdout)
    exact = rows["onnxruntime fp32"]["first"]
    for row in rows.values():
        row["agreement"] = round(float(np.mean([len(set(a) & set(b)) / len(a)
                                                for a, b in zip(row.pop("first"), exact)])), 4)
    save({"benchmark": "runtimes", "machine": machine(1, ("onnxruntime", "torch", "numpy")),
          "model": describe_model(open_model(model_path)), "proteins": first,
          "residues": sum(map(len, sequences(proteins, first))),
          "agreement": f"share of the first {FIRST} families that are those of float32",
          "runtimes": rows}, out)


def sequences(proteins, first):
    return [record.sequence for record in islice(read_fasta(proteins), first)]


def measure(runtime, model_path, proteins):
    """One runtime in this process."""
    begun = time.perf_counter()
    __import__(runtime.split()[0])
    imported = time.perf_counter()
    run = OPEN[runtime](model_path)
    opened = time.perf_counter()
    tokens = [padded(sequence) for sequence in proteins]
    run(tokens[0])  # once before it counts
    start = time.perf_counter()
    logits = [run(row) for row in tokens]
    seconds = time.perf_counter() - start
    peaks = [(row[:, 1:] - row[:, :1]).max(0) for row in logits]
    return {"import_s": round(imported - begun, 3), "open_s": round(opened - imported, 3),
            "residues_per_s": round(sum(map(len, proteins)) / seconds),
            "first": [np.argsort(-peak, kind="stable")[:FIRST].tolist() for peak in peaks]}


def padded(sequence, block=16):
    tokens = encode(sequence[:4096]).astype(np.int64)
    return np.pad(tokens, (0, -len(tokens) % block), constant_values=1)


def as_shipped(model_path):
    return open_model(model_path).runtime("light").run


def in_float32(model_path):
    """The graph anew from the stored weights."""
    from pfamnet.light_graph import export_light
    from pfamnet.runtime import LightRuntime

    folder = tempfile.mkdtemp()
    export_light(network(model_path), folder)
    return LightRuntime(Path(folder) / "light.onnx", 16).run


def network(model_path):
    """The stored network in torch, as it was when trained."""
    import torch

    from pfamnet.light_start import Stored

    torch.set_num_threads(1)
    examples = np.stack([padded("ACDEFGHIKLMNPQRSTVWY" * 16)[:256]] * 8)
    families = open_model(model_path).families
    return Stored(model_path).network(families, torch.from_numpy(examples)).eval()


def in_torch(model_path, dtype=None):
    import torch

    light = network(model_path)

    def run(tokens):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            return light(torch.from_numpy(tokens)[None])[0].float().numpy()

    return run


OPEN = {"onnxruntime int8": as_shipped, "onnxruntime fp32": in_float32, "torch fp32": in_torch,
        "torch bf16": lambda path: in_torch(path, "bf16")}


if __name__ == "__main__":
    main()
