"""What a model is: `pfamnet-scan --info` and `--list-families`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click

from ..errors import PfamnetError

LISTED = ("accession", "name", "length", "clan", "ga_sequence", "ga_domain", "description")


def print_model(path: str | None, whole_list: bool, warn: Callable[[str], None]) -> None:
    """Print the families of a model as a table, or a few lines about it."""
    from ..api import Model

    if sys.stdout is None:
        raise PfamnetError("stdout is closed")
    model = Model(path, warn)
    try:
        lines = families_of(model) if whole_list else about(model)
        lines = [line.encode("utf-8", "surrogateescape") for line in lines]
    except (KeyError, TypeError, ValueError, AttributeError):  # a scan does not need what --info reads
        raise PfamnetError(f"{model.path}: model.json lacks what --info needs") from None
    for line in lines:
        click.echo(line)


def families_of(model) -> Iterator[str]:
    """The lines of a table of families, its column names first."""
    yield "#" + "\t".join(LISTED)
    for family in model.families:
        cutoffs = [f"{bits:.2f}" for bits in family.ga] if family.ga else ["", ""]
        fields = family.accession, family.name, str(family.length), family.clan, *cutoffs, family.description
        yield "\t".join(field.replace("\t", " ") or "-" for field in fields)


def about(model) -> Iterator[str]:
    """Name, families, networks, thresholds and licence of a model."""
    families, description = model.families, model.description
    clans = {family.clan for family in families if family.clan}
    count = lambda field: sum(getattr(family, field) is not None for family in families)
    yield f"model        {model.name} ({model.path})"
    members = sum(bool(family.clan) for family in families)
    yield f"families     {len(families):,}, of these {members:,} in {len(clans):,} clans"
    yield "cutoffs      " + ", ".join(f"{name.upper()}: {count(name):,}" for name in ("ga", "tc", "nc"))
    for name, network in description.get("networks", {}).items():
        yield f"network      {name}: blocks of {network['block']} residues"
        for sensitivity, choice in network["sensitivities"].items():
            number = f"on average at most {choice['candidates']:,} candidates per 1,024 residues"
            recall = f"chosen for a recall of {choice['recall']:.2%}" if "recall" in choice else ""
            yield "  " + ", ".join(filter(None, (f"{sensitivity:<11}{number}", recall)))
    if not description.get("networks"):
        yield "network      none: every profile is searched"
    options = description.get("provenance", {}).get("options", {})
    yield f"licence      {options.get('license') or 'not stated'}"
    if description:
        yield f"built by     pfamnet {description['pfamnet']}"
