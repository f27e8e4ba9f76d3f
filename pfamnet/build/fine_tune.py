"""How a build fine-tunes ESM-2: network, rates, sampler and settings, by its options.

`options` has the fields of `build.BuildOptions`.
"""

from __future__ import annotations

from ..errors import PfamnetError
from ..network.encoder import EsmEncoder
from ..network.esm import EsmNetwork, load_encoder, parameter_groups, resolve_base
from ..training.loop import TrainSettings
from ..training.lora import add_adapters, check_rank, merge_adapters
from ..training.sampler import Corpus, Sampler, SamplerSettings

LOOK = 800_000  # residues between two looks at dev


def base_encoder(options) -> EsmEncoder | None:
    """The encoder to begin with, if ESM-2 is to be fine-tuned.

    Raises PfamnetError where it cannot be read, or is too narrow for `lora`.
    """
    if not options.base:
        return None
    encoder = load_encoder(resolve_base(options.base))
    check_rank(encoder, options.lora)
    depth = encoder.config.num_hidden_layers
    if options.freeze > depth:
        raise PfamnetError(f"--freeze {options.freeze}: the encoder has {depth} layers")
    return encoder


def esm_network(encoder: EsmEncoder, families: int, options) -> EsmNetwork:
    """The network to train; draws from torch's generator."""
    encoder.checkpointing = options.checkpoint_activations
    if options.freeze:  # the embedding lies below the lowest layer
        encoder.embedding.requires_grad_(False)
        encoder.layers[: options.freeze].requires_grad_(False)
    if options.lora:
        add_adapters(encoder, options.lora)
    return EsmNetwork(encoder, families)


def esm_groups(network: EsmNetwork, options) -> list[dict]:
    return parameter_groups(network, options.lr, options.head_lr, options.layer_decay)


def esm_settings(options, checkpoint_seconds: float) -> TrainSettings:
    return TrainSettings(
        options.esm_residues,
        options.batch,
        options.accumulate,
        pool=16,
        evaluate=max(1, LOOK // (options.batch * options.accumulate)),
        precision=options.precision,
        optimizer=options.optimizer,
        balance=options.balance,
        checkpoint_seconds=checkpoint_seconds,
    )


def esm_sampler(train: Corpus, families: int, block: int, options) -> Sampler:
    settings = SamplerSettings(
        crop=options.crop, power=options.power, alone=0.8, masked=0.03, substitutions=0.03
    )
    return Sampler(train, families, block, settings, options.seed)


def plain(network: EsmNetwork, options) -> EsmNetwork:
    """A trained network as it is written and run: without adapters."""
    if options.lora:
        merge_adapters(network.encoder)
    return network
