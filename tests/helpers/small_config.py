"""A very small light network."""

import functools

from pfamnet.network.light import LightConfig

SMALL = functools.partial(LightConfig, embedding=8, width=16, context=16)
