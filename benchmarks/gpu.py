"""Long trainings in minutes of a GPU, which a build on another machine takes up.

    python benchmarks/gpu.py pack NAME.xz --options JSON         where the data are: what is learnt from
    python benchmarks/gpu.py train NAME.xz OUT --network light --seconds 100        where the GPU is
    python benchmarks/gpu.py unpack OUT MODEL --options JSON     where the data are: begins MODEL.work

JSON holds the options of the build as fields of `BuildOptions`.  `pfamnet-build --resume` with the same
options and those that `unpack` prints does all that remains.  The learning rate follows the clock: a training
ends in time whatever the speed of the GPU.
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import click
import torch
from gpu_package import chosen, corpus_arrays, corpus_of, emission_arrays, emission_of, packed, unpacked
from gpu_packed import PackedEncoder, PackedSampler
from gpu_training import LAST, Clock, PackedTraining, Timed, compile_if_faster
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pfamnet.build.fine_tune import base_encoder, esm_network, esm_settings, light_settings
from pfamnet.build.options import BuildOptions
from pfamnet.network.devices import autocast
from pfamnet.network.esm import parameter_groups
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.training.callbacks import LogFile, Validation
from pfamnet.training.checkpoints import BEST, CHECKPOINT, LOG, LOG_COLUMNS, save_tensors
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.discriminant import start_head
from pfamnet.training.emission import Emission
from pfamnet.training.sampler import Sampler, SamplerSettings
from pfamnet.training.settings import TrainSettings
from pfamnet.trainset.recipes import with_defaults
from pfamnet.trainset.sampling import sample

ENDLESS = 10**15


@click.group()
def main():
    """Train on a GPU of another machine."""


class Options(click.ParamType):
    """The options of a build, as JSON."""

    name = "json"

    def convert(self, value, parameter, context) -> BuildOptions:
        try:
            fields = with_defaults({"recipe": None, "emit": None, "power": None} | json.loads(value))
            return BuildOptions(**fields | {"trainsets": tuple(fields["trainsets"])})
        except (ValueError, TypeError, KeyError) as error:
            self.fail(f"no fields of BuildOptions: {error}")


options_of = click.option("--options", required=True, type=Options(), help="JSON: fields of BuildOptions")


# -- pack


@main.command()
@click.argument("package", type=click.Path(dir_okay=False))
@options_of
@click.option("--profiles", type=click.Path(exists=True), help="that emit sequences, one for each family")
def pack(package, options, profiles):
    """Write what a build learns from to PACKAGE."""
    from pfamnet.build.inputs import given_profiles, read_inputs  # need pyhmmer, which `train` does not

    trainset, hmms, quotas, _ = read_inputs(options)
    if quotas is not None:
        trainset = sample(trainset, quotas, options.seed)
    arrays = corpus_arrays(trainset.train, "train") | corpus_arrays(trainset.dev, "dev")
    if profiles:
        given = given_profiles(profiles)
        hmms = [given[family.key] for family in trainset.families]
    if hmms:
        arrays |= emission_arrays(Emission.of(hmms))
    packed(package, arrays, {"options": asdict(options), "families": len(trainset.families)})
    print(package, len(trainset.families), "families", len(arrays["train.tokens"]), "residues")


# -- train


def esm_parts(train, families, options, device, emitted, changes):
    """Network, parameter groups, and settings of sampler and loop of a fine-tuning."""
    network = esm_network(base_encoder(options), families, options).to(device)
    start_head(network, train, autocast(device, "auto")[0], False, 10**9)
    settings = SamplerSettings(options.crop, options.power, alone=0.8, emitted=emitted, **changes)
    return network, parameter_groups(network, options.lr, options.head_lr), settings, esm_settings(options)


def light_parts(families, options, device, emitted, changes, start, loop):
    """Network, parameter groups, and settings of sampler and loop of a light network."""
    network = LightNetwork(LightConfig(families)).to(device)
    if start:
        state = network.state_dict()
        kept = {name: tensor.float() for name, tensor in load_file(start).items() if name in state}
        kept = {name: tensor for name, tensor in kept.items() if tensor.shape == state[name].shape}
        network.load_state_dict(kept, strict=False)
    settings = SamplerSettings(power=options.power, emitted=emitted, **changes)
    groups = [{"params": list(network.parameters()), "lr": loop.lr, "weight_decay": 0.02}]
    return network, groups, settings, loop


@main.command()
@click.argument("package", type=click.Path(exists=True))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "kind", type=click.Choice(["esm", "light"]), required=True)
@click.option("--base", help="directory of the encoder")
@click.option("--seconds", type=float, required=True)
@click.option("--emitted", default=0.0, help="fraction of the examples")
@click.option("--batch", default=16384, help="residues")
@click.option("--lr", type=float)
@click.option("--head-lr", type=float)
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto")
@click.option("--optimizer", type=click.Choice(["adamw", "adamw8bit"]), default="adamw")
@click.option("--substitutions", type=float)
@click.option(
    "--start", type=click.Path(exists=True), help="weights to begin with: those that fit, and the trunk"
)
@click.option("--compiled/--eager", default=True)
@click.option("--pool", default=16, help="batches drawn together")
@click.option("--every", is_flag=True, help="all families of a package that has two sets")
def train(package, out, kind, base, seconds, emitted, batch, start, compiled, pool, every, **given):
    """Train a network on PACKAGE; OUT gets its weights in float16 and its log."""
    begun = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arrays, about = unpacked(package)
    families = chosen(arrays, about, every)
    corpus, dev = corpus_of(arrays, "train"), corpus_of(arrays, "dev")
    emission = emission_of(arrays) if emitted else None
    if emission is not None and len(emission.starts) != families + 1:
        profiles = len(emission.starts) - 1
        raise click.ClickException(f"{package}: {profiles} profiles, not one for each of {families} families")
    torch.manual_seed(42)
    given = {name: value for name, value in given.items() if value is not None}
    changes = {name: given.pop(name) for name in ["substitutions"] if name in given}
    options = BuildOptions(**about["options"] | {"base": base, "batch": batch} | given)
    if kind == "esm":
        parts = esm_parts(corpus, families, options, device, emitted, changes)
    else:
        ways = {name: given[name] for name in ("precision", "optimizer")}
        loop = TrainSettings(0, batch=batch, lr=given.get("lr", 2e-3), pool=pool, **ways)
        parts = light_parts(families, options, device, emitted, changes, start, loop)
    network, groups, settings, loop = parts
    loop = replace(loop, residues=ENDLESS, evaluate=ENDLESS, patience=ENDLESS)
    watchers = [Clock(), LogFile(), Validation(Measure(dev, network.block, 2000))]
    if kind == "esm":  # packed on the CPU, beside the GPU
        sampler = PackedSampler(corpus, families, network.block, settings, 42, emission, "cpu")
        training = PackedTraining(kind, network, groups, sampler, loop, out, device, callbacks=watchers)
        training.model = PackedEncoder(network)
    else:
        sampler = Sampler(corpus, families, network.block, settings, 42, emission, device)
        training = Timed(kind, network, groups, sampler, loop, out, device, callbacks=watchers)
    rates = compile_if_faster(training, compiled)
    ready = time.monotonic() - begun
    print(kind, package, families, f"families; residues/s {rates}; ready after {ready:.0f} s", flush=True)
    training.limit = seconds - ready
    state = training.run()
    residues, cuda = state.step * loop.step_residues, device.type == "cuda"
    log = {
        "state": asdict(state) | {"loss": 0.0},
        "residues": residues,
        "settings": asdict(loop),
        "sampler": asdict(settings),
        "options": asdict(options),
        "rates": rates,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else 0,
    }
    weights = {name: tensor.half().contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(weights, out / f"{kind}.safetensors", {"about": json.dumps(log)})
    print(kind, package, f"{residues / 1e6:.1f} M residues, validation {state.best[1]:.4f}", flush=True)


# -- report


@main.command()
@click.argument("weights", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def report(weights, out):
    """Table of the trainings whose weights are WEIGHTS."""
    from common import markdown, save  # need pyhmmer

    rows, logs = [], {Path(path).stem: about(path) for path in weights}
    for name, log in logs.items():
        seconds, (_, accuracy, *_) = log["state"]["seconds"], log["state"]["validations"][-1]
        speed, emitted = log["residues"] / seconds, log["sampler"]["emitted"]
        row = [name, f"{log['residues'] / 1e6:.1f}", f"{seconds:.0f}", f"{speed / 1e6:.2f}"]
        rows.append([*row, f"{100 * emitted:.0f}", f"{100 * accuracy:.2f}"])
    header = ["training", "million residues", "seconds", "million residues/s", "% emitted", "% of validation"]
    devices = ", ".join(sorted({log["device"] for log in logs.values()}))
    tables = {"gpu": markdown(header, rows) + f"\n{devices}.\n"}
    kept = ("residues", "state", "settings", "sampler", "rates", "device", "peak_mib")
    logs = {name: {field: log[field] for field in kept} for name, log in logs.items()}
    save({"benchmark": "gpu", "machine": {"gpu": devices}, "trainings": logs, "tables": tables}, out)


# -- unpack


@main.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@options_of
def unpack(out, model, options):
    """Begin MODEL.work with the trainings in OUT, and print the options that differ from --options."""
    from pfamnet.build.provenance import input_digests
    from pfamnet.build.work import Work

    trained = {kind: out / f"{kind}.safetensors" for kind in ("esm", "light")}
    trained = {kind: path for kind, path in trained.items() if path.exists()}
    if not trained:
        raise click.ClickException(f"{out}: no training")
    if model.exists():
        raise click.ClickException(f"{model}: exists already")
    abouts = {kind: about(path) for kind, path in trained.items()}
    residues = {kind: log["residues"] for kind, log in abouts.items()}
    options = replace(options, **{f"{kind}_residues": number for kind, number in residues.items()})
    work = Work(Path(f"{model}.work"), options, resume=False)
    work.check()
    work.begin(input_digests(options))
    for kind, path in trained.items():
        settings = esm_settings(options) if kind == "esm" else light_settings(options)
        take_up(work / kind, path, abouts[kind], settings)
    print("--resume", *(f"--{kind}-residues {number}" for kind, number in residues.items()))


def about(path: Path) -> dict:
    """The log of a training's weights."""
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["about"])


def take_up(folder: Path, path: Path, log: dict, settings: TrainSettings) -> None:
    """Write what a build keeps of a finished training: checkpoint, best weights and log."""
    folder.mkdir()
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    meta = {"settings": asdict(settings), "state": log["state"] | {"done": True}, "scaler": {}}
    tensors = {f"network.{name}": tensor for name, tensor in weights.items()}
    save_tensors(tensors, folder / CHECKPOINT, {"meta": json.dumps(meta)})
    save_tensors(weights, folder / BEST)
    training = SimpleNamespace(
        name=folder.name, settings=TrainSettings(**log["settings"]), rate=lambda step: LAST
    )
    rows = [LOG_COLUMNS, *(LogFile.row(training, *values) for values in log["state"]["validations"])]
    (folder / LOG).write_text("".join("\t".join(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
