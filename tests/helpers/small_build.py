"""pfamnet-build with a very small light network and few decoys; for tests under torchrun."""

import functools

import pfamnet.build.pipeline as module
import pfamnet.build.write_model as output
from pfamnet.cli import main_build
from pfamnet.network.light import LightConfig

calibrate = output.calibrate
module.LightConfig = functools.partial(LightConfig, embedding=8, width=16, context=16)
output.calibrate = lambda runtime, fold, families, residues, *rest: calibrate(
    runtime, fold, families, residues // 20, *rest
)
main_build()
