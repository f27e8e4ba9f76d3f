"""The command line of `pfamnet-build`."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import click

from ..errors import PfamnetError
from ..signals import stopping_in_order
from ..trainset.recipes import RECIPES, with_defaults
from .common import CONTEXT, GroupedCommand, complain, default_cpus, grouped, version_option
from .look import check_choices, explore_into, print_plan

POSITIVE = click.FloatRange(min=0, min_open=True)


def one_line_only(context, parameter, value):
    """A name as it may stand in the metadata of a model card."""
    if value is not None and (not value.strip() or not value.isprintable() or len(value) > 100):
        raise click.BadParameter("a name of one line is wanted", context, parameter)
    return value


expert = grouped("Other expert options")
inputs = grouped("Options for the train sets")
training = grouped("Options for training")
profiles = grouped("Options for the profiles")
reading = grouped("Options for thresholds")


@click.command("pfamnet-build", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("model_out", metavar="<model_out>")
@click.argument("trainsets", metavar="<trainset> ...", nargs=-1)
@version_option()
@click.option("--resume", is_flag=True, help="Go on with a build of the same options that was stopped.")
@click.option("--keep-work", is_flag=True, help="Keep the work directory <model_out>.work when done.")
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    help="Learn from a choice of families and rows; the plan is said and stored.",
)
@click.option(
    "--plan", is_flag=True, help="Print the plan of --recipe to stdout and stop; nothing is written."
)
@click.option(
    "--explore",
    metavar="<d>",
    help="Look at train sets, all folds of them, without building: a page and tables in the directory <d>. All arguments are train sets then.",
)
@inputs(
    "--domains",
    metavar="<f>",
    help="Table of the domains of full-length proteins (protein, start, end, accession).",
)
@inputs(
    "--cut-domains",
    is_flag=True,
    help="Cut the domains out of full-length proteins: isolated domains take their place.",
)
@inputs(
    "--families",
    metavar="<f>",
    help="Table of names, clans and descriptions, where the train sets have none.",
)
@inputs("--top", type=click.IntRange(min=1), metavar="<n>", help="Take the <n> families with the most rows.")
@inputs(
    "--holdout",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.1,
    show_default=True,
    metavar="<x>",
    help="Share held out as dev where the train set has no dev fold.",
)
@inputs(
    "--holdout-by",
    type=click.Choice(["row", "cluster"]),
    default="row",
    show_default=True,
    help="Hold out row by row, or clusters of rows that resemble each other.",
)
@inputs(
    "--similarity",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.05,
    show_default=True,
    metavar="<x>",
    help="Rows of one cluster share at least 5 words of 5 residues and more than this share of the shorter one's.",
)
@profiles(
    "--hmm", metavar="<f>", help="Take the profiles of this file (HMMER ASCII or .h3m), GA cutoffs included."
)
@profiles(
    "--aligner",
    type=click.Choice(["hmmalign", "famsa"]),
    default="hmmalign",
    show_default=True,
    help="How to align rows that are not aligned; famsa needs pfamnet[famsa].",
)
@profiles(
    "--emit",
    type=click.IntRange(min=0),
    metavar="<n>",
    help="Fill up families of fewer train rows with sequences emitted from their profiles.  [50; 0 with --recipe]",
)
@profiles("--compress", is_flag=True, help="Write the profiles gzip-compressed.")
@training(
    "--base",
    metavar="<s>",
    help="ESM-2 to fine-tune: a local directory or a Hugging Face name; without it only the light network is trained.",
)
@training(
    "--esm-residues",
    type=click.IntRange(min=1),
    default=40_000_000,
    show_default=True,
    metavar="<n>",
    help="Residues ESM-2 is fine-tuned on.",
)
@training(
    "--light-from",
    metavar="<s>",
    help="Begin with the light network of this model directory; families that it lacks begin anew.",
)
@training(
    "--light-width",
    type=click.IntRange(min=8),
    metavar="<n>",
    help="Channels of the light network; with --light-from those that carry the most of its.  [192; those of --light-from]",
)
@training(
    "--light-stride",
    type=click.Choice(["1", "2", "4", "8"]),
    callback=lambda _, __, value: value and int(value),
    metavar="<n>",
    help="Residues that the light network's first convolution takes at once; with --light-from a divisor of its.  [2; that of --light-from]",
)
@training(
    "--light-residues",
    type=click.IntRange(min=0),
    default=150_000_000,
    show_default=True,
    metavar="<n>",
    help="Residues the light network is trained on; 0 with --light-from takes it as it is.",
)
@training(
    "--light-lr",
    type=POSITIVE,
    default=3e-3,
    show_default=True,
    metavar="<x>",
    help="Learning rate of the light network; a lower one for what --light-from gives.",
)
@training(
    "--lr",
    type=POSITIVE,
    default=4e-4,
    show_default=True,
    metavar="<x>",
    help="Learning rate of the encoder's last layer.",
)
@training(
    "--head-lr",
    type=POSITIVE,
    default=1e-3,
    show_default=True,
    metavar="<x>",
    help="Learning rate of the head.",
)
@training(
    "--crop",
    type=click.IntRange(min=64),
    default=256,
    show_default=True,
    metavar="<n>",
    help="Residues an example of ESM-2 has at most.",
)
@training(
    "--batch",
    type=click.IntRange(min=256),
    default=4096,
    show_default=True,
    metavar="<n>",
    help="Residues in a batch of ESM-2.",
)
@training(
    "--accumulate",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="<n>",
    help="Batches in a step (gradient accumulation).",
)
@training(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="Arithmetic of training; auto takes what the device is fast in.",
)
@training(
    "--light-precision",
    type=click.Choice(["int8", "fp32"]),
    default="int8",
    show_default=True,
    help="Arithmetic the light network scans with.",
)
@training(
    "--optim",
    "optimizer",
    type=click.Choice(["adamw", "adamw8bit"]),
    default="adamw",
    show_default=True,
    help="Optimizer; adamw8bit needs CUDA and pfamnet[gpu].",
)
@training(
    "--lora",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="<n>",
    help="Fine-tune ESM-2 by adapters of rank <n> of query and value (LoRA); 0: all weights.",
)
@training(
    "--freeze",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="<n>",
    help="Leave ESM-2's embedding and its lowest <n> layers as they are: quicker steps.",
)
@training(
    "--checkpoint-activations",
    is_flag=True,
    help="Compute ESM-2's inner values again for the gradients: less memory, more time.",
)
@training(
    "--balance",
    type=click.Choice(["none", "inverse", "logit"]),
    default="none",
    show_default=True,
    help="Weights for unbalanced families: inverse frequency, or logit adjustment.",
)
@training(
    "--power",
    type=click.FloatRange(0, 1),
    metavar="<x>",
    help="Draw families as their rows ** <x>: 0 all alike, 1 by their size.  [0.6; as the recipe has it]",
)
@training(
    "--device",
    metavar="<s>",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1 ...; auto takes CUDA where there is one.",
)
@reading(
    "--recall",
    type=click.FloatRange(0.5, 1),
    default=0.995,
    show_default=True,
    metavar="<x>",
    help="Share of dev domains whose family must become a candidate.",
)
@reading(
    "--candidates",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="<n>",
    help="Candidates for each 1,024 residues on average; of one protein at most twice as many (fast: a half; sensitive: four times as many).",
)
@training(
    "--track",
    type=click.Choice(["none", "tensorboard", "wandb"]),
    default="none",
    show_default=True,
    help="Follow the training with TensorBoard or Weights & Biases, in <model_out>.track; needs pfamnet[tensorboard] or pfamnet[wandb].",
)
@expert(
    "--license",
    callback=one_line_only,
    metavar="<s>",
    help="Licence of the model, for its model card: an SPDX name as cc0-1.0, or another name.  [not stated]",
)
@expert(
    "--seed",
    type=click.IntRange(min=0),
    default=42,
    show_default=True,
    metavar="<n>",
    help="Seed of all that is random.",
)
@expert(
    "--cpu",
    type=click.IntRange(min=0),
    metavar="<n>",
    help="Number of threads.  [HMMER_NCPU, or all processors]",
)
def build(model_out, trainsets, explore, plan, resume, keep_work, device, cpu, track, **options):
    """Train the networks and build the profiles of <trainset>, and write the model <model_out>.

    A train set is a directory in the layout of the Pfam seed split, Stockholm
    alignments (Pfam-A.seed), FASTA whose descriptions begin with the family's
    accession, or full-length proteins with --domains.
    """
    options = with_defaults(options)
    if explore is not None:
        return explore_into(explore, (model_out, *trainsets), options)
    check_choices(trainsets, options, plan)
    if plan:
        return print_plan(SimpleNamespace(trainsets=trainsets, **options))
    try:
        from ..build.pipeline import Build, BuildOptions
        from ..training.distributed import joined
    except ModuleNotFoundError as error:
        raise PfamnetError(
            f"{error.name} is not installed; for building: pip install 'pfamnet[build]'"
        ) from None

    with stopping_in_order(), joined(lambda text: complain("pfamnet-build", text)) as group:
        Build(
            model_out,
            BuildOptions(trainsets=trainsets, **options),
            cpu or default_cpus(),
            device,
            resume,
            keep_work,
            sys.stderr.isatty(),
            track,
            group,
        ).run()


if __name__ == "__main__":  # torchrun -m pfamnet.cli.build ...
    from ..cli import main_build

    main_build()
