"""How a build trains: the ESM-2 to fine-tune, samplers and settings, from a BuildOptions."""

from __future__ import annotations

from torch import nn

from ..errors import PfamnetError
from ..network.esm import EsmNetwork
from ..network.esm_files import load_encoder
from ..network.light import LightConfig, LightNetwork
from ..training.corpus import Corpus
from ..training.emission import Emission
from ..training.examples import SamplerSettings
from ..training.lora import add_adapters
from ..training.packed import PackedSampler
from ..training.settings import TrainSettings
from .options import BuildOptions

EVALUATE = 800_000  # residues between two evaluations of ESM-2 on the validation set, at least
CHEAPER = 4  # times as many if the frozen layers are cached: an evaluation runs all layers
EVALUATIONS = 20  # in a longer training
LIGHT_BATCH = 16384  # residues of the light network's batch, at least
EMITTED = 0.25  # fraction of the examples that profiles emit, unless nothing is emitted
POOL = 16  # batches drawn together


def emitted(options: BuildOptions) -> float:
    """The fraction of the examples that profiles emit anew."""
    return 1.0 if options.emitted_only else EMITTED


def base_encoder(options: BuildOptions) -> nn.Module | None:
    """The encoder to begin with, or None if ESM-2 is not to be fine-tuned.

    Raises PfamnetError if there is no such encoder, or it is too small for the adapters or frozen layers.
    """
    if not options.base:
        return None
    encoder = load_encoder(options.base)
    size, depth = encoder.config.hidden_size, encoder.config.num_hidden_layers
    if options.lora > size:
        raise PfamnetError(f"adapters of rank {options.lora}: the encoder is only {size} wide")
    if options.freeze > depth:
        raise PfamnetError(f"{options.freeze} frozen layers: the encoder has only {depth}")
    return encoder


def esm_network(encoder: nn.Module, families: int, options: BuildOptions) -> EsmNetwork:
    """The network to train; draws from torch's generator."""
    if options.freeze:  # the embedding lies below the lowest layer
        encoder.embeddings.requires_grad_(False)
        encoder.encoder.layer[: options.freeze].requires_grad_(False)
    if options.lora:
        add_adapters(encoder, options.lora, options.freeze)
    return EsmNetwork(encoder, families)


def esm_settings(options: BuildOptions) -> TrainSettings:
    """The training loop's settings."""
    step = options.batch * options.accumulate
    least = EVALUATE * CHEAPER if options.cache else EVALUATE
    return TrainSettings(
        options.esm_residues,
        options.batch,
        options.accumulate,
        pool=POOL,
        evaluate=max(1, least // step, options.esm_residues // step // EVALUATIONS),
        precision=options.precision,
        optimizer=options.optimizer,
        balance=options.balance,
    )


def esm_sampler(
    train: Corpus, families: int, block: int, options: BuildOptions, emission: Emission | None
) -> PackedSampler:
    """Batches of training proteins with substituted residues."""
    settings = SamplerSettings(options.crop, options.power, alone=0.8, emitted=emitted(options))
    return PackedSampler(train, families, block, settings, options.seed, emission)


def new_light(families: int) -> LightNetwork:
    """A light network with random weights."""
    return LightNetwork(LightConfig(families))


def light_settings(options: BuildOptions) -> TrainSettings:
    """The settings of the light network's training loop."""
    batch = max(LIGHT_BATCH, options.batch)
    return TrainSettings(
        options.light_residues,
        batch,
        pool=POOL,
        lr=options.light_lr,
        evaluate=max(1000, options.light_residues // batch // EVALUATIONS),
        patience=1000,
        precision=options.precision,
        optimizer=options.optimizer,
        balance=options.balance,
    )
