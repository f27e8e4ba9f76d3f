"""How much of what every profile finds does pfamnet find, and how fast?

One run, the same proteins, thresholds and cores:

(a) pyhmmer's hmmsearch with every profile of the model, made ready before, GA
    cutoffs, Z = number of families: the numbers of hmmscan (a few proteins are
    also scanned protein by protein, as hmmscan does, to prove it);
(b) pfamnet's scanner on the model, GA cutoffs;
(c) the programs `pfamnet-scan` and `hmmscan` as a user runs them, on a sample.

    python benchmarks/recall.py --model DIR --proteins FASTA --first 2000 --out FILE

Prints what became of each domain of (a), by training rows and length, where
recall is lost, what (b) reports besides, and seconds, wall and CPU.
"""

import random
from pathlib import Path

import click
import numpy as np
from common import Clock, by_bins, describe_model, machine, save, share
from compare import IDENTICAL, OUTCOMES, Found, besides, best_of_clans, counts, outcomes, overlap, why_lost
from programs import run_programs
from pyhmmer.easel import Alphabet, DigitalSequenceBlock
from pyhmmer.hmmer import hmmsearch

from pfamnet.families import families_by_key, read_families
from pfamnet.io.fasta import read_fasta
from pfamnet.model.directory import open_model
from pfamnet.network.candidates import best_blocks, spans
from pfamnet.profiles.search import MAX_RESIDUES, ProfileSearch, to_digital
from pfamnet.profiles.store import optimize
from pfamnet.profiles.thresholds import Thresholds
from pfamnet.scan.scanner import MODES, Scanner
from pfamnet.scan.workers import in_order

