"""pfamnet-build of a very small light network, as on a machine that has what a training needs and no more."""

import sys

from small_config import SMALL

import pfamnet.build.fine_tune as fine_tune
from pfamnet.cli import main_build

fine_tune.LightConfig = SMALL
for missing in ("pyhmmer", "onnx", "onnxruntime"):
    assert missing not in sys.modules
    sys.modules[missing] = None
main_build()
