"""The command line of `pfamnet-scan`: hmmscan's options, and some more."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import shlex
import stat
import sys
import time
from pathlib import Path

import click

from ..signals import stopping_in_order
from .common import CONTEXT, GroupedCommand, Number, complain, options_of, threads_of, version_option
from .overwriting import check_outputs

NUMBER, POSITIVE, COUNT = Number(), Number(above=0), click.IntRange(min=0)
SEED = click.IntRange(0, 2**32 - 1)  # the bits that HMMER's generator takes
FORMATS = ["fasta", "embl", "genbank", "ddbj", "uniprot", "daemon", "hmmpgmd", "stockholm", "pfam", "a2m"]
FORMATS += ["psiblast", "selex", "afa", "clustal", "clustallike", "phylip", "phylips"]

# The conflicts are hmmscan 3.4's, checked against the program.
CUTOFFS = {"cut_ga": "gathering", "cut_nc": "noise", "cut_tc": "trusted"}
LIMITS = ("E", "T", "domE", "domT", "incE", "incT", "incdomE", "incdomT")
FILTERS = ("F1", "F2", "F3", "nobias")
EXCLUSIVE = (
    *zip(LIMITS[::2], LIMITS[1::2]),
    *itertools.combinations(CUTOFFS, 2),
    *itertools.product(CUTOFFS, LIMITS),
    *itertools.product(("max", "sensitive"), FILTERS),
    ("notextw", "textw"),
    ("fast", "sensitive"),
    *itertools.product(("top",), (*CUTOFFS, *LIMITS[:4])),  # one row whatever its numbers are
)
# Options without effect, by where they have none.
IN_TABLES = ("acc", "noali", "notextw", "textw")
PROFILE_STAGE = ("max", *FILTERS, "nonull2", "domZ", "seed")
NETWORK_STAGE = ("fast", "network", "device")
MODES = ["auto", "hybrid", "profiles", "network"]
LONG = 20_000  # bytes of sequences, some 40 proteins: what is worth processes of its own
MET = 50  # bytes for each family in sequences that meet nearly all profiles
TABLES = ("tblout", "domtblout", "pfamtblout", "gff3", "json_lines")

basic = options_of("Basic options")
output = options_of("Options controlling output")
reporting = options_of("Options controlling reporting thresholds")
inclusion = options_of("Options controlling inclusion (significance) thresholds")
cutoffs = options_of("Options for model-specific thresholding")
network = options_of("Options controlling the network")
filters = options_of("Options controlling acceleration heuristics")
expert = options_of("Other expert options")


@click.command("pfamnet-scan", cls=GroupedCommand, context_settings=CONTEXT)
@click.argument("files", metavar="[<model>] <seqfile>", nargs=-1)
@version_option()
@basic("--verbose", bool, "Report progress on stderr.")
@output("-o", "<f>", "Direct the main output to file <f>, not stdout.", "out")
@output("--tblout", "<f>", "Save hmmscan's table of per-sequence hits to file <f>.")
@output("--domtblout", "<f>", "Save hmmscan's table of per-domain hits to file <f>.")
@output("--pfamtblout", "<f>", "Save hmmscan's table of hits and domains to file <f>.")
@output("--gff3", "<f>", "Save the domains as GFF3 features to file <f>.")
@output("--json-lines", "<f>", "Save the hits as JSON, one line per query, to file <f>.")
@output("--save-hmm", "<f>", "Save the model's profiles in HMMER's format to file <f>; no <seqfile>.")
@output("--report", ["tsv", "text", "html"], "Main output: table, text report or web page.", default="tsv")
@output(
    "--clan-overlaps", ["all", "best"], "Report overlapping domains of a clan: all or best.", default="all"
)
@output("--top", bool, "One row per query: its most likely family, whatever the E-value.")
@output("--header/--no-header", bool, "Begin the main table with column names, or not.", default=True)
@output("--no-date", bool, "Omit date and directory, so that equal results make equal files.")
@output("--acc", bool, "Prefer accessions over names in the text report.")
@output("--noali", bool, "Don't output alignments in the text report.")
@output("--notextw", bool, "Unlimit the line width of the text report.")
@output("--textw", click.IntRange(min=120), "Set max width of lines of the text report.  [120]")
@reporting("-E", POSITIVE, "Report families <= this E-value.  [10.0]  (x>0)")
@reporting("-T", NUMBER, "Report families >= this score.")
@reporting("--domE", POSITIVE, "Report domains <= this E-value.  [10.0]  (x>0)")
@reporting("--domT", NUMBER, "Report domains >= this score.")
@inclusion("--incE", POSITIVE, "Consider families <= this E-value as significant.  [0.01]")
@inclusion("--incT", NUMBER, "Consider families >= this score as significant.")
@inclusion("--incdomE", POSITIVE, "Consider domains <= this E-value as significant.  [0.01]")
@inclusion("--incdomT", NUMBER, "Consider domains >= this score as significant.")
@cutoffs("--cut_ga", bool, "Use the profiles' GA gathering cutoffs; the network alone calls nothing.")
@cutoffs("--cut_nc", bool, "Use the profiles' NC noise cutoffs.")
@cutoffs("--cut_tc", bool, "Use the profiles' TC trusted cutoffs.")
@network(
    "--mode",
    MODES,
    "hybrid: profiles of the network's candidates; profiles: every one, as hmmscan; network alone; "
    "auto: profiles if that is as fast, else hybrid.",
    default="auto",
)
@network("--fast", bool, "Search fewer candidate families for each protein.")
@network(
    "--sensitive", bool, "Search more candidates, with fewer filters; the ESM network, if any, proposes."
)
@network("--network", ["light", "esm"], "Use this network of the model.")
@network("--device", "<s>", "Where the ESM network runs: cpu, cuda, cuda:1, auto.  [cpu]")
@filters("--max", bool, "Turn all heuristic filters of the profile stage off.")
@filters("--F1", NUMBER, "MSV threshold: promote hits w/ P <= F1.  [0.02]")
@filters("--F2", NUMBER, "Vit threshold: promote hits w/ P <= F2.  [1e-3]")
@filters("--F3", NUMBER, "Fwd threshold: promote hits w/ P <= F3.  [1e-5]")
@filters("--nobias", bool, "Turn off the composition bias filter.")
@expert("--nonull2", bool, "Turn off biased composition score corrections.")
@expert("-Z", POSITIVE, "Set # of comparisons done, for E-value calculation.  [families in the model]")
@expert("--domZ", POSITIVE, "Set # of significant families, for domain E-values.")
@expert("--seed", SEED, "Set the seed of the profile stage (0: arbitrary).  [42]")
@expert(
    "--qformat",
    click.Choice(FORMATS, case_sensitive=False),
    "Assert that <seqfile> is in format <s>: no autodetection.",
    metavar="<s>",
)
@expert("--cpu", COUNT, "Number of processors to use (0: 1).  [HMMER_NCPU, or all processors]")
def scan(files, **options):
    """Find the protein domains of each sequence of <seqfile> ('-': stdin), FASTA, plain or compressed.

    <model> is a directory made by pfamnet-build, hf:ORG/NAME[@REVISION] for a model from the
    Hugging Face hub, or an HMM database, which is searched as by hmmscan. Without <model> the
    model that ships with pfamnet is used.
    """
    if options["save_hmm"]:
        return save_profiles(files, options.pop("save_hmm"), options)
    if not files:
        raise click.UsageError("Missing argument '[<model>] <seqfile>'.")
    if len(files) > 2:
        raise click.UsageError(f"too many arguments: one model and one sequence file, not {len(files)}")
    given = {name for name, value in options.items() if value is not None and value is not False}
    check_conflicts(given, options["mode"])
    check_outputs([options["out"], *(options[name] for name in TABLES if options[name])], files)
    for warning in without_effect(given, options["mode"], options["report"]):
        warn(warning)
    scan_file(files[0] if len(files) == 2 else None, files[-1], options, threads_of(options["cpu"]))


def scan_file(model_path: str | None, query: str, options: dict, threads: int) -> None:
    """Scan one file."""
    from ..io.sequences import no_nucleotides, read_sequences
    from ..model.hmm_database import find_database
    from ..output.outputs import Outputs
    from ..scan.opening import mode_of, needs_network, open_scanner, shipped_model
    from ..scan.workers import in_order

    say = warn if options["verbose"] else lambda text: None
    path = Path(model_path) if model_path else shipped_model()
    scan_options = as_scan_options(options, threads)
    if needs_network(scan_options) and find_database(path):
        raise click.UsageError(f"{path} is an HMM database and has no network")
    model, scanner = open_scanner(path, scan_options, warn)
    gc.freeze()
    gc.enable()
    mode = mode_of(model, scan_options)
    chosen = f"mode {mode}" + (", chosen by --mode auto" if options["mode"] == "auto" else "")
    say(f"model {model.path}: {len(model.families)} families; {chosen}; {threads} threads")
    begun, sequences, residues, found = time.monotonic(), 0, 0, 0
    written = as_output_options(options, query, mode), model.name, scan_options.thresholds, model.families
    # where the network proposes, threads take no longer
    several = threads > 1 and mode == "profiles" and is_longer(query, LONG)
    if several and is_longer(query, MET * len(model.families)):
        model.store.prepare(range(len(model.families)), threads)  # once for all processes
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopping_in_order())
        working = scanner.scan
        if several:
            from ..scan.processes import Workers

            working = stack.enter_context(Workers(scanner.scan, threads)).calls
        records = no_nucleotides(read_sequences(query, options["qformat"], warn=warn), query, warn)
        # before any output is opened: an input that cannot be read leaves old results as they are
        records = itertools.chain(list(itertools.islice(records, 1)), records)
        outputs = stack.enter_context(Outputs(*written))
        for record, hits in in_order(records, working, threads):
            outputs.write(record, hits)
            sequences, residues = sequences + 1, residues + len(record.sequence)
            found += sum(hit.reported for hit in hits)
    if not sequences:
        warn(f"warning: {query}: no sequences")
    say(f"{sequences} sequences, {residues} residues, {found} hits in {time.monotonic() - begun:.1f} s")


def save_profiles(files: tuple[str, ...], out: str, options: dict) -> None:
    """Write the profiles of a model to a file of HMMER's: ASCII, or binary if it is named `.h3m`."""
    from ..io.replacing import replacing
    from ..scan.opening import open_any, shipped_model

    if len(files) > 1:
        raise click.UsageError("--save-hmm takes a model and no sequence file")
    check_outputs([out], files)
    model = open_any(Path(files[0]) if files else shipped_model(), as_scan_options(options, 1), warn)
    with replacing(out) as partial, open(partial, "wb") as file:
        for index in range(len(model.store)):
            model.store.hmm(index).write(file, binary=out.endswith(".h3m"))


