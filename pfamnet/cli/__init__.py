"""The two programs: `pfamnet-scan` and `pfamnet-build`.

Each imports its own command alone, and what is heavy when it is needed:
`--help` and `--version` load neither torch nor pyhmmer.
"""

import gc
import sys

from .common import leave, run


def main_scan() -> None:
    gc.disable()  # until all is loaded: none of it is garbage
    from .scan import scan

    leave(run(scan))


def main_build() -> None:
    from .build import build

    sys.exit(run(build))
