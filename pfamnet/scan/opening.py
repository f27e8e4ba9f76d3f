"""The one way from a path and options to a scanner."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from ..errors import PfamnetError
from ..model.directory import OpenedModel, open_model
from ..model.hmm_database import find_database, open_database
from ..profiles.search import ProfileSearch
from ..profiles.thresholds import Thresholds
from ..signals import stopping_in_order
from .evidence import Appraiser
from .scanner import ExactScanner, HybridScanner, NetworkCaller, NetworkHits, NetworkScanner, ProfileSearcher
from .subset import BestOfClans, OfFamilies, chosen
from .top import TopScanner

# What a candidate, and what the light network with words cost, counted in profiles where every one is
# searched (`benchmarks/stages.py`). A profile costs less the more sequences it meets at once.
CANDIDATE, NETWORK = 3.5, 425
LEEWAY = 32.0  # bits below the cutoff of a family, from which a candidate's domains are not looked for


@dataclass(frozen=True)
class ScanOptions:
    """How proteins are scanned."""

    mode: str = "auto"  # auto, hybrid, profiles or network
    sensitivity: str = "default"  # one of SENSITIVITIES
    network: str | None = None  # light or esm; None: esm for a sensitive scan if there is one, else light
    device: str = "cpu"  # where the ESM network runs
    top: bool = False  # only the most likely family of each sequence
    families: tuple[str, ...] | None = None  # names or accessions: only these are reported
    clan_overlaps: str = "all"  # or best: of overlapping domains of one clan only the best is reported
    alignments: bool = False  # domains have their alignments, hits the counts of the filters
    threads: int = 1  # that prepare the profiles of the first proteins
    thresholds: Thresholds = Thresholds()  # of reporting and inclusion, and the filters


def open_any(path: Path, warn: Callable[[str], None]) -> OpenedModel:
    """The model of a directory, of an HMM database or of the hub (hf:ORG/NAME[@REVISION]).

    `warn` takes lines for the user. Raises PfamnetError, one line.
    """
    if str(path).startswith("hf:"):
        from ..model.hub import fetch_model

        with stopping_in_order():  # a partial download is removed
            return open_model(*fetch_model(str(path), warn))
    database = find_database(path)
    return open_model(path) if database is None else open_database(database, warn, path.name)


def needs_network(options: ScanOptions) -> bool:
    """Whether a scan is impossible without a network."""
    return options.mode == "network" or options.network is not None or options.top


def mode_of(model: OpenedModel, options: ScanOptions) -> str:
    """What `auto` is for a model: `profiles` where the network saves no time, else `hybrid`.

    A scan that needs the network by its options, or has other filters for its candidates, is `hybrid`.
    """
    if options.mode != "auto":
        return options.mode
    if not model.networks:
        return "profiles"
    if needs_network(options) or options.sensitivity == "sensitive":
        return "hybrid"
    count = None if options.families is None else len(options.families)
    return "profiles" if saves_nothing(model, "light", options.sensitivity, count) else "hybrid"


def network_of(model: OpenedModel, options: ScanOptions) -> str | None:
    """The network that proposes, or None if every profile is searched."""
    if mode_of(model, options) == "profiles":
        return None
    return options.network or (
        "esm" if options.sensitivity == "sensitive" and "esm" in model.networks else "light"
    )


def saves_nothing(model: OpenedModel, network: str, sensitivity: str, count: int | None = None) -> bool:
    """Whether searching a network's candidates takes as long as searching every profile, or `count`."""
    passing = model.networks[network].sensitivities[sensitivity].passing
    return (len(model.families) if count is None else count) <= CANDIDATE * passing + NETWORK


def reported_families(model: OpenedModel, options: ScanOptions) -> Sequence[int]:
    """The families that a scan may report: where every profile is searched, these are."""
    return range(len(model.families)) if options.families is None else chosen(model, options.families)


def make_scanner(model: OpenedModel, options: ScanOptions, warn: Callable[[str], None]):
    """The scanner of a model.

    `warn` takes lines for the user. Raises PfamnetError if the model lacks the network that is asked for.
    """
    if not model.networks:
        if needs_network(options):
            raise PfamnetError(f"{model.path} is an HMM database and has no network")
        if options.mode == "hybrid":
            searched = "every profile is searched; pfamnet-build makes a model of it"
            warn(f"warning: {model.path} has no network: {searched}")
    best = options.clan_overlaps == "best"
    if best and not any(family.clan for family in model.families):
        warn("warning: no clans are known here: all overlapping domains are reported")
    if options.network and mode_of(model, options) != "profiles" and options.network not in model.networks:
        raise PfamnetError(f"{model.path}: has no {options.network} network")
    if options.device != "cpu" and network_of(model, options) != "esm":
        warn(f"warning: device {options.device} has no effect: only the ESM network uses it")
    scanner = scanner_of(model, options)
    if options.families is not None:
        scanner = OfFamilies(scanner, chosen(model, options.families))
    return BestOfClans(scanner, model.families) if best else scanner


def scanner_of(model: OpenedModel, options: ScanOptions):
    """The scanner of a mode, from its parts."""
    families, limits = model.families, options.thresholds
    sensitive = options.sensitivity == "sensitive"
    engine = lambda limits, n=1: ProfileSearch(model.store, families, limits, options.alignments, n)
    filtered = limits.unfiltered() if sensitive else limits
    mode, name = mode_of(model, options), network_of(model, options)
    if name is None or not model.networks:
        return ExactScanner(engine(filtered, options.threads), reported_families(model, options))
    info, combination = model.networks[name], model.combination(name)
    choice, Z = info.sensitivities[options.sensitivity], limits.Z or len(families)
    if options.mode == "auto" and saves_nothing(model, name, options.sensitivity):
        choice = replace(choice, threshold=-math.inf, most=len(families))  # another would only lose hits
    if mode == "network":  # its E-values decide; the threshold is for candidates that words have raised
        choice = replace(choice, threshold=-math.inf)
    with ThreadPoolExecutor(1) as pool:  # neither waits for the other
        opened = pool.submit(model.words) if mode == "hybrid" else None
        runtime = model.runtime(name, options.device)
    words = opened and opened.result()
    network = NetworkCaller(runtime, info, choice, families, limits, Z, words)
    if options.top:
        appraiser = words and Appraiser(
            model.store, families, choice.candidates, words, limits, options.alignments
        )
        return TopScanner(network, NetworkHits(network, families), appraiser, combination)
    if mode == "network":
        return NetworkScanner(network, NetworkHits(network, families))
    trial = engine(limits, options.threads) if sensitive else None
    leeway = math.inf if sensitive else LEEWAY
    search = ProfileSearch(model.store, families, filtered, options.alignments, options.threads, leeway)
    profiles = ProfileSearcher(search, trial, info.block)
    anything = Thresholds(E=math.inf, domE=math.inf, Z=Z, seed=limits.seed).unfiltered()
    return HybridScanner(network, profiles, NetworkHits(network, families, engine(anything), combination))


def shipped_model() -> Path:
    """The model that comes with the package."""
    description = shipped("*/model.json")
    if description is None:
        raise PfamnetError("no model comes with this installation; name a model directory")
    return description.parent


def shipped(pattern: str) -> Path | None:
    """A file of the data that come with the package: inside it when installed, beside it in a checkout."""
    package = files("pfamnet")
    folders = (package / "data", package.parent / "data")
    return next((path for folder in folders for path in sorted(folder.glob(pattern))), None)
