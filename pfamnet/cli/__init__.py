"""The programs: `pfamnet-scan`, `pfamnet-build` and the web app.

Each imports its own command alone, and large libraries when they are needed: `--help` and
`--version` load none.
"""

import gc
import os
import sys

from .common import leave, run


def main_scan() -> None:
    gc.disable()  # until all is loaded: none of it is garbage
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or numpy starts threads that it never uses
    from .scan import scan

    leave(run(scan))


def main_build() -> None:
    from .build import build

    sys.exit(run(build))


def main_man() -> None:
    from .man import man

    sys.exit(run(man))


def main_web() -> None:
    from .web import web

    leave(run(web))