def is_longer(query: str, size: int) -> bool:
    """Whether a sequence file has more bytes; one of unknown size, such as a pipe, has."""
    try:
        status = os.stat(query)
    except OSError:
        return query == "-"
    return not stat.S_ISREG(status.st_mode) or status.st_size > size


def warn(text: str) -> None:
    complain("pfamnet-scan", text)


def flag(name: str) -> str:
    """The option as it is typed."""
    return f"-{name}" if len(name) == 1 else f"--{name}"


def check_conflicts(given: set[str], mode: str) -> None:
    """Raise click.UsageError if two options exclude each other."""
    for one, other in EXCLUSIVE:
        if one in given and other in given:
            raise click.UsageError(f"{flag(one)} and {flag(other)} exclude each other")
    for name in CUTOFFS:
        if mode == "network" and name in given:
            raise click.UsageError(f"{flag(name)} is for profiles, and --mode network uses none")
    if mode == "profiles" and "top" in given:
        raise click.UsageError("--top needs the network, and --mode profiles has none")


def without_effect(given: set[str], mode: str, report: str = "tsv") -> list[str]:
    """A warning for each place in which options that were given have no effect."""
    places = {"text": [], "html": [("on a page", IN_TABLES)]}.get(report, [("on tabular output", IN_TABLES)])
    if mode in ("profiles", "network"):
        places.append((f"with --mode {mode}", PROFILE_STAGE if mode == "network" else NETWORK_STAGE))
    idle = [(place, [flag(name) for name in names if name in given]) for place, names in places]
    return [
        f"warning: {' '.join(names)} {'have' if len(names) > 1 else 'has'} no effect {place}"
        for place, names in idle
        if names
    ]


