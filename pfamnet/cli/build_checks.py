"""Which options of `pfamnet-build` exclude or need each other."""

from __future__ import annotations

import click

from .common import typed

OF_ESM = ("esm_residues", "lr", "head_lr", "crop", "accumulate", "lora", "freeze", "cache")


def check_choices(trainsets: tuple[str, ...], options: dict, plan: bool) -> None:
    """Raise click.UsageError if the options of a build do not go together."""
    if options["proteins"] and not options["hmm"]:
        raise click.UsageError("--proteins are searched with given profiles: --hmm is missing")
    if not (trainsets or options["hmm"]):
        raise click.UsageError("Missing argument '<trainset> ...', or profiles: --hmm.")
    if options["domains"] and not trainsets:
        raise click.UsageError("--domains is for full-length proteins: a <trainset> is missing")
    if not (trainsets or options["proteins"]):
        if options["recipe"]:
            raise click.UsageError("--recipe chooses among rows: a <trainset> or --proteins is missing")
        if not options["emit"]:
            raise click.UsageError("--emit 0 leaves nothing to learn from: no <trainset>, no --proteins")
    if plan and options["proteins"]:
        raise click.UsageError("--plan searches nothing: not together with --proteins")
    if options["recipe"] and options["max_families"]:
        raise click.UsageError("--recipe chooses the families: not together with --max-families")
    if plan and not options["recipe"]:
        raise click.UsageError("--plan prints the plan of a recipe: --recipe is missing")
    for parameter in typed():
        if parameter.name in OF_ESM and options[parameter.name] and not options["base"]:
            raise click.UsageError(f"{parameter.opts[0]} is for fine-tuning ESM-2: --base is missing")
        if parameter.name == "aligner" and options["hmm"]:
            raise click.UsageError("--aligner is for profiles that are built: not together with --hmm")
        if plan and parameter.name in ("resume", "until"):
            raise click.UsageError(f"--plan builds nothing: not together with {parameter.opts[0]}")
    if options["cache"] and not options["freeze"]:
        raise click.UsageError("--cache keeps what frozen layers give: --freeze is missing")
    if options["cache"] and options["lora"]:
        raise click.UsageError("--lora trains adapters in all layers: not together with --cache")
    if options["cut_domains"] and not (options["domains"] or options["proteins"]):
        raise click.UsageError("--cut-domains needs a table of domains, --domains, or --proteins")
    if not (options["light_residues"] or options["light_from"]):
        raise click.UsageError("--light-residues 0 needs a model to take the network from: --light-from")
