"""The command line of `pfamnet-scan`: hmmscan's options, and some more."""

from __future__ import annotations

import click

from .arguments import model_and_files
from .common import (
    CONTEXT,
    File,
    GroupedCommand,
    Number,
    Whole,
    complain,
    options_of,
    refuse_others,
    threads_of,
    version_option,
)
from .model_info import print_model
from .save_hmm import save_profiles
from .scan_checks import HINTS, HMMSCANS, check_conflicts, without_effect
from .scan_files import check_files, scan_files
from .scan_settings import inputs_of, journals_of, outputs_of

NUMBER, POSITIVE, FINITE, COUNT = Number(), Number(above=0), Number(above=0, finite=True), Whole(min=0)
SEED = Whole(0, 2**32 - 1)  # the bits that HMMER's generator takes
FORMATS = ["fasta", "embl", "genbank", "ddbj", "uniprot", "daemon", "hmmpgmd", "stockholm", "pfam", "a2m"]
FORMATS += ["psiblast", "selex", "afa", "clustal", "clustallike", "phylip", "phylips"]
MODES = ["auto", "hybrid", "profiles", "network"]

basic = options_of("Basic options")
output = options_of("Options controlling output")
reporting = options_of("Options controlling reporting thresholds")
inclusion = options_of("Options controlling inclusion (significance) thresholds")
cutoffs = options_of("Options for model-specific thresholding")
network = options_of("Options controlling the network")
filters = options_of("Options controlling acceleration heuristics")
expert = options_of("Other expert options")


@click.command("pfamnet-scan", cls=GroupedCommand, context_settings=CONTEXT, hints=HINTS, first=HMMSCANS)
@click.argument("files", metavar="[<model>] <seqfile> ...", nargs=-1, type=File(readable=False))
@version_option()
@basic("--verbose", bool, "Report model, mode and totals on stderr.")
@basic("--quiet", bool, "Print only errors on stderr: no notes, warnings or progress.")
@basic("--info", bool, "Describe the model and exit.")
@basic("--list-families", bool, "List the families of the model and exit.")
@output("-o", "<f>", "Direct the main output to file <f>, not stdout.", "out")
@output("--tblout", "<f>", "Save hmmscan's table of per-sequence hits to file <f>.")
@output("--domtblout", "<f>", "Save hmmscan's table of per-domain hits to file <f>.")
@output("--pfamtblout", "<f>", "Save hmmscan's table of hits and domains to file <f>.")
@output("--architecture", "<f>", "Save the names of each protein's domains to file <f>, a line each.")
@output("--pfamscan", "<f>", "Save the domains as pfam_scan's table to file <f>.")
@output("--gff3", "<f>", "Save the domains as GFF3 features to file <f>.")
@output("--json-lines", "<f>", "Save the hits as JSON, one line per query, to file <f>.")
@output("--save-hmm", "<f>", "Save the model's profiles in HMMER's format to file <f>; no <seqfile>.")
@output("--parquet", "<f>", "Save the domains as Parquet to file <f>; needs pyarrow.")
@output("-A", "<f>", "Save the included domains, aligned to their profiles, to file <f>.", "stockholm")
@output("--report", ["tsv", "text", "html"], "Main output: table, text report or web page.", default="tsv")
@output(
    "--clan-overlaps", ["all", "best"], "Report overlapping domains of a clan: all or best.", default="all"
)
@output("--top", bool, "One row per query: its most likely family, whatever the E-value.")
@output("--resume", bool, "Continue an interrupted scan; give it on the first run too.")
@output("--title", "<s>", "Title of the web page.  [the sequence file]")
@output("--header/--no-header", bool, "Begin the main table with column names, or not.", default=True)
@output("--no-date", bool, "Omit date and directories, so that equal results make equal files.")
@output("--acc", bool, "Prefer accessions over names in the text report.")
@output("--noali", bool, "Don't output alignments in the text report.")
@output("--notextw", bool, "Unlimit the line width of the text report.")
@output("--textw", Whole(min=120), "Set max width of lines of the text report.  [120]")
@reporting("--families", "<s>", "Report only these families: comma-separated names or accessions, or a file.")
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
@expert("-Z", FINITE, "Set # of comparisons done, for E-value calculation.  [families in the model]")
@expert("--domZ", FINITE, "Set # of significant families, for domain E-values.")
@expert("--seed", SEED, "Set the seed of the profile stage (0: arbitrary).  [42]")
@expert(
    "--qformat",
    click.Choice(FORMATS, case_sensitive=False),
    "Assert that <seqfile> is in format <s>: no autodetection.",
    metavar="<s>",
)
@expert("--translate", bool, "Sequences are nucleotides: search their open reading frames, >= 30 codons.")
@expert("--genetic-code", COUNT, "Translate with this genetic code, NCBI's number.  [1]")
@expert("--strict-empty", bool, "Fail if a sequence file has no sequences, as hmmscan does.")
@expert("--cpu", COUNT, "Number of processors to use (0: 1).  [HMMER_NCPU, or all processors]")
def scan(files, **options):
    """Find the protein domains of each sequence of the files ('-': stdin), FASTA, plain or compressed.

    <model> is a directory made by pfamnet-build, hf:ORG/NAME[@REVISION] for a model from the
    Hugging Face hub, or an HMM database, which is searched as by hmmscan. Without <model> the
    model that ships with pfamnet is used.
    """
    given = {name for name, value in options.items() if value is not None and value is not False}
    check_conflicts(given, options["mode"])
    tell = (lambda text: None) if options["quiet"] else warn
    if options["info"] or options["list_families"] or options["save_hmm"] is not None:
        if len(files) > 1:
            raise click.UsageError("--info, --list-families and --save-hmm take only a model")
        model = files[0] if files else None
        if options["save_hmm"] is None:
            refuse_others(("files", "info", "list_families", "quiet", "verbose"), "nothing is scanned")
            return print_model(model, options["list_families"], tell)
        refuse_others(("files", "save_hmm", "quiet", "verbose"), "--save-hmm scans nothing")
        check_files([options["save_hmm"]], files)
        return save_profiles(model, options["save_hmm"], tell)
    if not files:
        raise click.UsageError("Missing argument '<seqfile>'")
    model, sequences = model_and_files(files, options["qformat"])
    outputs = [*(out for _, out in outputs_of(options)), *journals_of(options)]
    check_files(outputs, inputs_of(options, files))
    if model is None and len(files) > 1:
        tell(f"note: {files[0]} holds sequences: {len(files)} sequence files, and the model that ships")
    for warning in without_effect(given, options["mode"], options["report"]):
        tell(warning)
    scan_files(model, sequences, options, threads_of(options["cpu"]), tell)


def warn(text: str) -> None:
    complain("pfamnet-scan", text)
