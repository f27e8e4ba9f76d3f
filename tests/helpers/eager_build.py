"""pfamnet-build with a checkpoint after each step, for tests that kill it."""

import pfamnet.training.callbacks as callbacks
from pfamnet.cli import main_build

callbacks.CHECKPOINT_SECONDS = 0
main_build()
