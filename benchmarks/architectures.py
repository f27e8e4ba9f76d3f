"""What was tried for the light network: shape, loss, data, each with recall and speed.

Every variant differs from the first in one thing and is trained from the same seed on as
many residues, then looked at on held-out proteins as `pfamnet-build` does: at which
place is the right family among the candidates? Speed is onnxruntime's, one thread, the
same proteins. Results are saved after each variant; the same command goes on where it was stopped.

    python benchmarks/architectures.py --data TRAINSET --domains TABLE --families TABLE --hmm PROFILES --out FILE
"""

import copy
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import numpy as np
import torch
from architecture_losses import LOSSES, begin_sigmoid, end_sigmoid, sisters_of, targets
from common import machine, save

from pfamnet.build.calibration import dev_ranks
from pfamnet.build.data import given_profiles, some_sequences, with_dev, with_emitted
from pfamnet.model.directory import ENCODER, GRAPH, HEAD, open_model
from pfamnet.network.devices import autocast
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.network.light_onnx import export_light, family_offsets
from pfamnet.network.quantize import quantize_light
from pfamnet.network.runtime import LightRuntime
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.distillation import soft_labels
from pfamnet.training.light_start import Stored
from pfamnet.training.loop import Training, TrainSettings
from pfamnet.training.sampler import Corpus, Sampler, SamplerSettings
from pfamnet.trainset.trainset import read_trainset

FIRST = (8, 32, 128)  # of the ranks
REGIONS = 500  # dev domains that are named one by one
TIMED = 60  # dev proteins whose logits are timed
ORDINARY = 200  # train sequences that show families' usual log-odds, and int8 its ranges
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Variant:
    """What differs from the first one: fields of LightConfig, SamplerSettings, TrainSettings; data; loss."""

    shape: dict = field(default_factory=dict)
    sampler: dict = field(default_factory=dict)
    train: dict = field(default_factory=dict)
    loss: str = "softmax"
    emit: int = 50
    seed: int = 0  # added to the common one
    teacher: str | None = None


SHAPE = {"stride": 4, "width": 256, "dilations": (1, 2, 4, 1, 2, 4)}  # of the first one

VARIANTS = {
    "as it was (stride 4, width 256, 6 convolutions of kernel 5, blocks of 16, softmax)": Variant(),
    "another seed": Variant(seed=1),
    "width 192": Variant({"width": 192}),
    "width 384": Variant({"width": 384}),
    "stem of stride 8": Variant({"stride": 8}),
    "stem of stride 2": Variant({"stride": 2}),
    "stem of stride 2, width 192": Variant({"stride": 2, "width": 192}),
    "stem of stride 2, width 128": Variant({"stride": 2, "width": 128}),
    "as it is (stride 2, width 192, dilations doubled)": Variant(
        {"stride": 2, "width": 192, "dilations": (2, 4, 8, 2, 4, 8)}
    ),
    "as it is, but blocks of 32": Variant(
        {"stride": 2, "width": 192, "dilations": (2, 4, 8, 2, 4, 8), "block": 32}
    ),
    "loss: sigmoid of each family": Variant(loss="sigmoid"),
    "loss: logit adjustment": Variant(train={"balance": "logit"}),
    "loss: margin of 1 for sisters in the clan": Variant(loss="clan_margin"),
    "4 convolutions": Variant({"dilations": (1, 2, 4, 1)}),
    "8 convolutions": Variant({"dilations": (1, 2, 4, 1, 2, 4, 1, 2)}),
    "blocks of 8": Variant({"block": 8}),
    "blocks of 32": Variant({"block": 32}),
    "nothing emitted": Variant(emit=0),
    "emitted up to 100 rows": Variant(emit=100),
    "learning rate 1e-3": Variant(train={"lr": 1e-3}),
    "learning rate 6e-3": Variant(train={"lr": 6e-3}),
    "no dilation": Variant({"dilations": (1,) * 6}),
    "kernel 3": Variant({"kernel": 3}),
    "kernel 7": Variant({"kernel": 7}),
    "SiLU": Variant({"activation": "silu"}),
    "GELU": Variant({"activation": "gelu"}),
    "families drawn as rows ** 0.3": Variant(sampler={"power": 0.3}),
    "families drawn as rows ** 1": Variant(sampler={"power": 1.0}),
    "embedding 32": Variant({"embedding": 32}),
    "loss: focal": Variant(loss="focal"),
    "loss: inverse frequency": Variant(train={"balance": "inverse"}),
}


