"""brief_build with a checkpoint after each step, for tests that kill it."""

from small_build import make_brief

import pfamnet.training.callbacks as callbacks
from pfamnet.cli import main_build

callbacks.CHECKPOINT_SECONDS = 0
make_brief(8)
main_build()
