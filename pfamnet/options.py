"""Command-line manners shared by the two programs.

Help in HMMER's groups, one line on stderr for what went wrong, and exit
statuses: 0 done, 1 failed, 2 usage, 130 interrupted, 141 closed pipe.
"""

from __future__ import annotations

import errno
import os
import sys

import click

from . import __version__
from .errors import PfamnetError


class GroupedOption(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *args, group: str = "Basic options", **kwargs):
        self.group = group
        super().__init__(*args, **kwargs)


class GroupedCommand(click.Command):
    """A command whose help lists its options in the groups they were given."""

    def format_options(self, context, formatter):
        groups: dict[str, list] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record:
                groups.setdefault(getattr(parameter, "group", "Basic options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=28)


def grouped(group: str):
    """A decorator factory like `click.option`, for options of one group."""
    return lambda *names, **settings: click.option(*names, cls=GroupedOption, group=group, **settings)


def version_option():
    def show(context, _, wanted):
        if wanted:
            click.echo(f"pfamnet {__version__}")
            context.exit()

    return grouped("Basic options")("--version", is_flag=True, expose_value=False, is_eager=True,
                                    callback=show, help="Show the version and exit.")


def default_cpus() -> int:
    """Processors this process may use; HMMER_NCPU goes before them, as in HMMER."""
    asked = os.environ.get("HMMER_NCPU", "")
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status; what is wrong is said in one line."""
    name = command.name
    try:
        command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        return complain(name, f"{one_line(error.format_message())} (see {name} --help)", 2)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except PfamnetError as error:
        return complain(name, one_line(str(error)), 1)
    except OSError as error:
        if error.errno == errno.EPIPE:
            return 141
        where = f"{error.filename}: " if error.filename else ""
        return complain(name, f"{where}{(error.strerror or str(error)).lower()}", 1)
    except MemoryError:
        return complain(name, "out of memory", 1)


def complain(name: str, message: str, status: int) -> int:
    print(f"{name}: {message}", file=sys.stderr)
    return status


def one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def leave(status: int) -> None:
    """End the process at once: a reader thread may wait for input that never comes."""
    try:
        sys.stderr.flush()
    finally:
        os._exit(status)