@click.command()
@click.option(
    "--data",
    required=True,
    multiple=True,
    type=click.Path(exists=True),
    help="a train set, as pfamnet-build takes it",
)
@click.option("--domains", type=click.Path(exists=True), help="table of the proteins' domains")
@click.option("--families", type=click.Path(exists=True), help="table with the families' clans")
@click.option("--hmm", required=True, type=click.Path(exists=True), help="profiles to emit from")
@click.option("--top", default=1000, show_default=True, help="the families with the most rows")
@click.option("--holdout", default=0.03, show_default=True, help="share of the train set that becomes dev")
@click.option("--residues", default=5_000_000, show_default=True, help="that each variant is trained on")
@click.option("--batch", default=4096, show_default=True, help="residues of a step")
@click.option("--dev", default=1500, show_default=True, help="dev proteins looked at")
@click.option("--seed", default=42, show_default=True)
@click.option(
    "--teacher",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="model whose soft labels are one more variant; its ESM network, where it has one",
)
@click.option("--only", multiple=True, type=click.Choice(list(VARIANTS)), help="these variants alone")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="JSON file for the results")
def main(out, teacher, only, **options):
    """Compare variants of the light network."""
    torch.set_num_threads(1)
    wanted = {name: variant for name, variant in VARIANTS.items() if not only or name in only}
    wanted |= {f"soft labels of {Path(path).name}": Variant(teacher=path) for path in teacher}
    result = begun(out, options)
    trials = None
    for name, variant in wanted.items():
        if name in result["variants"]:
            continue
        trials = trials or Trials(**options)
        result |= trials.described()
        result["variants"][name] = row = trials.tried(variant)
        Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        click.echo(f"{name}: {row}", err=True)
    save(result, out)


def begun(out, options) -> dict:
    """The results so far; an error if they were made with other options."""
    named = options | {
        key: Path(value).name
        for key, value in options.items()
        if key in ("domains", "families", "hmm") and value
    }
    named["data"] = [Path(path).name for path in options["data"]]
    if not Path(out).exists():
        return {
            "benchmark": "architectures",
            "machine": machine(1, ("torch", "onnxruntime", "numpy")),
            "options": named,
            "variants": {},
        }
    result = json.loads(Path(out).read_text(encoding="utf-8"))
    if result["options"] != named:
        raise click.ClickException(f"{out}: was made with other options: {result['options']}")
    return result


