"""A light network made over into one of another shape, to be trained on.

finer      a stem of a smaller stride, and dilations as many times larger: every
           convolution sees what it saw, at more places, so the logits hardly change;
narrower   the channels that carry the most to the next convolutions stay; the
           normalisations give what is left the means and variances there were.
           What is lost training has to win back.

Both are for a network whose stored weights were expensive to train.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ..errors import PfamnetError
from ..network.light import LightConfig, LightNetwork


def check_shape(config: LightConfig, width: int | None, stride: int | None) -> None:
    """Raise PfamnetError where a network of this shape cannot be made of one of `config`."""
    if stride and config.stride % stride:
        raise PfamnetError(f"a stem of stride {stride} cannot be made of one of {config.stride}")
    if width and width > config.width:
        raise PfamnetError(f"a network of width {width} cannot be made of one of {config.width}")


def finer(network: LightNetwork, stride: int) -> LightNetwork:
    """The network with a stem of this stride, a divisor of its own; weights are the same."""
    config = network.config
    more = config.stride // stride
    other = LightNetwork(replace(config, stride=stride, dilations=tuple(more * d for d in config.dilations)))
    other.load_state_dict(network.state_dict())
    return other.train(network.training)


def narrower(network: LightNetwork, width: int, tokens: torch.Tensor) -> LightNetwork:
    """The network with `width` channels of its own; `tokens` (B, L) int64 are of ordinary examples."""
    config = network.config
    other = LightNetwork(replace(config, width=width))
    shares, moments = looked_at(network, tokens)
    stream = sum(shares[residual.first[0]] for residual in network.body)
    stream += shares[network.context[0]].view(2, -1).sum(0)  # the average and the maximum of each channel
    kept = most(stream, width)
    both = torch.cat([kept, kept + config.width])
    with torch.no_grad():
        other.embed.weight.copy_(network.embed.weight)
        other.head.load_state_dict(network.head.state_dict())
        pairs = [
            (other.stem, network.stem, kept, slice(None)),
            (other.context, network.context, slice(None), both),
        ]
        for new, old in zip(other.body, network.body):
            inner = most(shares[old.second[0]], width)
            pairs += [(new.first, old.first, inner, kept), (new.second, old.second, kept, inner)]
        for (new, norm), (old, _), outputs, inputs in pairs:
            new.weight.copy_(old.weight[outputs][:, inputs])
            mean, variance = moments[old]
            norm.weight.copy_((variance[outputs] + norm.eps).sqrt())
            norm.bias.copy_(mean[outputs])
        normalise(other, tokens)
    return other.train(network.training)


def most(shares: torch.Tensor, count: int) -> torch.Tensor:
    """The places of the largest, in order."""
    return shares.topk(count).indices.sort().values


def convolutions(network: LightNetwork) -> list[nn.Sequential]:
    """Each convolution with its normalisation."""
    return [
        network.stem,
        *(part for residual in network.body for part in (residual.first, residual.second)),
        network.context,
    ]


def looked_at(network: LightNetwork, tokens: torch.Tensor) -> tuple[dict, dict]:
    """Of each convolution, on examples: what share of its output's variance each input channel carries
    (as if they were independent), and mean and variance of each normalised output channel."""
    shares, moments = {}, {}

    def carried(convolution, inputs):
        energy = inputs[0].var((0, 2)) * convolution.weight.square().sum((0, 2))
        shares[convolution] = energy / energy.sum()

    def given(convolution):
        def keep(_, __, output):
            variance, mean = torch.var_mean(output, (0, 2), correction=0)
            moments[convolution] = mean, variance

        return keep

    hooks = [
        hook
        for convolution, norm in convolutions(network)
        for hook in (
            convolution.register_forward_pre_hook(carried),
            norm.register_forward_hook(given(convolution)),
        )
    ]
    seen(network, tokens, hooks)
    return shares, moments


def normalise(network: LightNetwork, tokens: torch.Tensor) -> None:
    """Set the running mean and variance of every normalisation by examples, first to last."""

    def settle(norm, inputs):
        variance, mean = torch.var_mean(inputs[0], (0, 2), correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    seen(network, tokens, [norm.register_forward_pre_hook(settle) for _, norm in convolutions(network)])


def seen(network: LightNetwork, tokens: torch.Tensor, hooks) -> None:
    """Run the network on examples while hooks are there; they are taken off."""
    was_training = network.training
    with torch.no_grad():
        network.eval()(tokens)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
