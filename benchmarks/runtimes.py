"""The light network through onnxruntime and through torch: start-up and throughput.

Each runtime is a process of its own, one thread, the same proteins: seconds to import,
seconds to open the network, residues a second, and how the families it ranks first agree
with those of onnxruntime in float32. One protein at a time, but for "packed": batches of
proteins of like lengths, padded to the longest. "Fixed shapes" pads each protein to a multiple
of 512 residues. In torch "fused" has normalisations folded into the convolutions, and
"channels last" two-dimensional convolutions in that layout.

    python benchmarks/runtimes.py --model DIR --proteins FASTA --out FILE
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path

import click
import numpy as np
from common import describe_model, machine, save

from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network.tokens import PAD, encode

RUNTIMES = (
    "onnxruntime int8",
    "onnxruntime int8, fixed shapes",
    "onnxruntime fp32",
    "torch fp32",
    "torch bf16",
    "torch bf16, fused",
    "torch bf16, fused, packed",
    "torch bf16, fused, packed, channels last",
)
PACKED = 8192  # residues of a batch
FIXED = 512  # residues
FIRST = 32  # families compared
BLOCK, LONGEST = 16, 4096


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
        command = [
            sys.executable,
            __file__,
            "--model",
            model_path,
            "--proteins",
            proteins,
            "--first",
            str(first),
            "--runtime",
            name,
        ]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        rows[name] = json.loads(done.stdout)
    exact = rows["onnxruntime fp32"]["first"]
    for row in rows.values():
        row["agreement"] = round(
            float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(row.pop("first"), exact)])), 4
        )
    save(
        {
            "benchmark": "runtimes",
            "machine": machine(1, ("onnxruntime", "torch", "numpy")),
            "model": describe_model(open_model(model_path)),
            "proteins": first,
            "residues": sum(map(len, sequences(proteins, first))),
            "agreement": f"share of the first {FIRST} families that are those of float32",
            "runtimes": rows,
        },
        out,
    )


def sequences(proteins, first):
    return [record.sequence for record in islice(read_fasta(proteins), first)]


def measure(runtime, model_path, proteins):
    """One runtime in this process."""
    begun = time.perf_counter()
    __import__(runtime.partition(" ")[0])
    imported = time.perf_counter()
    tokens = [padded(sequence, FIXED if "fixed shapes" in runtime else BLOCK) for sequence in proteins]
    run_all = OPEN[runtime](model_path)
    opened = time.perf_counter()
    run_all(tokens[:1])  # once before it counts
    start = time.perf_counter()
    logits = run_all(tokens)
    seconds = time.perf_counter() - start
    peaks = [
        (row[:, 1:] - row[:, :1])[: -(-len(protein) // BLOCK)].max(0)
        for row, protein in zip(logits, proteins)
    ]
    return {
        "import_s": round(imported - begun, 3),
        "open_s": round(opened - imported, 3),
        "residues_per_s": round(sum(map(len, proteins)) / seconds),
        "first": [np.argsort(-peak, kind="stable")[:FIRST].tolist() for peak in peaks],
    }


def padded(sequence, block):
    tokens = encode(sequence[:LONGEST]).astype(np.int64)
    return np.pad(tokens, (0, -len(tokens) % block), constant_values=PAD)


def one_by_one(run):
    return lambda rows: [run(row) for row in rows]


def as_shipped(model_path):
    return one_by_one(open_model(model_path).runtime("light").run)


def in_float32(model_path):
    """The graph anew from the stored weights."""
    from pfamnet.network.light_onnx import export_light
    from pfamnet.network.runtime import LightRuntime

    folder = tempfile.mkdtemp()
    export_light(network(model_path), folder)
    return one_by_one(LightRuntime(Path(folder) / "light.onnx", BLOCK).run)


def network(model_path):
    """The stored network in torch, as it was when trained."""
    import torch

    from pfamnet.training.light_start import Stored

    torch.set_num_threads(1)
    examples = np.stack([padded("ACDEFGHIKLMNPQRSTVWY" * 16, BLOCK)[:256]] * 8)
    families = open_model(model_path).families
    return Stored(model_path).network(families, torch.from_numpy(examples)).eval()


def in_torch(model_path, bf16=False, fused=False, packed=False, wide=False):
    import torch

    light = network(model_path)
    if fused:
        fuse(light)
    if wide:
        light = channels_last(light)

    def run(batch):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return light(torch.from_numpy(batch)).float().numpy()

    return partial(by_length, run) if packed else one_by_one(lambda row: run(row[None])[0])


def fuse(light):
    """Fold each normalisation into its convolution."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in list(light.modules()):
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm1d):
            module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()


def channels_last(light):
    """The same network of two-dimensional convolutions over one row, channels last."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    def widened(old):
        new = nn.Conv2d(
            old.in_channels,
            old.out_channels,
            (1, *old.kernel_size),
            (1, *old.stride),
            (0, *old.padding),
            (1, *old.dilation),
        )
        new.weight.data, new.bias.data = old.weight.data[:, :, None], old.bias.data
        return new

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.light = light
            self.stem, self.context = widened(light.stem[0]), widened(light.context[0])
            self.body = nn.ModuleList(
                widened(half[0]) for residual in light.body for half in (residual.first, residual.second)
            )

        def forward(self, tokens):
            activate = light.activate
            x = light.embed(tokens).transpose(1, 2)[:, :, None].contiguous(memory_format=torch.channels_last)
            x = activate(self.stem(x))
            for first, second in zip(self.body[::2], self.body[1::2]):
                x = activate(x + second(activate(first(x))))
            step = (1, light.block // light.config.stride)
            x = activate(self.context(torch.cat([F.avg_pool2d(x, step), F.max_pool2d(x, step)], 1)))
            return light.head(x[:, :, 0].transpose(1, 2))

    return Wide().to(memory_format=torch.channels_last).eval()


def by_length(run, rows):
    """Run batches of rows of like lengths, and give what each has in the order of the rows."""
    order, results = sorted(range(len(rows)), key=lambda i: len(rows[i])), {}
    while order:
        batch = [order.pop()]  # the longest left
        longest = len(rows[batch[0]])
        while order and (len(batch) + 1) * longest <= PACKED:
            batch.append(order.pop())
        tokens = np.full((len(batch), longest), PAD)
        for place, i in enumerate(batch):
            tokens[place, : len(rows[i])] = rows[i]
        for i, logits in zip(batch, run(tokens)):
            results[i] = logits[: len(rows[i]) // BLOCK]
    return [results[i] for i in range(len(rows))]


OPEN = {
    "onnxruntime int8": as_shipped,
    "onnxruntime int8, fixed shapes": as_shipped,
    "onnxruntime fp32": in_float32,
    "torch fp32": in_torch,
    "torch bf16": partial(in_torch, bf16=True),
    "torch bf16, fused": partial(in_torch, bf16=True, fused=True),
    "torch bf16, fused, packed": partial(in_torch, bf16=True, fused=True, packed=True),
    "torch bf16, fused, packed, channels last": partial(
        in_torch, bf16=True, fused=True, packed=True, wide=True
    ),
}


if __name__ == "__main__":
    main()
