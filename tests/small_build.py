"""pfamnet-build with a very small light network and few decoys; for tests under torchrun."""

import functools

import pfamnet.build as module
from pfamnet.cli import main_build
from pfamnet.light import LightConfig

calibrate = module.calibrate
module.LightConfig = functools.partial(LightConfig, embedding=8, width=16, context=16)
module.calibrate = lambda runtime, fold, families, count, *rest: calibrate(runtime, fold, families, count // 10, *rest)
main_build()
