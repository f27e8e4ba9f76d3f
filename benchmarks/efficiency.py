"""What each way to train ESM-2 cheaply costs and gives: speed, memory, dev accuracy.

Each row is a process of its own and differs from the first in one thing; data, seed
and number of steps are the same, and the residues of a step too.  The head begins as
a linear discriminant, as in a build: a random one would know nothing after so few steps.
Rows that the device cannot run are left out, and the results say why.  Each row is
written when it is done; the same command goes on where it was stopped.

    python benchmarks/efficiency.py --data SPLIT --base ESM2 --out FILE
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click
import torch
from common import Clock, machine, save, share

from pfamnet.build.data import with_dev
from pfamnet.build.fine_tune import base_encoder, esm_groups, esm_network, esm_sampler
from pfamnet.build.pipeline import BuildOptions
from pfamnet.errors import PfamnetError
from pfamnet.network.devices import autocast, pick_device
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.discriminant import start_head
from pfamnet.training.loop import Training, TrainSettings, optimizer_class
from pfamnet.training.sampler import Corpus
from pfamnet.trainset.trainset import read_trainset

PARTS = 4  # batches of an accumulated step
ROWS = {  # name -> what differs from the first
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    f"{PARTS} smaller batches a step (--accumulate {PARTS})": {"accumulate": PARTS},
    "rows of any length in a batch, padded": {"padded": True},
    "activations computed again (--checkpoint-activations)": {"checkpoint_activations": True},
    "adapters (--lora 8)": {"lora": 8},
    "8-bit AdamW (--optim adamw8bit)": {"optimizer": "adamw8bit"},
}
# what is feasible in half a minute a row
SIZES = {
    "cpu": {"steps": 24, "batch": 2048, "families": 60, "dev": 300},
    "cuda": {"steps": 400, "batch": 16384, "families": 500, "dev": 2000},
}
POOL = 16  # steps whose examples are drawn together
WARM = 2  # steps before the clock starts
HEAD = 80_000  # the head begins with what a build of so many residues would look at
# so few steps are no build: the rates of one would shake the head before they fall
GENTLY = {"lr": 1e-4, "head_lr": 1e-3}
WARMUP = 0.25


@click.command()
@click.option(
    "--data", required=True, type=click.Path(exists=True), help="a train set, as pfamnet-build takes it"
)
@click.option("--base", required=True, help="ESM-2: a directory, or a name on the hub")
@click.option("--steps", type=click.IntRange(min=WARM + 1), help="steps of each row  [24; 400 on a GPU]")
@click.option(
    "--batch", type=click.IntRange(min=256 * PARTS), help="residues of a step  [2048; 16384 on a GPU]"
)
@click.option("--families", type=click.IntRange(min=2), help="take the largest  [60; 500 on a GPU]")
@click.option("--dev", type=click.IntRange(min=1), help="dev domains  [300; 2000 on a GPU]")
@click.option("--device", default="auto", show_default=True)
@click.option("--cpu", default=1, show_default=True, help="threads")
@click.option("--limit", type=click.IntRange(min=1), help="seconds that a row may take  [300; 70 on a GPU]")
@click.option("--row", type=click.Choice(list(ROWS)), hidden=True)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(data, base, device, cpu, limit, row, out, **sizes):
    """Compare ways to fine-tune ESM-2."""
    device = pick_device(device)
    sizes = SIZES[device.type] | {name: value for name, value in sizes.items() if value}
    if row:
        torch.set_num_threads(cpu)
        print(json.dumps(measured(ROWS[row], data, base, device, sizes)))
        return
    words = [item for name, value in sizes.items() for item in (f"--{name}", str(value))]
    limit = limit or (70 if device.type == "cuda" else 300)
    result = {
        "benchmark": "efficiency",
        "machine": machine(cpu, ("pfamnet", "torch", "numpy")),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "base": Path(base).name,
        "data": Path(data).name,
        **sizes,
    }
    rows = begun(out, result)
    for name in ROWS:
        if name not in rows:
            rows[name] = run(
                [
                    *words,
                    "--data",
                    data,
                    "--base",
                    base,
                    "--device",
                    str(device),
                    "--cpu",
                    str(cpu),
                    "--row",
                    name,
                ],
                cpu,
                limit,
            )
            save(result | {"rows": {name: rows[name] for name in ROWS if name in rows}}, out)


def begun(out, result) -> dict:
    """Rows that a run of the same settings on the same device has measured already."""
    try:
        before = json.loads(Path(out).read_text(encoding="utf-8")) if out else {}
    except (OSError, ValueError):
        return {}
    settings = ("device", "base", "data", *SIZES["cpu"])
    alike = [before.get(name) for name in settings] == [result[name] for name in settings]
    rows = before.get("rows", {}) if alike and before["machine"]["cpu"] == result["machine"]["cpu"] else {}
    return {name: row for name, row in rows.items() if name in ROWS and "left_out" not in row}


def run(words, cpu, limit) -> dict:
    """A row, measured in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, *words],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=limit,
            env=os.environ | {"OMP_NUM_THREADS": str(cpu)},
        )
    except subprocess.TimeoutExpired:
        return {"left_out": f"took more than {limit} s"}
    return json.loads(done.stdout.splitlines()[-1])


