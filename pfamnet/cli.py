"""The two programs: `pfamnet-scan` and `pfamnet-build`.

What is heavy is imported when it is needed: `--help` and `--version` load
neither torch nor pyhmmer.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import click

from . import __version__
from .errors import PfamnetError
from .options import GroupedCommand, default_cpus, grouped, leave, run, version_option

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
POSITIVE = click.FloatRange(min=0, min_open=True)
SHARE = click.FloatRange(0, 1)

output = grouped("Options controlling output")
reporting = grouped("Options controlling reporting thresholds")
inclusion = grouped("Options controlling inclusion (significance) thresholds")
cutoffs = grouped("Options for model-specific thresholding")
network = grouped("Options controlling the network")
expert = grouped("Other expert options")


@click.command("pfamnet-scan", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("files", metavar="[<model>] <seqfile>", nargs=-1, required=True)
@version_option()
@output("-o", "out", metavar="<f>", default="-", help="Direct the main table to file <f>, not stdout.")
@output("--tblout", metavar="<f>", help="Save hmmscan's table of per-sequence hits to file <f>.")
@output("--domtblout", metavar="<f>", help="Save hmmscan's table of per-domain hits to file <f>.")
@output("--pfamtblout", metavar="<f>", help="Save hmmscan's table of hits and domains to file <f>.")
@output("--acc", is_flag=True, help="Prefer accessions over names (changes nothing in tables, as in hmmscan).")
@reporting("-E", type=POSITIVE, metavar="<x>", help="Report families <= this E-value.  [10.0]")
@reporting("-T", type=float, metavar="<x>", help="Report families >= this score.")
@reporting("--domE", "domE", type=POSITIVE, metavar="<x>", help="Report domains <= this E-value.  [10.0]")
@reporting("--domT", "domT", type=float, metavar="<x>", help="Report domains >= this score.")
@inclusion("--incE", "incE", type=POSITIVE, metavar="<x>", help="Consider families <= this E-value as significant.  [0.01]")
@inclusion("--incT", "incT", type=float, metavar="<x>", help="Consider families >= this score as significant.")
@inclusion("--incdomE", "incdomE", type=POSITIVE, metavar="<x>", help="Consider domains <= this E-value as significant.  [0.01]")
@inclusion("--incdomT", "incdomT", type=float, metavar="<x>", help="Consider domains >= this score as significant.")
@cutoffs("--cut_ga", "gathering", is_flag=True, help="Use the profiles' GA gathering cutoffs; the network calls nothing alone.")
@cutoffs("--cut_nc", "noise", is_flag=True, help="Use the profiles' NC noise cutoffs.")
@cutoffs("--cut_tc", "trusted", is_flag=True, help="Use the profiles' TC trusted cutoffs.")
@network("--fast", is_flag=True, help="Try fewer candidate families for each protein.")
@network("--sensitive", is_flag=True, help="Try more candidates, without heuristic filters, by the ESM network if the model has one.")
@network("--network", "which", type=click.Choice(["light", "esm"]), help="Use this network of the model.")
@network("--device", metavar="<s>", default="cpu", show_default=True, help="Where the ESM network runs: cpu, cuda, cuda:1, auto.")
@expert("-Z", "Z", type=POSITIVE, metavar="<x>", help="Set # of comparisons done, for E-value calculation.  [families in the model]")
@expert("--domZ", "domZ", type=POSITIVE, metavar="<x>", help="Set # of significant families, for domain E-values.")
@expert("--seed", type=click.IntRange(min=0), metavar="<n>", default=42, help="Set the seed of the profile stage (0: arbitrary).  [42]")
@expert("--cpu", type=click.IntRange(min=0), metavar="<n>", help="Number of threads.  [HMMER_NCPU, or all processors]")
def scan(files, **options):
    """Find the protein domains of each sequence of <seqfile> ('-': stdin), FASTA, plain or gzip.

    <model> is a directory made by pfamnet-build; without it the model that
    ships with pfamnet is used.
    """
    from .fasta import read_fasta
    from .model import open_model
    from .scan import Scanner, in_order

    model_path, query = split_files(files)
    thresholds = make_thresholds(options)
    mode = scan_mode(options)
    model = open_model(model_path)
    if options["which"] and options["which"] not in model.networks:
        raise PfamnetError(f"{model_path}: has no {options['which']} network")
    scanner = Scanner(model, thresholds, mode, options["which"], options["device"])
    records = read_fasta(query)
    with Tables(options, query, model.name) as tables:
        for record, hits in in_order(records, scanner.hits, options["cpu"] or default_cpus()):
            tables.write(record, hits)


class Tables:
    """All tables of a scan, written query by query; closed as whole only if all went well."""

    def __init__(self, options: dict, query: str, target: str):
        from .table_headers import Trailer
        from .tables import DomtblWriter, PfamtblWriter, TblWriter, TsvWriter

        trailer = Trailer("pfamnet-scan", __version__, query, target, shlex.join(["pfamnet-scan", *sys.argv[1:]]),
                          str(Path.cwd()), time.ctime())
        self.writers = [TsvWriter(options["out"])]
        for name, kind in (("tblout", TblWriter), ("domtblout", DomtblWriter), ("pfamtblout", PfamtblWriter)):
            if options[name]:
                self.writers.append(kind(options[name], trailer))

    def write(self, record, hits) -> None:
        for writer in self.writers:
            writer.write(record, hits)
        self.writers[0].flush()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for writer in self.writers:
            writer.close() if kind is None else writer.abandon()


def split_files(files: tuple[str, ...]) -> tuple[Path, str]:
    """The model's path and the sequence file of the command line."""
    if len(files) > 2:
        raise click.UsageError(f"too many arguments: one model and one sequence file, not {len(files)}")
    return (Path(files[0]) if len(files) == 2 else shipped_model()), files[-1]


