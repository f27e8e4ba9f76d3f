"""`python -m pfamnet`: pfamnet-scan. `python -m pfamnet build`, `web` and `man` are the other programs."""

import sys

from .signals import stop_at_once

stop_at_once()  # before anything large is imported

from . import cli  # noqa: E402

PROGRAMS = {name: getattr(cli, f"main_{name}") for name in ("scan", "build", "web", "man")}
run = PROGRAMS[sys.argv.pop(1)] if sys.argv[1:] and sys.argv[1] in PROGRAMS else cli.main_scan

if __name__ == "__main__":
    run()
