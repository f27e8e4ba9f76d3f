"""Which options of `pfamnet-scan` exclude each other or have no effect, and what others are called here."""

from __future__ import annotations

import itertools

import click

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
    ("quiet", "verbose"),
    ("families", "top"),
    *itertools.product(("top",), (*CUTOFFS, *LIMITS[:4])),  # one row whatever its numbers are
)
# Options without effect, by where they have none.
IN_TABLES = ("acc", "noali", "notextw", "textw")
PROFILE_STAGE = ("max", *FILTERS, "nonull2", "domZ", "seed")
NETWORK_STAGE = ("fast", "network", "device")
# hmmscan's long options, whose abbreviations are unique there
TABLES = ("tblout", "domtblout", "pfamtblout")
EXPERT = ("max", "nonull2", "domZ", "seed", "qformat", "cpu")
HMMSCANS = {f"--{name}" for name in (*TABLES, *EXPERT, *LIMITS[2:], *FILTERS, *CUTOFFS, *IN_TABLES)}
# Options of other programs, and what does the same here.
HINTS = {
    **dict.fromkeys(("--threads", "--num-threads", "--jobs", "-t", "-j", "-p"), "--cpu"),
    **dict.fromkeys(("--evalue", "--e-value", "--eval", "-e"), "-E"),
    **dict.fromkeys(("--output", "--out", "--outfile", "--tsv"), "-o"),
    **dict.fromkeys(("--gathering", "--cut-ga", "--ga"), "--cut_ga"),
    **{"--cut-nc": "--cut_nc", "--cut-tc": "--cut_tc", "--Z": "-Z", "--html": "--report html"},
    **{"--text": "--report text", "--format": "--qformat", "--silent": "--quiet"},
    **dict.fromkeys(("--model", "--db", "--database", "--hmm"), "the first argument, <model>,"),
    **dict.fromkeys(("--input", "--fasta", "--query", "-i"), "the last argument, <seqfile>,"),
}


def flag(name: str) -> str:
    """The option as it is typed."""
    return f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-') if name not in CUTOFFS else name}"


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
    if report != "html":
        places = [*places, ("without --report html", ("title",))]
    if "translate" not in given:
        places = [*places, ("without --translate", ("genetic_code",))]
    if mode in ("profiles", "network"):
        places.append((f"with --mode {mode}", PROFILE_STAGE if mode == "network" else NETWORK_STAGE))
    idle = [(place, [flag(name) for name in names if name in given]) for place, names in places]
    return [
        f"warning: {' '.join(names)} {'have' if len(names) > 1 else 'has'} no effect {place}"
        for place, names in idle
        if names
    ]