class Trials:
    """The data of all variants; `tried` trains and measures one."""

    def __init__(self, data, domains, families, hmm, top, holdout, residues, batch, dev, seed):
        hmms = given_profiles(hmm)
        self.trainset = with_dev(
            read_trainset(data, domains, families, holdout=holdout, seed=seed, top=top, only=set(hmms)), seed
        )
        self.hmms = [hmms[family.key] for family in self.trainset.families]
        self.residues, self.batch, self.dev, self.seed = residues, batch, dev, seed
        self.corpora = {}

    def described(self) -> dict:
        """What all variants share."""
        return {
            "families_learnt": len(self.trainset.families),
            "train_sequences": len(self.trainset.train.sequences),
        }

    def corpus(self, variant) -> Corpus:
        if variant.emit not in self.corpora:
            filled = with_emitted(self.trainset, self.hmms, variant.emit, self.seed)
            self.corpora = {variant.emit: Corpus(filled.train)}  # one at a time, for memory's sake
        corpus = self.corpora[variant.emit]
        if variant.teacher is None:
            return corpus
        taught = copy.copy(corpus)
        taught.soft = taught_by(variant.teacher, corpus, self.trainset.families)
        return taught

    def tried(self, variant: Variant) -> dict:
        begin = time.process_time()
        corpus = self.corpus(variant)
        before = time.process_time() - begin
        with tempfile.TemporaryDirectory() as folder:
            network, row = self.trained(variant, corpus, Path(folder) / "work")
            export_light(
                network, folder, family_offsets(network, some_sequences(self.trainset.train, ORDINARY))
            )
            row |= self.ranked(LightRuntime(Path(folder) / GRAPH, network.block))
            row |= {
                "parameters": sum(p.numel() for p in network.parameters()),
                "mflop_a_residue": round(mflop(network), 3),
                "fp32_residues_per_cpu_s": self.speed(folder, network.block),
            }
            if variant == Variant() or variant.shape:
                quantize_light(network, folder, some_sequences(self.trainset.train, ORDINARY // 4))
                row["int8_residues_per_cpu_s"] = self.speed(folder, network.block)
        return row | ({"teacher_cpu_s": round(before, 1)} if variant.teacher else {})

    def trained(self, variant, corpus, folder) -> tuple[LightNetwork, dict]:
        """The trained network, and what its training took."""
        count, seed = len(self.trainset.families), self.seed + variant.seed
        torch.manual_seed(seed)
        network = LightNetwork(LightConfig(count, **SHAPE | variant.shape))
        if variant.loss == "sigmoid":
            begin_sigmoid(network.head)
        settings = replace(
            TrainSettings(self.residues, self.batch, precision="fp32", checkpoint_seconds=1e9),
            **variant.train,
        )
        settings = replace(settings, evaluate=settings.steps)  # one look, at the end
        training = VariantTraining(
            "light",
            network,
            [
                {
                    "params": list(network.parameters()),
                    "lr": settings.lr,
                    "weight_decay": settings.weight_decay,
                }
            ],
            Sampler(corpus, count, network.block, SamplerSettings(**variant.sampler), seed),
            Measure(Corpus(self.trainset.dev), network.block, REGIONS),
            settings,
            folder,
            CPU,
        )
        if variant.loss != "softmax":
            training.loss, training.sisters = LOSSES[variant.loss], sisters_of(self.trainset.families)
        begin = time.perf_counter(), time.process_time()
        accuracy = training.run()
        row = {
            "train_s": round(time.perf_counter() - begin[0], 1),
            "train_cpu_s": round(time.process_time() - begin[1], 1),
            "accuracy": round(accuracy, 4),
        }
        if variant.loss == "sigmoid":
            end_sigmoid(network.head)
        return network, row

    def ranked(self, runtime) -> dict:
        """Shares of the dev domains whose family is among the first so many, and its mean place."""
        ranks, _ = dev_ranks(runtime, self.trainset.dev, self.dev, 1, lambda items, _: items)
        return {
            "domains": len(ranks),
            "among_first": {str(n): round(float((ranks < n).mean()), 4) for n in FIRST},
            "mean_rank": round(float(ranks.mean()) + 1, 1),
            "median_rank": float(np.median(ranks)) + 1,
        }

    def speed(self, folder, block) -> int:
        """Residues a CPU second of the graph of a folder: the best of three runs."""
        runtime, sequences = LightRuntime(Path(folder) / GRAPH, block), self.trainset.dev.sequences[:TIMED]

        def seconds() -> float:
            begin = time.process_time()
            for sequence in sequences:
                runtime.logits(sequence)
            return time.process_time() - begin

        return round(sum(map(len, sequences)) / min(seconds() for _ in range(3)))


class VariantTraining(Training):
    """A training of one process, with a loss of its own where it has one."""

    loss = None

    def backward(self, whole, count: int) -> float:
        if self.loss is None:
            return super().backward(whole, count)
        logits = self.network(torch.from_numpy(whole.tokens), torch.from_numpy(whole.lengths))
        loss = self.loss(targets(logits, whole, self.network.block), self.sisters)
        (loss / count).backward()
        return loss.item() / count


def mflop(network, length=1024) -> float:
    """Million floating point operations a residue: two for each weight at each place."""
    total = 0

    def add(module, _, output):
        nonlocal total
        places = output.numel() // module.weight.shape[0]
        total += 2 * module.weight.numel() * places

    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv1d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    with torch.inference_mode():
        network.eval()(torch.full((1, length), 5))
    for hook in hooks:
        hook.remove()
    return total / length / 1e6


def taught_by(path, corpus, families) -> tuple[np.ndarray, np.ndarray]:
    """Soft labels of a model, in the classes of `families`, for domains of those that it knows."""
    model = open_model(path)
    places = {family.key: place + 1 for place, family in enumerate(families)}
    ours = np.array([0, *(places.get(family.key, 0) for family in model.families)])
    known = np.isin(corpus.domains[:, 3] + 1, ours[1:])
    asked = copy.copy(corpus)
    asked.domains = np.where((np.arange(4) == 3) & ~known[:, None], -1, corpus.domains)
    with tempfile.TemporaryDirectory() as folder:
        classes, chances = soft_labels(
            teacher_network(Path(path), model, corpus), asked, Path(folder) / "soft", autocast(CPU, "fp32")[0]
        )
    # what it thinks of families that are not ours is left out
    chances = chances * ((classes == 0) | (ours[classes] > 0))
    return ours[classes], chances / chances.sum(1, keepdims=True).clip(1e-9)


def teacher_network(path, model, corpus):
    if "esm" in model.description["networks"]:
        from pfamnet.network.esm_files import load_network

        return load_network(path / ENCODER, path / HEAD).eval()
    examples = Sampler(corpus, len(model.families), 16, SamplerSettings()).batches(0, 65536)[0]
    network = Stored(path).network(model.families, torch.from_numpy(examples.tokens)).eval()
    network.families = len(model.families)
    return network


if __name__ == "__main__":
    main()