def shipped_model() -> Path:
    """The model that comes with the package: beside it when installed, above it in a checkout."""
    package = Path(__file__).resolve().parent
    for data in (package / "data", package.parent / "data"):
        for description in sorted(data.glob("*/model.json")):
            return description.parent
    raise PfamnetError("no model comes with this installation; name a model directory")


def make_thresholds(options: dict):
    """The profile stage's thresholds; options that exclude each other are refused as by hmmscan."""
    from .search import Thresholds

    given = {name for name, value in options.items() if value is not None and value is not False}
    chosen = [name for name in ("gathering", "noise", "trusted") if name in given]
    flags = {"gathering": "--cut_ga", "noise": "--cut_nc", "trusted": "--cut_tc"}
    for one, other in (("E", "T"), ("domE", "domT"), ("incE", "incT"), ("incdomE", "incdomT")):
        if {one, other} <= given:
            dashes = "-" if len(one) == 1 else "--"
            raise click.UsageError(f"{dashes}{one} and {dashes}{other} exclude each other")
        for name in (one, other):
            if chosen and name in given:
                dashes = "-" if len(name) == 1 else "--"
                raise click.UsageError(f"{flags[chosen[0]]} and {dashes}{name} exclude each other")
    if len(chosen) > 1:
        raise click.UsageError(f"{flags[chosen[0]]} and {flags[chosen[1]]} exclude each other")
    names = ("E", "T", "domE", "domT", "incE", "incT", "incdomE", "incdomT", "Z", "domZ", "seed")
    values = {name: options[name] for name in names if name in given}
    return Thresholds(bit_cutoffs=chosen[0] if chosen else None, **values)


def scan_mode(options: dict) -> str:
    if options["fast"] and options["sensitive"]:
        raise click.UsageError("--fast and --sensitive exclude each other")
    return "fast" if options["fast"] else "sensitive" if options["sensitive"] else "default"


inputs = grouped("Options for the train sets")
training = grouped("Options for training")
profiles = grouped("Options for the profiles")
reading = grouped("Options for thresholds")


