"""The command line of `pfamnet-build`."""

from __future__ import annotations

import sys

import click

from ..build.options import BuildOptions
from ..errors import PfamnetError
from ..signals import stopping_in_order
from ..trainset.recipes import RECIPES
from .build_checks import check_choices
from .common import CONTEXT, GroupedCommand, Real, Whole, complain, options_of, threads_of, version_option
from .look import explore_into, print_plan

NATURAL, COUNT = Whole(min=0), Whole(min=1)
POSITIVE = Real(min=0, min_open=True)
POWER, RECALL = Real(0, 1), Real(0.5, 1)
SEED = Whole(0, 2**64 - 1)  # what torch takes
PRECISIONS, BALANCES = ["auto", "fp32", "bf16", "fp16"], ["none", "inverse", "logit"]


def one_line_only(context, parameter, value):
    """A name that fits the metadata of a model card."""
    if value is not None and (not value.strip() or not value.isprintable() or len(value) > 100):
        raise click.BadParameter("must be a name of one line", context, parameter)
    return value


basic = options_of("Basic options", BuildOptions)
inputs = options_of("Options for the train sets", BuildOptions)
profiles = options_of("Options for the profiles", BuildOptions)
training = options_of("Options for training", BuildOptions)
reading = options_of("Options for thresholds", BuildOptions)
expert = options_of("Other expert options", BuildOptions)