def measured(differs, data, base, device, sizes) -> dict:
    """The figures of one row, or why there are none."""
    differs = dict(differs)
    padded = differs.pop("padded", False)
    options = BuildOptions((data,), base=base, **({"precision": "fp32"} | GENTLY | differs))
    try:  # before anything is read
        autocast(device, options.precision)
        optimizer_class(options.optimizer, device)
        return train(options, padded, device, sizes, not (differs or padded))
    except PfamnetError as error:
        return {"left_out": str(error)}
    except torch.OutOfMemoryError:
        return {"left_out": "out of the GPU's memory"}


def train(options, padded, device, sizes, first) -> dict:
    """Figures of a training; of the first row also what is right before the steps, which is alike for all."""
    trainset = with_dev(read_trainset(options.trainsets, top=sizes["families"]), options.seed)
    families, corpus = len(trainset.families), Corpus(trainset.train)
    torch.manual_seed(options.seed)
    network = esm_network(base_encoder(options), families, options).to(device)
    start_head(network, corpus, nullcontext(), training=HEAD if device.type == "cpu" else None)
    sampler = esm_sampler(corpus, families, network.block, options)
    sampler.settings = replace(sampler.settings, by_length=not padded)
    batch = sizes["batch"] // options.accumulate
    settings = TrainSettings(  # a pool of as many residues for each row has the same examples
        sizes["steps"] * batch * options.accumulate,
        batch,
        options.accumulate,
        pool=POOL * options.accumulate,
        warmup=WARMUP,
        evaluate=sizes["steps"],
        precision=options.precision,
        optimizer=options.optimizer,
        checkpoint_seconds=float("inf"),
    )
    measure = Measure(Corpus(trainset.dev), network.block, sizes["dev"])
    count = len(measure.regions)
    with torch.inference_mode():
        before = measure(network.eval()) if first else None
    with tempfile.TemporaryDirectory() as folder:
        training = Timed(
            "esm", network, esm_groups(network, options), sampler, measure, settings, Path(folder), device
        )
        accuracy = training.run()
    learning = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return {
        **training.figures,
        "parameters_trained": learning,
        "families": families,
        "train_domains": len(corpus.domains),
        "dev_accuracy": share(round(accuracy * count), count),
        **({"dev_accuracy_before": share(round(before * count), count)} if first else {}),
    }


class Timed(Training):
    """A training that takes time and memory of its steps, without those of the look at dev."""

    def step(self, batches) -> float:
        step = self.state["step"]
        if step == 0:
            self.before = memory(self.device, "VmRSS")
            forget_peak(self.device)
        if step == WARM:
            self.begun, self.residues, self.places = self.now(), 0, 0
        loss = super().step(batches)
        if step >= WARM:
            self.residues += sum(int(batch.lengths.sum()) for batch in batches)
            self.places += sum(batch.tokens.size for batch in batches)
        return loss

    def look(self, loss, speed) -> float:
        wall, cpu = (end - begun for begun, end in zip(self.begun, self.now()))
        self.figures = {
            "steps": self.state["step"],
            "loss": round(loss, 4),
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 3),
            "residues": self.residues,
            "residues_per_s": round(self.residues / wall),
            "residues_per_cpu_s": round(self.residues / cpu),
            "padding_percent": round(100 * (1 - self.residues / self.places), 1),
            "memory_before_mib": self.before,
            "memory_peak_mib": memory(self.device, "VmHWM"),
        }
        return super().look(loss, speed)

    def now(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Clock.now()


def memory(device, kind: str) -> float:
    """MiB in use (VmRSS) or at most so far (VmHWM): of this process, or on its GPU."""
    if device.type == "cuda":
        used = torch.cuda.memory_allocated if kind == "VmRSS" else torch.cuda.max_memory_allocated
        return round(used(device) / 2**20, 1)
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024, 1)


def forget_peak(device) -> None:
    """Let what reading the data took at most not count; where Linux forbids it, it counts."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


if __name__ == "__main__":
    main()
