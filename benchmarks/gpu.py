"""Long trainings in minutes of a GPU, which a build on another machine takes up.

    python benchmarks/gpu.py pack NAME.xz --options JSON         where the data are: what is learnt from
    python benchmarks/gpu.py train NAME.xz OUT --network light --seconds 100        where the GPU is
    python benchmarks/gpu.py unpack OUT MODEL --options JSON     where the data are: begins MODEL.work

JSON holds the options of the build as fields of `BuildOptions`.  `pfamnet-build --resume` with the same
options and those that `unpack` prints does all that remains.  The learning rate follows the clock: a training
ends in time whatever the speed of the GPU.
"""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import click
import torch
from gpu_package import chosen, corpus_arrays, corpus_of, emission_arrays, emission_of, packed, unpacked
from gpu_packed import PackedEncoder, PackedSampler, packed_loss
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
from pfamnet.training.loop import Training
from pfamnet.training.sampler import Sampler, SamplerSettings
from pfamnet.training.settings import TrainSettings
from pfamnet.trainset.recipes import with_defaults
from pfamnet.trainset.sampling import sample

ENDLESS = 10**15
WARM, FALLING, LAST = 300, 0.6, 0.01  # steps, fraction of the time, and of the peak, of the learning rate


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


class Timed(Training):
    """A training that ends after `limit` seconds."""

    limit = math.inf

    def rate(self, step: int) -> float:
        left = max(0.0, 1 - self.state.seconds / self.limit)
        return min((step + 1) / WARM, max(LAST, min(1.0, left / FALLING)))


class PackedTraining(Timed):
    """A fine-tuning on packed rows."""

    def backward(self, batch, batches: list) -> torch.Tensor:
        batch = batch.to(self.device)
        with self.context:
            hidden = self.model(batch.tokens, batch.segments)
        loss = packed_loss(self.network, hidden, batch) / len(batches)
        self.scaler.scale(loss).backward()
        return loss.detach()


class Clock:
    """Ends a `Timed` training, and prints its speed at times."""

    def stepped(self, training: Timed, loss: torch.Tensor) -> None:
        state = training.state
        state.done = state.seconds >= training.limit
        if state.step in (20, 100) or state.step % 1000 == 0 or state.done:
            synchronize(training.device)
            speed = state.step * training.settings.step_residues / max(state.seconds, 1e-3) / 1e6
            what = f"{training.name} step {state.step} {state.seconds:.1f} s {speed:.3f} M residues/s"
            print(what, f"loss {float(loss):.3f}", flush=True)


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def speed(training: Timed, batches: list, steps: int = 12) -> float:
    """Residues a second of the training's model, on some batches; the network is left as it is."""
    kept = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    for group in training.optimizer.param_groups:
        group["lr"] = 0.0
    training.model.train()
    begun, seen = time.monotonic(), 0
    for turn in range(steps):
        if turn == steps // 2:
            synchronize(training.device)
            begun, seen = time.monotonic(), 0
        batch = batches[turn % len(batches)]
        training.optimizer.zero_grad(set_to_none=True)
        training.backward(batch, batches[:1])
        torch.nn.utils.clip_grad_norm_(training.network.parameters(), 1.0)
        training.optimizer.step()
        seen += batch.tokens.numel()
    synchronize(training.device)
    training.optimizer.state.clear()
    training.network.load_state_dict(kept)
    return seen / (time.monotonic() - begun)


def compile_if_faster(training: Timed, compiled: bool) -> dict[str, float]:
    """Let the training use a compiled network if that is faster; residues a second of either."""
    settings = training.settings
    batches = [b.to(training.device) for b in training.sampler.batches(0, settings.batch, settings.pool)]
    rates = {"eager": speed(training, batches)}
    if compiled:
        eager = training.model
        try:
            training.model = torch.compile(training.model, dynamic=False)
            rates["compiled"] = speed(training, batches, 24)
        except Exception as error:
            print("not compiled:", repr(error)[:300], flush=True)
        if rates.get("compiled", 0) < rates["eager"]:
            training.model = eager
    return rates


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
@click.option("--substitutions", type=float)
@click.option(
    "--start", type=click.Path(exists=True), help="weights to begin with: those that fit, and the trunk"
)
@click.option("--compiled/--eager", default=True)
@click.option("--pool", default=16, help="batches drawn together")
@click.option("--every", is_flag=True, help="all families of a package that has two sets")
def train(
    package,
    out,
    kind,
    base,
    seconds,
    emitted,
    batch,
    lr,
    head_lr,
    substitutions,
    start,
    compiled,
    pool,
    every,
):
    """Train a network on PACKAGE; OUT gets its weights in float16 and its log."""
    begun = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arrays, about = unpacked(package)
    families = chosen(arrays, about, every)
    corpus, dev = corpus_of(arrays, "train"), corpus_of(arrays, "dev")
    emission = emission_of(arrays) if emitted else None
    torch.manual_seed(42)
    given = {name: rate for name, rate in {"lr": lr, "head_lr": head_lr}.items() if rate}
    options = BuildOptions(**about["options"] | {"base": base, "batch": batch} | given)
    changes = {} if substitutions is None else {"substitutions": substitutions}
    if kind == "esm":
        parts = esm_parts(corpus, families, options, device, emitted, changes)
    else:
        loop = TrainSettings(0, batch=batch, lr=lr or 2e-3, pool=pool)
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