@click.command("pfamnet-build", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("model_out", metavar="<model_out>")
@click.argument("trainsets", metavar="<trainset> ...", nargs=-1, required=True)
@version_option()
@click.option("--resume", is_flag=True, help="Go on with a build of the same options that was stopped.")
@click.option("--keep-work", is_flag=True, help="Keep the work directory <model_out>.work when done.")
@inputs("--domains", metavar="<f>", help="Table of the domains of full-length proteins (protein, start, end, accession).")
@inputs("--families", metavar="<f>", help="Table of names, clans and descriptions, where the train sets have none.")
@inputs("--top", type=click.IntRange(min=1), metavar="<n>", help="Take the <n> families with the most rows.")
@inputs("--holdout", type=click.FloatRange(0, 0.5, min_open=True), default=0.1, show_default=True, metavar="<x>", help="Share held out as dev where the train set has no dev fold.")
@profiles("--hmm", metavar="<f>", help="Take the profiles of this file (HMMER ASCII or .h3m), GA cutoffs included.")
@profiles("--aligner", type=click.Choice(["hmmalign", "famsa"]), default="hmmalign", show_default=True, help="How to align rows that are not aligned; famsa needs pfamnet[famsa].")
@profiles("--emit", type=click.IntRange(min=0), default=50, show_default=True, metavar="<n>", help="Fill up families of fewer train rows with sequences emitted from their profiles.")
@profiles("--compress", is_flag=True, help="Write the profiles gzip-compressed.")
@training("--base", metavar="<s>", help="ESM-2 to fine-tune: a local directory or a Hugging Face name; without it only the light network is trained.")
@training("--esm-residues", type=click.IntRange(min=1), default=40_000_000, show_default=True, metavar="<n>", help="Residues ESM-2 is fine-tuned on.")
@training("--light-residues", type=click.IntRange(min=1), default=150_000_000, show_default=True, metavar="<n>", help="Residues the light network is trained on.")
@training("--lr", type=POSITIVE, default=4e-4, show_default=True, metavar="<x>", help="Learning rate of the encoder's last layer.")
@training("--head-lr", type=POSITIVE, default=4e-3, show_default=True, metavar="<x>", help="Learning rate of the head.")
@training("--layer-decay", type=click.FloatRange(0, 1, min_open=True), default=0.8, show_default=True, metavar="<x>", help="Each layer below learns slower by this factor.")
@training("--crop", type=click.IntRange(min=64), default=256, show_default=True, metavar="<n>", help="Residues an example of ESM-2 has at most.")
@training("--batch", type=click.IntRange(min=256), default=4096, show_default=True, metavar="<n>", help="Residues in a batch of ESM-2.")
@training("--accumulate", type=click.IntRange(min=1), default=1, show_default=True, metavar="<n>", help="Batches in a step (gradient accumulation).")
@training("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto", show_default=True, help="Arithmetic of training; auto takes what the device is fast in.")
@training("--optim", "optimizer", type=click.Choice(["adamw", "adamw8bit"]), default="adamw", show_default=True, help="Optimizer; adamw8bit needs CUDA and pfamnet[gpu].")
@training("--balance", type=click.Choice(["none", "inverse", "logit"]), default="none", show_default=True, help="Weights for unbalanced families: inverse frequency, or logit adjustment.")
@training("--device", metavar="<s>", default="auto", show_default=True, help="cpu, cuda, cuda:1 ...; auto takes CUDA where there is one.")
@reading("--recall", type=click.FloatRange(0.5, 1), default=0.99, show_default=True, metavar="<x>", help="Share of dev domains whose family must become a candidate.")
@reading("--candidates", type=click.IntRange(min=1), default=64, show_default=True, metavar="<n>", help="Most candidates for each 1,024 residues (fast: a quarter; sensitive: twice).")
@expert("--seed", type=click.IntRange(min=0), default=42, show_default=True, metavar="<n>", help="Seed of all that is random.")
@expert("--cpu", type=click.IntRange(min=0), metavar="<n>", help="Number of threads.  [HMMER_NCPU, or all processors]")
def build(model_out, trainsets, resume, keep_work, device, cpu, **options):
    """Train the networks and build the profiles of <trainset>, and write the model <model_out>.

    A train set is a directory in the layout of the Pfam seed split, Stockholm
    alignments (Pfam-A.seed), FASTA whose descriptions begin with the family's
    accession, or full-length proteins with --domains.
    """
    from .build import Build, BuildOptions

    Build(model_out, BuildOptions(trainsets=trainsets, **options), cpu or default_cpus(), device,
          resume, keep_work, progress=sys.stderr.isatty()).run()


def main_scan() -> None:
    leave(run(scan))


def main_build() -> None:
    sys.exit(run(build))
