"""Command-line conventions of all programs.

As in HMMER, help has groups, long options may be abbreviated, and none may be given twice.
An error is one line on stderr. Exit statuses: 0 done, 1 failed, 2 usage, 141 closed pipe, 128 + n ended by
signal n: 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Collection

import click
from click.core import ParameterSource

from .. import __version__
from ..errors import PfamnetError, os_reason
from ..scan.processors import at_most, usable_processors
from ..signals import Terminated

LONGEST = 900  # characters of a message
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class GroupedOption(click.Option):
    """An option under a heading of its own in the help."""

    def __init__(self, *args, group: str = "Basic options", **kwargs):
        self.group = group
        super().__init__(*args, **kwargs)


class GroupedCommand(click.Command):
    """A command whose help lists its options by group.

    `hints` are ours for options of other programs; an abbreviation is of one of the options in `first`, if it
    may be.
    """

    def __init__(
        self, *args, hints: dict[str, str] | None = None, first: Collection[str] = (), **kwargs
    ) -> None:
        self.hints, self.first = hints or {}, first
        super().__init__(*args, **kwargs)

    def format_options(self, context, formatter):
        for name, records in groups_of(self, context).items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=28)

    def parse_args(self, context, args):
        if context.resilient_parsing:  # for completion
            return super().parse_args(context, args)
        try:
            return super().parse_args(context, complete(args, self.get_params(context), self.first))
        except click.NoSuchOption as error:
            if hint := self.hints.get(error.option_name):
                raise click.UsageError(f"no option {error.option_name}: {hint} does that") from None
            raise


def groups_of(command: click.Command, context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """The options of a command and their help, by heading."""
    groups: dict[str, list] = {}
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            groups.setdefault(getattr(parameter, "group", "Basic options"), []).append(record)
    return groups


def complete(args: list[str], params, first: Collection[str] = ()) -> list[str]:
    """The arguments with abbreviated long options written out; each may be given once."""
    options = [param for param in params if isinstance(param, click.Option)]
    options = {name: option for option in options for name in (*option.opts, *option.secondary_opts)}
    given, whole, rest = set(), [], list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*whole, word, *rest]
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], "", "")
        if name not in options and word.startswith("--"):
            name = written_out(name, options, first)
            word = name + equals + value
        whole.append(word)
        option = options.get(name)
        if option is None:
            continue
        if option.name in given and not option.multiple:
            raise click.UsageError(f"option {name} is given twice")
        given.add(option.name)
        if not option.is_flag and rest and word == name:
            whole.append(rest.pop(0))
    return whole


def written_out(name: str, options, first: Collection[str] = ()) -> str:
    """The long option that begins with `name`, one in `first` if any does; `name` itself if none does."""
    fits = sorted(option for option in options if option.startswith(name))
    fits = [option for option in fits if option in first] or fits
    if len(fits) > 1:
        raise click.UsageError(f"option {name} may be any of {', '.join(fits)}")
    return fits[0] if fits else name


class File(click.Path):
    """The name of a file, which need not exist. It is not empty: a script's variable would not be set."""

    def convert(self, value, param, context):
        if not value:
            self.fail("the file name is empty", param, context)
        return super().convert(value, param, context)


class Whole(click.IntRange):
    """A whole number, in digits alone."""

    def convert(self, value, param, context):
        if "_" in str(value):  # which Python takes
            self.fail(f"{value!r} is not a whole number", param, context)
        return super().convert(value, param, context)


class Number(click.ParamType):
    """A real number; `above` is a bound that it must exceed, and a `finite` one is not infinite."""

    name = "number"

    def __init__(self, above: float | None = None, finite: bool = False):
        self.above, self.finite = above, finite

    def convert(self, value, param, context):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number) or "_" in str(value):
            self.fail(f"{value!r} is not a number", param, context)
        if self.above is not None and not number > self.above:
            self.fail(f"{value} is not over {self.above:g}", param, context)
        if self.finite and math.isinf(number):
            self.fail(f"{value} is not finite", param, context)
        return number


