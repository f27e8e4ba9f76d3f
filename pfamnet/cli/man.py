"""Manual pages of the programs, made from their help: `python -m pfamnet man scan`."""

from __future__ import annotations

import inspect
import re

import click

from .. import __version__
from .common import CONTEXT, GroupedCommand, groups_of


@click.command("pfamnet-man", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("program", type=click.Choice(["scan", "build"]))
def man(program: str) -> None:
    """Print the manual page of pfamnet-scan or pfamnet-build, for man's directory man1."""
    if program == "scan":
        from .scan import scan as command
    else:
        from .build import build as command
    click.echo(page_of(command))


def page_of(command: click.Command) -> str:
    """The page of a command, in the language of man."""
    context = click.Context(command, info_name=command.name, **CONTEXT)
    about = re.split(r"\n\s*\n", inspect.cleandoc(command.help or ""))
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH {command.name.upper()} 1 "" "pfamnet {__version__}" "pfamnet"',
        *(".SH NAME", f"{escaped(command.name)} \\- {escaped(about[0].partition('.')[0])}"),
        *(".SH SYNOPSIS", f".B {escaped(command.name)}", escaped(usage)),
        ".SH DESCRIPTION",
        *(line for part in about for line in (".PP", escaped(" ".join(part.split())))),
    ]
    for group, records in groups_of(command, context).items():
        lines.append(f".SH {escaped(group).upper()}")
        for option, text in records:
            lines += [".TP", f".B {escaped(option)}", escaped(text)]
    lines += [
        ".SH EXIT STATUS",
        "0: done; 1: failed; 2: usage; 141: closed pipe; 128 + n: ended by signal n.",
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text of which man takes nothing for a command."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text
