"""The two programs: `pfamnet-scan` and `pfamnet-build`.

What is heavy is imported when it is needed: `--help` and `--version` load
neither torch nor pyhmmer.
"""

import sys

from .cli_build import build
from .cli_scan import scan
from .options import leave, run


def main_scan() -> None:
    leave(run(scan))


def main_build() -> None:
    sys.exit(run(build))