ROWS = (0, 1, 4, 11, 31, 101)  # training rows of a family
LENGTHS = (1, 24, 40, 80, 160, 320)  # residues of a domain
RANKS = (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CHECKED = 50  # proteins scanned one by one as well
GATHERING = Thresholds(bit_cutoffs="gathering")


@click.command()
@click.option("--model", "model_path", required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--proteins", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--first", type=int, help="take the first N proteins")
@click.option("--sample", type=int, help="take N proteins at random")
@click.option("--seed", type=int, default=1, show_default=True, help="of the sample")
@click.option("--mode", type=click.Choice(MODES), default="default", show_default=True)
@click.option("--evalue", type=float, help="compare domains of E-values up to this, without GA cutoffs")
@click.option("--cpu", type=int, default=1, show_default=True, help="threads of each")
@click.option("--clans", type=click.Path(exists=True), help="table of clans, if the model has none")
@click.option(
    "--programs",
    default=200,
    show_default=True,
    help="run the programs on the first N of these proteins; 0: not at all",
)
@click.option("--out", type=click.Path(dir_okay=False), help="JSON file for the results")
def main(model_path, proteins, first, sample, seed, mode, evalue, cpu, clans, programs, out):
    """Recall against every profile, and speed, in one run."""
    records = choose(proteins, first, sample, seed)
    with Clock() as opening:
        model = open_model(model_path)
        scanner = Scanner(model, Thresholds() if evalue else GATHERING, mode)
    reference, every = search_every_profile(model, records, cpu, evalue)
    with Clock() as scanning:
        hits = list(in_order(records, scanner.scan, cpu))
    reported = [domain for record, found in hits for domain in domains_of(record, found, evalue)]
    if evalue:
        reported = [domain for domain in reported if domain.source != "network"]
    with Clock() as looking:
        ranks = Ranks(scanner, records, reference)
    residues = sum(len(record.sequence) for record in records)
    result = {
        "benchmark": "recall",
        "machine": machine(cpu),
        "model": describe_model(model),
        "mode": mode,
        "thresholds": f"E <= {evalue:g}" if evalue else "GA",
        "proteins": {
            "file": Path(proteins).name,
            "first": first,
            "sample": sample,
            "seed": seed if sample else None,
            "count": len(records),
            "residues": residues,
        },
        "checked": check(model, records[:CHECKED], reference, evalue),
        **recall(model, reference, reported, clan_names(model, clans)),
        "lost": ranks.lost(model, reference, reported),
        "among_first": ranks.curve(),
        "besides": len(besides(reference, reported)),
        "besides_list": listed(model, besides(reference, reported), reference),
        "network_calls": network_calls(model, mode, records, reference, cpu),
        "speed": {
            "pyhmmer": rates(every["opening"], every["search"], residues, len(records)),
            "pfamnet": rates(opening, scanning, residues, len(records)),
            "network_alone": rates(None, looking, residues, len(records)),
        },
    }
    if programs:
        result["programs"] = run_programs(model, model_path, records[:programs], mode, cpu)
    save(result, out)


def choose(path, first, sample, seed):
    """The proteins to measure on; what HMMER refuses for its length is left out."""
    records = [record for record in read_fasta(path) if 0 < len(record.sequence) <= MAX_RESIDUES]
    if sample:
        return random.Random(seed).sample(records, min(sample, len(records)))
    return records[:first]


def search_every_profile(model, records, cpu, evalue=None):
    """All domains by hmmsearch with every profile, at GA or by E-value, and the clocks of it."""
    with Clock() as opening:
        profiles = [optimize(model.store.hmm(i)) for i in range(len(model.families))]
        targets = DigitalSequenceBlock(
            Alphabet.amino(), [to_digital(record.sequence, str(i)) for i, record in enumerate(records)]
        )
    with Clock() as search:
        cutoffs = {} if evalue else {"bit_cutoffs": "gathering"}
        results = list(hmmsearch(profiles, targets, cpus=cpu, Z=len(profiles), **cutoffs))
    found = []
    for family, top in enumerate(results):
        for hit in top:
            if hit.reported and (not evalue or hit.evalue <= evalue):
                name = records[int(hit.name)].name
                found += [
                    searched(name, family, domain)
                    for domain in hit.domains
                    if domain.reported and (not evalue or domain.i_evalue <= evalue)
                ]
    return found, {"opening": opening, "search": search}


def searched(protein, family, domain):
    """A domain as pyhmmer has it."""
    ali = domain.alignment
    return Found(
        protein,
        family,
        (ali.target_from, ali.target_to),
        (domain.env_from, domain.env_to),
        (ali.hmm_from, ali.hmm_to),
        domain.score,
        domain.i_evalue,
    )


def domains_of(record, hits, evalue=None):
    """The reported domains of a protein's hits, those of E-values up to `evalue` if it is given."""
    return [
        Found(
            record.name,
            hit.family,
            (domain.ali_from, domain.ali_to),
            (domain.env_from, domain.env_to),
            (domain.hmm_from, domain.hmm_to),
            domain.score,
            domain.i_evalue,
            hit.source,
        )
        for hit in hits
        if hit.reported and (not evalue or hit.evalue <= evalue)
        for domain in hit.reported_domains
        if not evalue or domain.i_evalue <= evalue
    ]


def listed(model, domains, reference):
    """Domains that the reference lacks: which they are, and what it has in their place."""
    rows = []
    for domain in domains:
        there = [o for o in reference if o.protein == domain.protein and overlap(o.ali, domain.ali)]
        rows.append(
            {
                "protein": domain.protein,
                "family": model.families[domain.family].name,
                "from": domain.ali[0],
                "to": domain.ali[1],
                "score": round(domain.score, 1),
                "i_evalue": domain.evalue,
                "source": domain.source,
                "overlaps": sorted({model.families[o.family].name for o in there}),
            }
        )
    return rows


def check(model, records, reference, evalue=None):
    """Does hmmscan's way, protein by protein, give hmmsearch's domains and numbers?"""
    search = ProfileSearch(model.store, model.families, thresholds=Thresholds() if evalue else GATHERING)
    every = range(len(model.families))
    scanned = [
        domain
        for record in records
        for domain in domains_of(record, search.search([record], [every])[0], evalue)
    ]
    names = {record.name for record in records}
    wanted = [domain for domain in reference if domain.protein in names]
    return {
        "proteins": len(records),
        "domains": len(scanned),
        "as_hmmsearch": counts(outcomes(scanned, wanted), OUTCOMES),
        "hmmsearch_besides": len(besides(scanned, wanted)),
    }


def clan_names(model, path):
    """The clan of each family, '' for none."""
    given = families_by_key(read_families(path)) if path else {}
    return [
        family.clan or (given[family.key][1].clan if family.key in given else "") for family in model.families
    ]


def recall(model, reference, reported, clans):
    """What became of the reference domains, all of them and by kind."""
    became = outcomes(reference, reported)
    same = [outcome in IDENTICAL for outcome in became]
    best = best_of_clans(reference, clans)
    rows = [model.families[domain.family].rows for domain in reference]
    return {
        "domains": counts(became, OUTCOMES),
        "identical": share(sum(same), len(same)),
        "identical_exactly": share(became.count("exact"), len(same)),
        "best_of_clans": share(sum(s and b for s, b in zip(same, best)), sum(best)),
        "clans_known": sum(map(bool, clans)),
        "by_rows": by_bins(rows, same, ROWS),
        "by_length": by_bins([domain.length for domain in reference], same, LENGTHS),
    }


class Ranks:
    """Where the network ranks the families of the reference domains."""

    def __init__(self, scanner, records, reference):
        self.scanner, self.rank, self.peak, self.limit = scanner, {}, {}, {}
        self.records = {record.name: record for record in records}
        wanted = {name: set() for name in self.records}
        for domain in reference:
            wanted[domain.protein].add(domain.family)
        self.of_domains = []
        for name, record in self.records.items():
            self.look(name, scanner.runtime.logits(record.sequence), wanted[name])
        self.of_domains = [self.rank[domain.protein, domain.family] for domain in reference]

    def look(self, name, logits, families):
        peaks = best_blocks(logits)
        self.limit[name] = self.scanner.info.modes[self.scanner.mode].most * spans(len(logits))
        for family in families:
            better = (peaks > peaks[family]) | ((peaks == peaks[family]) & (np.arange(len(peaks)) < family))
            self.rank[name, family] = int(better.sum())
            self.peak[name, family] = float(peaks[family])

    def curve(self):
        """Share of the domains whose family is among the first n, without a threshold."""
        total = len(self.of_domains)
        return {str(n): share(sum(rank < n for rank in self.of_domains), total) for n in RANKS}

    def lost(self, model, reference, reported):
        """Why families of lost domains are missing, how they rank, and which they are."""
        lost = [
            domain for domain, outcome in zip(reference, outcomes(reference, reported)) if outcome == "lost"
        ]
        threshold = self.scanner.info.modes[self.scanner.mode].threshold
        proposed = {
            name: set(self.scanner.propose(self.records[name]).families.tolist())
            for name in {domain.protein for domain in lost}
        }
        reasons = []
        for domain in lost:
            key = domain.protein, domain.family
            reasons.append(
                why_lost(
                    domain.family in proposed[domain.protein],
                    self.rank[key],
                    self.limit[domain.protein],
                    self.peak[key],
                    threshold,
                )
            )
        ranks = by_bins([self.rank[d.protein, d.family] for d in lost], [True] * len(lost), (0, *RANKS))
        families = counts(model.families[domain.family].name for domain in lost)
        sisters = sum(any(o.protein == d.protein and overlap(o.ali, d.ali) for o in reported) for d in lost)
        return {
            "domains": len(lost),
            "why": counts(reasons),
            "ranks": {name: bin["count"] for name, bin in ranks.items()},
            "overlapped_by_another_family": sisters,
            "families": dict(list(families.items())[:20]),
        }


def network_calls(model, mode, records, reference, cpu):
    """Calls of the network alone at default thresholds (under GA it makes none)."""
    scanner = Scanner(model, Thresholds(), mode)
    alone = [
        domain
        for record, hits in in_order(records, scanner.scan, cpu)
        for domain in domains_of(record, hits)
        if domain.source == "network"
    ]
    there = {(domain.protein, domain.family) for domain in reference}
    return {
        "thresholds": "default",
        "domains": len(alone),
        "proteins": len({domain.protein for domain in alone}),
        "of_a_family_at_ga_there": sum((d.protein, d.family) in there for d in alone),
    }


def rates(opening, work, residues, proteins):
    """Seconds and rates, start-up left out and included."""
    row = {
        **work.seconds,
        "residues_per_s": round(residues / work.wall),
        "proteins_per_s": round(proteins / work.wall, 2),
    }
    if opening:
        row |= {
            "startup": opening.seconds,
            "residues_per_s_with_startup": round(residues / (work.wall + opening.wall)),
        }
    return row


if __name__ == "__main__":
    main()