def as_thresholds(options: dict):
    """The `Thresholds` of the profile stage."""
    from ..profiles.thresholds import Thresholds

    names = (*LIMITS, "Z", "domZ", "seed", "F1", "F2", "F3")
    thresholds = Thresholds(
        bit_cutoffs=next((CUTOFFS[name] for name in CUTOFFS if options[name]), None),
        bias_filter=not options["nobias"],
        null2=not options["nonull2"],
        **{name: options[name] for name in names if options[name] is not None},
    )
    return thresholds.unfiltered() if options["max"] else thresholds


def as_scan_options(options: dict, threads: int):
    """How to scan, as `ScanOptions`."""
    from ..scan.opening import ScanOptions

    return ScanOptions(
        sensitivity="fast" if options["fast"] else "sensitive" if options["sensitive"] else "default",
        device=options["device"] or "cpu",
        alignments=options["report"] == "text",
        threads=threads,
        thresholds=as_thresholds(options),
        **{name: options[name] for name in ("mode", "network", "top", "clan_overlaps")},
    )


def as_output_options(options: dict, query: str, mode: str):
    """What to write, as `OutputOptions`."""
    from ..output.outputs import OutputOptions

    return OutputOptions(
        query,
        shlex.join(["pfamnet-scan", *sys.argv[1:]]),
        tables={kind: options[kind] for kind in TABLES if options[kind]},
        date=not options["no_date"],
        directory=None if options["no_date"] else str(Path.cwd()),
        alignments=not options["noali"],
        width=0 if options["notextw"] else options["textw"] or 120,
        exact=mode == "profiles",
        **{name: options[name] for name in ("out", "report", "header", "acc")},
    )