class Real(click.FloatRange):
    """A finite number within bounds."""

    def convert(self, value, param, context):
        number = super().convert(value, param, context)
        if "_" in str(value) or not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, context)
        return number


METAVARS = {Whole: "<n>", Real: "<x>", Number: "<x>"}


def options_of(group: str, defaults: type | None = None):
    """Declares options of one group: `option(name, kind, help, field, ...)`, the rest as for `click.option`.

    `kind` is bool for a flag, a list of choices, the metavar of a text, or a type of click's. `field`
    names the parameter. The default is that of the field in `defaults`, unless one is given.
    """

    def option(name: str, kind, help: str, field: str | None = None, **more):
        field = field or name.partition("/")[0].lstrip("-").replace("-", "_")
        default = more.setdefault("default", getattr(defaults, field, None))
        if kind is bool:
            more |= {"is_flag": True, "default": bool(default)}
        elif isinstance(kind, str):
            more["metavar"] = kind
        else:
            kind = click.Choice(kind) if isinstance(kind, list) else kind
            more = {"metavar": METAVARS.get(type(kind)), "show_default": default is not None} | more
        if isinstance(kind, str):  # a shell completes names of files
            kind = File(readable=False) if kind == "<f>" else None
        return click.option(name, field, cls=GroupedOption, group=group, help=help, type=kind, **more)

    return option


def typed() -> list[click.Parameter]:
    """The parameters of the command that were given."""
    context = click.get_current_context()
    given = lambda name: context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    return [parameter for parameter in context.command.params if given(parameter.name)]


def refuse_others(known: Collection[str], why: str) -> None:
    """Raise click.UsageError if an option was given that is not among the `known` fields; `why` begins it."""
    for parameter in typed():
        if parameter.name not in known:
            raise click.UsageError(f"{why}: not together with {parameter.opts[0]}")


def version_option():
    def show(context, _, wanted):
        if wanted:
            click.echo(f"pfamnet {__version__}")
            context.exit()

    more = {"expose_value": False, "is_eager": True, "callback": show}
    return options_of("Basic options")("--version", bool, "Show the version and exit.", **more)


def threads_of(cpu: int | None) -> int:
    """The threads that `--cpu` asks for, by default `default_cpus`."""
    return at_most(default_cpus() if cpu is None else cpu)


def default_cpus() -> int:
    """The processors that this process may use, or HMMER_NCPU, as in HMMER."""
    asked = os.environ.get("HMMER_NCPU")
    if asked is None:
        return usable_processors()
    number = asked.strip()
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise click.UsageError(f"HMMER_NCPU={asked}: not a number of threads")
    return max(1, int(number))


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status; an error is reported in one line."""
    name = command.name
    try:
        # not click's main, which handles closed pipes and SIGINT differently
        words = sys.argv[1:] if arguments is None else arguments
        variable = f"_{name}_complete".replace("-", "_").upper()
        if arguments is None and variable in os.environ:
            from click.shell_completion import shell_complete

            return shell_complete(command, {}, name, variable, os.environ[variable])
        with command.make_context(name, list(words)) as context:
            command.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        return complain(name, f"{one_line(error.format_message())} (see {name} --help)", 2)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except Terminated as end:
        return 128 + end.number
    except PfamnetError as error:
        return complain(name, one_line(str(error)), 1)
    except OSError as error:
        return 141 if error.errno == errno.EPIPE else complain(name, os_reason(error), 1)
    except MemoryError:
        return complain(name, "out of memory", 1)


def complain(name: str, message: str, status: int = 0) -> int:
    """Report something on stderr, if there is one, and return `status`."""
    if sys.stderr is not None:
        try:
            print(f"{name}: {message}", file=sys.stderr, flush=True)
        except OSError:
            pass
    return status


def one_line(text: str) -> str:
    """A message as one line of bounded length, whatever of a file it quotes."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def leave(status: int) -> None:
    """End the process at once: a reader thread may be waiting for input that never comes."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    finally:
        os._exit(status)