@click.command("pfamnet-build", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("model_out", metavar="<model_out>")
@click.argument("trainsets", metavar="[<trainset> ...]", nargs=-1)
@version_option()
@basic("--resume", bool, "Continue an interrupted build with the same options.")
@basic(
    "--until",
    ["data", "training"],
    "Stop before or after the training; --resume continues, also where the work directory was moved to.",
)
@basic("--recipe", list(RECIPES), "Train on a choice of families and rows; its plan is printed and stored.")
@basic("--plan", bool, "Print the plan of --recipe to stdout and stop; nothing is written.")
@basic("--explore", "<d>", "Describe train sets (all arguments) by a page and tables in <d>; build nothing.")
@inputs("--domains", "<f>", "Table of the domains of full-length proteins (protein, start, end, accession).")
@inputs("--cut-domains", bool, "Use isolated domains, cut out of the full-length proteins.")
@inputs("--families", "<f>", "Table of names, clans and descriptions, for what the train sets lack.")
@inputs("--max-families", COUNT, "Keep the <n> families with the most rows.")
@inputs(
    "--holdout",
    Real(0, 0.5, min_open=True),
    "Fraction of rows held out for validation, in clusters of similar rows, if there is no split.",
)
@profiles("--hmm", "<f>", "Take the profiles, and their GA cutoffs, from this file (HMMER ASCII or .h3m).")
@profiles(
    "--proteins",
    "<f>",
    "Full-length proteins without labels: search them with --hmm at its GA cutoffs, and learn what is found.",
)
@profiles("--aligner", ["hmmalign", "famsa"], "How to align unaligned rows; famsa needs pfamnet[famsa].")
@profiles(
    "--emit",
    NATURAL,
    "Fill up families of fewer training rows with sequences from their profiles.  [50; 0 with --recipe]",
    default=None,
)
@training("--base", "<s>", "ESM-2 to fine-tune: a directory or a Hugging Face name.  [light network only]")
@training("--esm-residues", COUNT, "Residues that ESM-2 is fine-tuned on.")
@training(
    "--light-from",
    "<s>",
    "Start from the light network of this model, or of the 'shipped' one; new families start at random.",
)
@training(
    "--light-residues", NATURAL, "Residues to train the light network on; 0 keeps that of --light-from."
)
@training("--light-lr", POSITIVE, "Learning rate of the light network; use a lower one with --light-from.")
@training("--lr", POSITIVE, "Learning rate of ESM-2's last layer; it decreases from layer to layer below.")
@training("--head-lr", POSITIVE, "Learning rate of ESM-2's head.")
@training("--crop", Whole(min=64), "Residues of an example of ESM-2, at most.")
@training(
    "--batch", Whole(min=256), "Residues in a batch of ESM-2, and in one of the light network if above 16384."
)
@training("--accumulate", COUNT, "Batches in a step of ESM-2 (gradient accumulation).")
@training("--precision", PRECISIONS, "Arithmetic of training; auto: bf16 if the device is fast in it.")
@training("--optim", ["adamw", "adamw8bit"], "Optimizer; adamw8bit needs CUDA and pfamnet[gpu].", "optimizer")
@training("--lora", NATURAL, "Fine-tune adapters of rank <n> of query and value (LoRA); 0: all weights.")
@training("--freeze", NATURAL, "Freeze ESM-2's embedding and its lowest <n> layers: faster steps.")
@training(
    "--cache",
    NATURAL,
    "Repeat the first <n> residues, and run frozen layers once; a file of <n> times 640 bytes (ESM-2 8M).",
)
@training("--balance", BALANCES, "Weights of unbalanced families: inverse frequency, or logit adjustment.")
@training(
    "--power",
    POWER,
    "Draw families as rows ** <x>; 0: all equally, 1: by size.  [0.6, or the recipe's]",
    default=None,
)
@training("--device", "<s>", "cpu, cuda, cuda:1 ...; auto: CUDA if there is a GPU.  [auto]", default="auto")
@training(
    "--track",
    ["none", "tensorboard", "wandb"],
    "Follow the training in <model_out>.track; needs pfamnet[tensorboard] or pfamnet[wandb].",
    default="none",
)
@reading("--recall", RECALL, "Fraction of validation domains whose family must become a candidate.")
@reading(
    "--candidates",
    COUNT,
    "Candidates per 1,024 residues on average; in one protein at most twice that; fast: half, sensitive: 4x",
)
@expert("--license", "<s>", "Licence of the model: an SPDX name or another.", callback=one_line_only)
@expert("--seed", SEED, "Seed of everything random, below 2 ** 64.")
@expert("--cpu", NATURAL, "Number of threads.  [HMMER_NCPU, or all processors]")
def build(model_out, trainsets, explore, plan, resume, until, device, cpu, track, **options):
    """Train the networks and build the profiles of <trainset>, and write the model <model_out>.

    A train set is a directory in the layout of the Pfam seed split, Stockholm
    alignments (Pfam-A.seed), FASTA whose descriptions begin with the family's
    accession, or full-length proteins with --domains. With --hmm there need be
    none: the profiles label the proteins of --proteins, or emit what is learnt from.
    """
    options = with_defaults(options)
    if explore is not None:
        return explore_into(explore, (model_out, *trainsets), options)
    check_choices(trainsets, options, plan)
    asked = BuildOptions(trainsets=trainsets, **options)
    if plan:
        return print_plan(asked)
    try:
        from ..build.pipeline import Build
        from ..training.distributed import joined
    except ModuleNotFoundError as error:
        raise PfamnetError(
            f"{error.name} is not installed; for building: pip install 'pfamnet[build]'"
        ) from None
    with stopping_in_order(), joined(lambda text: complain("pfamnet-build", text)) as group:
        progress = sys.stderr.isatty()
        Build(model_out, asked, threads_of(cpu), device, resume, progress, track, group, until).run()


def with_defaults(options: dict) -> dict:
    """The options, with the recipe's value for each that was not given (None).

    With a recipe nothing is emitted, because emitted sequences would change its numbers of rows.
    """
    recipe = RECIPES.get(options["recipe"])
    power = recipe.power if recipe else BuildOptions.power
    defaults = {"power": power, "emit": 0 if recipe else BuildOptions.emit}
    return options | {name: value for name, value in defaults.items() if options[name] is None}


if __name__ == "__main__":  # torchrun -m pfamnet.cli.build ...
    from ..cli import main_build

    main_build()
