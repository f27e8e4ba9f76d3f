"""The command line of `pfamnet-scan`: hmmscan's options, and some more."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import click

from ..errors import PfamnetError
from ..signals import stopping_in_order
from .common import CONTEXT, GroupedCommand, Number, complain, default_cpus, grouped, version_option
from .scan_options import check_conflicts, given_options, idle_options, make_thresholds

SHARE = Number()
EVALUE = Number(above=0)
FORMATS = [
    "fasta",
    "embl",
    "genbank",
    "ddbj",
    "uniprot",
    "daemon",
    "hmmpgmd",
    "stockholm",
    "pfam",
    "a2m",
    "psiblast",
    "selex",
    "afa",
    "clustal",
    "clustallike",
    "phylip",
    "phylips",
]

output = grouped("Options controlling output")
reporting = grouped("Options controlling reporting thresholds")
inclusion = grouped("Options controlling inclusion (significance) thresholds")
cutoffs = grouped("Options for model-specific thresholding")
network = grouped("Options controlling the network")
filters = grouped("Options controlling acceleration heuristics")
expert = grouped("Other expert options")


@click.command("pfamnet-scan", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("files", metavar="[<model>] <seqfile>", nargs=-1, required=True)
@version_option()
@grouped("Basic options")("--verbose", is_flag=True, help="Say on stderr what is done.")
@output("-o", "out", metavar="<f>", help="Direct the main output to file <f>, not stdout.")
@output("--tblout", metavar="<f>", help="Save hmmscan's table of per-sequence hits to file <f>.")
@output("--domtblout", metavar="<f>", help="Save hmmscan's table of per-domain hits to file <f>.")
@output("--pfamtblout", metavar="<f>", help="Save hmmscan's table of hits and domains to file <f>.")
@output("--gff3", metavar="<f>", help="Save the domains as GFF3 features to file <f>.")
@output(
    "--json-lines", "json_lines", metavar="<f>", help="Save each query's hits as a line of JSON to file <f>."
)
@output(
    "--report",
    type=click.Choice(["tsv", "text", "html"]),
    default="tsv",
    show_default=True,
    help="What the main output is: the table, hmmscan's text report, or a web page.",
)
@output(
    "--clan-overlaps",
    "clan_overlaps",
    type=click.Choice(["all", "best"]),
    default="all",
    show_default=True,
    help="Report overlapping domains of one clan all, or only the best one.",
)
@output(
    "--top",
    is_flag=True,
    help="One row a query: the family it most likely is a domain of, whatever its E-value.",
)
@output(
    "--header/--no-header", default=True, help="Begin the main table with a line of column names, or not."
)
@output(
    "--no-date", is_flag=True, help="Leave date and directory out, so that equal results make equal files."
)
@output("--line-buffered", is_flag=True, help="Hand on each query's rows at once, whatever the output is.")
@output("--acc", is_flag=True, help="Prefer accessions over names in the text report.")
@output("--noali", is_flag=True, help="Don't output alignments in the text report.")
@output("--notextw", is_flag=True, help="Unlimit the line width of the text report.")
@output(
    "--textw",
    type=click.IntRange(min=120),
    metavar="<n>",
    help="Set max width of lines of the text report.  [120]",
)
@reporting("-E", "E", type=EVALUE, metavar="<x>", help="Report families <= this E-value.  [10.0]  (x>0)")
@reporting("-T", "T", type=Number(), metavar="<x>", help="Report families >= this score.")
@reporting(
    "--domE", "domE", type=EVALUE, metavar="<x>", help="Report domains <= this E-value.  [10.0]  (x>0)"
)
@reporting("--domT", "domT", type=Number(), metavar="<x>", help="Report domains >= this score.")
@inclusion(
    "--incE",
    "incE",
    type=EVALUE,
    metavar="<x>",
    help="Consider families <= this E-value as significant.  [0.01]",
)
@inclusion(
    "--incT", "incT", type=Number(), metavar="<x>", help="Consider families >= this score as significant."
)
@inclusion(
    "--incdomE",
    "incdomE",
    type=EVALUE,
    metavar="<x>",
    help="Consider domains <= this E-value as significant.  [0.01]",
)
@inclusion(
    "--incdomT",
    "incdomT",
    type=Number(),
    metavar="<x>",
    help="Consider domains >= this score as significant.",
)
@cutoffs(
    "--cut_ga",
    "cut_ga",
    is_flag=True,
    help="Use the profiles' GA gathering cutoffs; the network calls nothing alone.",
)
@cutoffs("--cut_nc", "cut_nc", is_flag=True, help="Use the profiles' NC noise cutoffs.")
@cutoffs("--cut_tc", "cut_tc", is_flag=True, help="Use the profiles' TC trusted cutoffs.")
@network(
    "--mode",
    type=click.Choice(["hybrid", "profiles", "network"]),
    default="hybrid",
    show_default=True,
    help="The network proposes and profiles decide; every profile, as hmmscan; or the network alone.",
)
@network("--fast", is_flag=True, help="Try fewer candidate families for each protein.")
@network(
    "--sensitive",
    is_flag=True,
    help="Try more candidates, without heuristic filters, by the ESM network if the model has one.",
)
@network("--network", "which", type=click.Choice(["light", "esm"]), help="Use this network of the model.")
@network("--device", metavar="<s>", help="Where the ESM network runs: cpu, cuda, cuda:1, auto.  [cpu]")
@filters("--max", "max", is_flag=True, help="Turn all heuristic filters of the profile stage off.")
@filters("--F1", "F1", type=SHARE, metavar="<x>", help="MSV threshold: promote hits w/ P <= F1.  [0.02]")
@filters("--F2", "F2", type=SHARE, metavar="<x>", help="Vit threshold: promote hits w/ P <= F2.  [1e-3]")
@filters("--F3", "F3", type=SHARE, metavar="<x>", help="Fwd threshold: promote hits w/ P <= F3.  [1e-5]")
@filters("--nobias", is_flag=True, help="Turn off the composition bias filter.")
@expert("--nonull2", is_flag=True, help="Turn off biased composition score corrections.")
@expert(
    "-Z",
    "Z",
    type=EVALUE,
    metavar="<x>",
    help="Set # of comparisons done, for E-value calculation.  [families in the model]",
)
@expert(
    "--domZ", "domZ", type=EVALUE, metavar="<x>", help="Set # of significant families, for domain E-values."
)
@expert(
    "--seed",
    type=click.IntRange(min=0),
    metavar="<n>",
    help="Set the seed of the profile stage (0: arbitrary).  [42]",
)
@expert(
    "--qformat",
    type=click.Choice(FORMATS, case_sensitive=False),
    metavar="<s>",
    help="Assert that <seqfile> is in format <s>: no autodetection.",
)
@expert(
    "--cpu",
    type=click.IntRange(min=0),
    metavar="<n>",
    help="Number of threads (0: 1).  [HMMER_NCPU, or all processors]",
)
def scan(files, **options):
    """Find the protein domains of each sequence of <seqfile> ('-': stdin), FASTA, plain or gzip.

    <model> is a directory made by pfamnet-build, hf:ORG/NAME[@REVISION] for one of the
    Hugging Face hub, or an HMM database, which is scanned as by hmmscan; without it the
    model that ships with pfamnet is used.
    """
    model_path, query = split_files(files)
    given = given_options(options)
    check_conflicts(given, options["mode"])
    thresholds = make_thresholds(options)
    threads = default_cpus() if options["cpu"] is None else max(1, options["cpu"])
    say = (lambda text: complain("pfamnet-scan", text)) if options["verbose"] else (lambda text: None)
    for note in idle_options(given, options["mode"], options["report"]):
        complain("pfamnet-scan", note)
    scan_file(model_path, query, options, thresholds, threads, say)


def scan_file(model_path: Path, query: str, options: dict, thresholds, threads: int, say) -> None:
    """Scan one file; `say` takes lines for who wants to know."""
    from ..io.sequences import no_nucleotides, read_sequences
    from ..output.outputs import Outputs
    from ..scan.workers import in_order

    model, scan_some = open_scanner(model_path, options, thresholds, threads)
    gc.freeze()
    gc.enable()
    say(f"model {model.path}: {len(model.families)} families; mode {options['mode']}; {threads} threads")
    warn = lambda text: complain("pfamnet-scan", text)
    begun, sequences, residues, found = time.monotonic(), 0, 0, 0
    with stopping_in_order(), Outputs(options, query, model.name, thresholds, model.families) as outputs:
        records = no_nucleotides(read_sequences(query, options["qformat"]), query, warn)
        for record, hits in in_order(records, scan_some, threads):
            outputs.write(record, hits)
            sequences, residues = sequences + 1, residues + len(record.sequence)
            found += sum(hit.reported for hit in hits)
    if not sequences:
        warn(f"note: {query}: no sequences")
    say(f"{sequences} sequences, {residues} residues, {found} hits in {time.monotonic() - begun:.1f} s")


def open_scanner(path: Path, options: dict, thresholds, threads: int):
    """The model, and the function that scans some sequences with it.

    A file in the place of a model is an HMM database: it has no network.
    """
    model = open_any(path, options)
    return model, make_scanner(model, options, thresholds, threads)


def make_scanner(model, options: dict, thresholds, threads: int = 1):
    """The function that scans some sequences with a model: the hits of each."""
    mode = options["mode"]
    effort = "fast" if options["fast"] else "sensitive" if options["sensitive"] else "default"
    which = options["which"]
    if which and mode != "profiles" and which not in model.networks:
        raise PfamnetError(f"{model.path}: has no {which} network")
    best, device = options["clan_overlaps"] == "best", options["device"] or "cpu"
    alignments = best or options["report"] == "text"
    if options["top"]:
        from ..scan.top import TopScanner

        scanner = TopScanner(model, thresholds, effort, which, device, alignments, mode != "network")
    else:
        scanner = usual_scanner(model, mode, thresholds, effort, which, device, alignments, threads)
    return only_best(scanner, model) if best else scanner.scan


def usual_scanner(
    model, mode: str, thresholds, effort: str, which: str | None, device: str, alignments: bool, threads: int
):
    """The scanner of a mode."""
    from ..scan.scanner import NetworkScanner, ProfileScanner, Scanner

    if mode == "profiles" or not model.networks:
        return ProfileScanner(model, thresholds, effort, alignments, threads)
    if mode == "network":
        return NetworkScanner(model, thresholds, effort, which, device)
    return Scanner(model, thresholds, effort, which, device, alignments, threads)


def only_best(scanner, model):
    """What the scanner finds without the lesser of overlapping families of a clan."""
    from ..profiles.search import SearchedHits
    from ..scan.clans import best_of_clans

    if not any(family.clan for family in model.families):
        complain("pfamnet-scan", "note: --clan-overlaps best changes nothing: no clans are known here")

    def best(found):
        hits = best_of_clans(found, model.families)
        return found.with_hits(hits) if isinstance(found, SearchedHits) else hits

    return lambda records: [best(found) for found in scanner.scan(records)]


def open_any(path: Path, options: dict):
    """The model of a directory or of an HMM database."""
    from ..model.directory import open_model
    from ..model.hmm_database import find_library, open_library

    if str(path).startswith("hf:"):
        return open_model(*fetched(path))
    library = find_library(path)
    if library is None:
        return open_model(path)
    if options["mode"] == "network" or options["which"] or options["top"]:
        raise click.UsageError(f"{path} is an HMM database and has no network")
    model = open_library(library)
    if options["mode"] != "profiles":
        complain(
            "pfamnet-scan",
            f"{path} has no network: every profile is tried; to build one: "
            f"pfamnet-build --hmm {path} <model_out> <trainset>",
        )
    return model


def fetched(path: Path) -> tuple[Path, str]:
    """A model of the hub: its directory in the cache, and its name."""
    from ..model.hub import fetch_model

    with stopping_in_order():  # what is half fetched goes
        return fetch_model(str(path), lambda text: complain("pfamnet-scan", text))


def split_files(files: tuple[str, ...]) -> tuple[Path, str]:
    """The model's path and the sequence file of the command line."""
    if len(files) > 2:
        raise click.UsageError(f"too many arguments: one model and one sequence file, not {len(files)}")
    return (Path(files[0]) if len(files) == 2 else shipped_model()), files[-1]


def shipped_model() -> Path:
    """The model that comes with the package: beside it when installed, above it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for data in (package / "data", package.parent / "data"):
        for description in sorted(data.glob("*/model.json")):
            return description.parent
    raise PfamnetError("no model comes with this installation; name a model directory")
