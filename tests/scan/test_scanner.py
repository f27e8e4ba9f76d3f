"""What a scan makes of proposals and profiles, with a stand-in for the network."""

import math
from dataclasses import replace
from types import SimpleNamespace

import golden
import numpy as np
import pytest
import synthetic
import untrained
from scanning import PROTEINS

import pfamnet
from pfamnet.build.hmms import build_profile
from pfamnet.families import Family
from pfamnet.hits import network_domain, network_hit
from pfamnet.model.combination import Combination
from pfamnet.model.directory import NetworkInfo, Sensitivity
from pfamnet.network.blocks import Blocks
from pfamnet.network.evalues import Calibration, Tail
from pfamnet.profiles.files import write_profiles
from pfamnet.profiles.search import ProfileSearch
from pfamnet.profiles.store import ProfileFile, ProfileStore
from pfamnet.profiles.thresholds import Thresholds
from pfamnet.records import Record
from pfamnet.scan import scanner
from pfamnet.scan.opening import ScanOptions, make_scanner
from pfamnet.scan.scanner import PART, SHARED, NetworkHits, ProfileSearcher, is_simple, parts, same_place

FAMILIES = 6
BLOCK = 16
# P = 1e-6 for a score of 20 nats, up to 1,000 residues
CALIBRATION = Calibration((Tail(1000.0, (10.0,), (math.log(1e-2),), 10 / math.log(1e4)),))


def peak(odds):
    """The peak of a family alone in its block with these log-odds."""
    return odds - math.log1p(math.exp(odds)) / 2


SENSITIVITIES = {
    "fast": Sensitivity(peak(3.0), 1, 1, 1.0),
    "default": Sensitivity(peak(2.0), 2, 4, 2.0),
    "sensitive": Sensitivity(peak(1.0), 6, 6, 6.0),
}


class Network:
    """Log-odds of -5 everywhere but where `calls` says: (family, first, last block, odds)."""

    block = BLOCK

    def __init__(self, calls):
        self.calls = calls

    def logits(self, sequence):
        logits = np.full((-(-len(sequence) // BLOCK), FAMILIES + 1), -5.0)
        logits[:, 0] = 0
        for family, first, last, odds in self.calls:
            logits[first:last, family + 1] = odds
        return logits

    def blocks(self, sequence):
        return Blocks.of(self.logits(sequence))


class Model:
    """Stands in for an opened model; what `runtime` is asked for is remembered."""

    path = "model"

    def __init__(self, store, families, calls=(), networks=("light",), weights=None, calibration=CALIBRATION):
        self.store, self.families, self.calls, self.asked = store, families, calls, []
        self.matched = None  # what the words of the profiles find
        self.weights = weights
        self.networks = {name: NetworkInfo(BLOCK, SENSITIVITIES, calibration) for name in networks}

    def combination(self, network):
        return self.weights

    def words(self):
        return self.matched and SimpleNamespace(matches=lambda sequence: self.matched)

    def runtime(self, network, device="cpu"):
        self.asked.append((network, device))
        return Network(self.calls)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    path = tmp_path_factory.mktemp("profiles") / "profiles.h3m"
    named = [
        Family(synthetic.accession(i), f"Made_{i}", description=f"number {i}", ga=(25.0, 25.0))
        for i in range(FAMILIES)
    ]
    hmms = [build_profile(family, [ancestor(i)]) for i, family in enumerate(named)]
    families = [
        Family(f.accession, f.name, hmm.M, description=f.description, ga=f.ga)
        for f, hmm in zip(named, hmms, strict=True)
    ]
    return ProfileStore(ProfileFile(path, write_profiles(path, hmms))), families


def scanner_of(model, mode="hybrid", sensitivity="default", network=None, **thresholds):
    options = ScanOptions(mode, sensitivity, network, thresholds=Thresholds(**thresholds))
    return make_scanner(model, options, warn=None)


@pytest.fixture
def scan(profiles):
    """Hits of a sequence under these calls of the network."""

    def scan(sequence, calls, sensitivity="default", mode="hybrid", weights=None, sisters=(), **thresholds):
        store, families = profiles
        families = [replace(f, clan="CL0001") if i in sisters else f for i, f in enumerate(families)]
        model = Model(store, families, calls, weights=weights)
        scanner = scanner_of(model, mode, sensitivity, **thresholds)
        return list(scanner.scan([Record("q", "a query", sequence, 1)])[0])

    return scan


def ancestor(family):
    return synthetic.random_sequence(np.random.default_rng([7, family]), 60 + 11 * family)


def relative(family, rng, changed=0.2):
    """A member of a family, without gaps."""
    residues = np.array(list(ancestor(family)))
    swap = rng.random(len(residues)) < changed
    residues[swap] = list(synthetic.random_sequence(rng, swap.sum()))
    return "".join(residues)


def domain_at_32(family=2):
    """A sequence of 256 residues with a close relative of a family at 32."""
    rng = np.random.default_rng(1)
    domain = relative(family, rng)
    return (synthetic.random_sequence(rng, 32) + domain + synthetic.random_sequence(rng, 256))[:256], len(
        domain
    )


NOISE = synthetic.random_sequence(np.random.default_rng(8), 320)


# Who is right: profiles, network, both


def test_a_profile_finds_what_the_network_merely_proposes(scan):
    sequence, length = domain_at_32()
    (hit,) = scan(sequence, [(2, 2, 4, 2.5)])
    assert (hit.family, hit.source, hit.target_name) == (2, "profile", "Made_2")
    assert abs(hit.domains[0].env_from - 33) < 6 and abs(hit.domains[0].env_to - 32 - length) < 6


def test_where_both_are_sure_the_source_is_both(scan):
    sequence, _ = domain_at_32()
    (hit,) = scan(sequence, [(2, 2, 7, 6)])
    (alone,) = scan(sequence, [(2, 2, 4, 2.5)])
    assert hit.source == "both"
    assert (hit.evalue, hit.score, hit.domains) == (alone.evalue, alone.score, alone.domains)


def test_a_call_elsewhere_is_no_agreement(scan):
    sequence, _ = domain_at_32()
    (hit,) = scan(sequence, [(2, 9, 14, 6)])
    assert (hit.family, hit.source) == (2, "profile")


@pytest.mark.parametrize(("clan", "source"), [("CL0001", "profile"), ("", "both")])
def test_a_call_is_no_agreement_where_a_sister_is_better(profiles, clan, source):
    """Family 2 again, worse: its profile is of a distant relative."""
    store, families = profiles
    sequence, length = domain_at_32()
    sisters = [replace(family, clan=clan) for family in families]
    alone = NetworkHits(None, sisters)
    own, better = (
        network_hit(family, sisters[family], Record("q", "", sequence, 1), [domain])
        for family, domain in (
            (2, network_domain(32, 32 + length, 1e-5, 20.0, (1, 9), 0.9, math.log(1e-5))),
            (3, network_domain(30, 32 + length, 1e-9, 30.0, (1, 9), 0.9, math.log(1e-9))),
        )
    )
    called = {2: [32, 32 + length], 3: [32, 32 + length]}
    assert alone.agrees(better, called, [own, better])
    assert alone.agrees(own, called, [own, better]) == (source == "both")


def test_a_call_replaces_what_its_profile_finds_by_chance_elsewhere(scan):
    replaced = 0
    for seed in range(30):
        sequence = synthetic.random_sequence(np.random.default_rng([2, seed]), 256)
        without = [hit for hit in scan(sequence, [(4, 4, 9, 2.5)], "sensitive") if hit.family == 4]
        (hit,) = [hit for hit in scan(sequence, [(4, 4, 9, 6)], "sensitive") if hit.family == 4]
        assert hit.source in ("both", "network")
        replaced += bool(without) and hit.source == "network"
    assert replaced > 0


def test_numbers_are_those_of_a_scan_with_every_profile(scan):
    sequence, _ = domain_at_32()
    (hit,) = scan(sequence, [(2, 2, 4, 2.5), (4, 0, 1, 2.5)])
    (every,) = [hit for hit in scan(sequence, [], mode="profiles") if hit.reported]
    assert hit == every


def test_a_family_that_is_not_proposed_is_not_found(scan):
    sequence, _ = domain_at_32()
    assert scan(sequence, [(2, 2, 4, 1.9)]) == []


def test_a_family_whose_words_match_is_found_whatever_the_network_says(profiles):
    store, families = profiles
    sequence, length = domain_at_32()
    model = Model(store, families)
    record = Record("q", "a query", sequence, 1)
    model.matched = np.array([2]), np.array([12.0])
    (hit,) = scanner_of(model).scan([record])[0]
    assert hit.family == 2 and hit.source == "profile"
    assert scanner_of(model, "network").scan([record])[0] == []  # words belong to profiles
    exact = scanner_of(model, "profiles").scan([record])[0]
    assert [hit.score for hit in exact if hit.family == 2] == [hit.score]


def far_relative():
    """A sequence with a relative of family 2 at 32 that its profile does not find."""
    rng = np.random.default_rng(3)
    return (synthetic.random_sequence(rng, 32) + relative(2, rng, 0.8) + synthetic.random_sequence(rng, 256))[
        :256
    ]


def test_of_rivals_for_a_region_the_combined_score_calls_one(scan):
    """Each with its own numbers: those of the scan without a combination."""
    sequence, calls = far_relative(), [(3, 2, 7, 6.2), (2, 2, 7, 6.0), (5, 10, 14, 6.0)]
    assert not any(hit.reported for hit in scan(sequence, [], mode="profiles"))
    numbers = {}
    for call in calls:
        (hit,) = scan(sequence, [call])
        numbers[hit.family] = hit.score

    def scores(**options):
        return {hit.family: hit.score for hit in scan(sequence, calls, sisters=(2, 3), **options)}

    assert scores() == pytest.approx({family: numbers[family] for family in (3, 5)}, rel=0.01)
    together = scores(weights=Combination(1.0, 1.0))
    assert together == pytest.approx({family: numbers[family] for family in (2, 5)}, rel=0.01)
    assert scores(weights=Combination(1.0, 0.0)).keys() == {3, 5}


def test_the_network_is_not_sure_of_one_clan_where_another_is_as_likely(scan):
    calls = [(3, 2, 7, 6.2), (2, 2, 7, 6.0)]
    assert [hit.family for hit in scan(far_relative(), calls, sisters=(2, 3))] == [3]
    assert scan(far_relative(), calls) == []


def test_without_profiles_the_network_decides_alone(scan):
    calls = [(3, 2, 7, 6.2), (2, 2, 7, 6.0)]
    (hit,) = scan(far_relative(), calls, mode="network", weights=Combination(1.0, 1.0), sisters=(2, 3))
    assert hit.family == 3


def test_the_network_alone_is_reported_with_its_own_numbers(scan):
    (hit,) = scan(NOISE, [(3, 4, 9, 6)])
    assert hit.source == "network" and hit.family == 3 and hit.target_accession == synthetic.accession(3)
    score = 5 * (6 - math.log1p((FAMILIES - 1) * math.exp(-5)))  # against no family and the five others
    p = 1e-2 * math.exp(-(score - 10) * math.log(1e4) / 10)
    assert hit.evalue == pytest.approx(FAMILIES * p, rel=1e-3)
    assert hit.score == pytest.approx(-math.log2(p), rel=1e-4)
    (domain,) = hit.domains
    assert 65 <= domain.env_from < domain.env_to <= 144
    assert (domain.ali_from, domain.ali_to) == (domain.env_from, domain.env_to)
    assert 1 <= domain.hmm_from <= domain.hmm_to <= hit.target_length
    assert domain.c_evalue == domain.i_evalue == hit.evalue and 0 <= domain.accuracy <= 1
    values = [getattr(part, name) for part in (hit, domain) for name in part.__dataclass_fields__]
    assert all(math.isfinite(value) for value in values if isinstance(value, (int, float)))


@pytest.mark.parametrize("top", (False, True))
def test_a_call_counts_over_the_baseline_of_its_family(profiles, top):
    found = []
    for baselines in ((), ((2, 9.0), (4, 9.0)), ((3, 4.0),), ((3, 9.0),)):
        model = Model(*profiles, [(3, 4, 9, 6)], calibration=replace(CALIBRATION, baselines=baselines))
        options = ScanOptions("network", top=top, thresholds=Thresholds(E=10.0))
        scanner = make_scanner(model, options, warn=None)
        ((hit,),) = scanner.scan([Record("q", "a query", NOISE, 1)])
        found.append(math.log(hit.evalue))
    plain, others, some, much = found
    assert plain == others
    assert some - plain == pytest.approx(4.0 * math.log(1e4) / 10)
    assert much - plain == pytest.approx(9.0 * math.log(1e4) / 10)


def test_a_call_that_no_profile_aligns_keeps_the_networks_region(scan):
    sequence = NOISE[:64] + "X" * 80 + NOISE[144:]
    (hit,) = scan(sequence, [(3, 4, 9, 6)])
    (domain,) = hit.domains
    assert (domain.env_from, domain.env_to) == (65, 144)
    assert (domain.hmm_from, domain.hmm_to) == (1, hit.target_length) and domain.accuracy == 0


def test_a_call_is_placed_where_its_profile_aligns(scan):
    """A stretch of a family too weak for its profile to report."""
    weak = ancestor(5)[40:56]
    sequence = NOISE[:90] + weak + NOISE[90:]
    assert not scan(sequence, [(5, 4, 8, 2.5)], E=1e-8, incE=1e-8)
    (hit,) = scan(sequence, [(5, 4, 8, 8)], E=1e-8, incE=1e-8)
    assert hit.source == "network"
    # the network's region is 65 to 128
    placed, aligned = hit.domains[0], (hit.domains[0].hmm_from, hit.domains[0].hmm_to)
    assert (placed.ali_from, placed.ali_to) == pytest.approx((91, 106), abs=8)
    assert aligned == pytest.approx((41, 56), abs=8) and placed.accuracy > 0


def test_a_call_over_a_profiles_domain_is_not_reported(scan):
    sequence, _ = domain_at_32()
    hits = scan(sequence, [(2, 2, 4, 5.6), (4, 2, 6, 9)])
    assert [(hit.family, hit.source) for hit in hits] == [(2, "profile")]
    elsewhere = scan(sequence, [(2, 2, 4, 2.5), (4, 9, 15, 9)])
    assert {(hit.family, hit.source) for hit in elsewhere} == {(2, "profile"), (4, "network")}


def test_what_a_profile_finds_by_chance_hides_no_call(scan):
    """A domain of E-value 1 or so is reported, and is no reason to doubt the network."""
    hidden = 0
    for seed in range(30):
        sequence = synthetic.random_sequence(np.random.default_rng([2, seed]), 256)
        hits = scan(sequence, [(2, 0, 3, 2.5), (4, 4, 9, 6)], "sensitive")
        assert any(hit.family == 4 and hit.source in ("network", "both") for hit in hits)
        hidden += any(hit.family == 2 for hit in hits)
    assert hidden > 0


def test_a_call_is_not_placed_on_a_residue_or_two(scan):
    """However poorly the profile aligns to the region."""
    placed = 0
    for seed in range(30):
        sequence = synthetic.random_sequence(np.random.default_rng([3, seed]), 256)
        for hit in scan(sequence, [(3, 4, 9, 6)]):
            (domain,) = hit.domains
            assert domain.env_to - domain.env_from + 1 >= BLOCK
            assert domain.env_from >= 65 and domain.env_to <= 144
            placed += 1
    assert placed == 30


def test_of_calls_that_overlap_the_best_stays(scan):
    hits = scan(NOISE, [(1, 4, 9, 6), (3, 5, 9, 9), (0, 12, 17, 7)], sisters=(1, 3))
    assert [hit.family for hit in hits] == [3, 0]
    assert [hit.log_p for hit in hits] == sorted(hit.log_p for hit in hits)


@pytest.mark.parametrize(
    "one, other, same",
    [
        ((0, 10), (5, 25), False),
        ((0, 10), (4, 25), True),
        ((0, 10), (10, 20), False),
        ((3, 5), (0, 9), True),
        ((0, 4), (3, 100), False),
        ((0, 5), (7, 9), False),
    ],
)
def test_ranges_are_in_one_place_if_they_share_more_than_half_of_the_shorter(one, other, same):
    assert same_place(one, other) == same_place(other, one) == same


def test_a_sequence_without_residues_has_no_hits(scan):
    for mode in ("hybrid", "network", "profiles"):
        assert scan("", [(0, 0, 1, 9)], mode=mode) == []


def test_hits_come_best_first_whatever_their_source(scan):
    sequence, _ = domain_at_32()
    hits = scan(sequence, [(2, 2, 7, 3), (4, 9, 15, 6)])
    assert len(hits) == 2 and hits[0].log_p <= hits[1].log_p


def test_hits_come_by_score_if_inclusion_goes_by_score(tmp_path):
    model = pfamnet.Model(untrained.write_model(tmp_path / "model"))
    by_score, by_evalue = lambda hit: -hit.score, lambda hit: hit.log_p
    found = lambda **options: [protein.hits for protein in model.scan(PROTEINS, mode="hybrid", **options)]
    assert all(hits == sorted(hits, key=by_evalue) for hits in found())
    hits = found(incT=20.0)
    assert all(some == sorted(some, key=by_score) for some in hits)
    assert any(some != sorted(some, key=by_evalue) for some in hits)


# Thresholds


@pytest.mark.parametrize(
    "thresholds, called",
    [
        ({}, True),
        ({"incE": 1e-12}, False),
        ({"incdomE": 1e-12}, False),
        ({"E": 1e-12}, False),
        ({"domE": 1e-12}, False),
        ({"T": 30.0}, True),
        ({"T": 40.0}, False),
        ({"domT": 40.0}, False),
        ({"incT": 40.0}, False),
        ({"incE": 1e-12, "incT": 30.0}, True),
        ({"bit_cutoffs": "gathering"}, False),
    ],
)
def test_a_call_must_pass_reporting_and_inclusion(scan, thresholds, called):
    """The call has P = 1e-10, 33.2 bits."""
    hits = scan(NOISE, [(3, 4, 9, 6)], **thresholds)
    assert [hit.source for hit in hits] == (["network"] if called else [])


def test_a_profiles_cutoffs_still_count_for_the_profiles(scan):
    sequence, _ = domain_at_32()
    (hit,) = scan(sequence, [(2, 2, 7, 6), (4, 10, 15, 9)], bit_cutoffs="gathering")
    assert hit.family == 2 and hit.source == "both" and hit.score >= 25


def test_z_counts_for_both(scan):
    sequence, _ = domain_at_32()
    calls = [(2, 2, 4, 2.5), (4, 9, 15, 6)]
    for one, other in zip(scan(sequence, calls), scan(sequence, calls, Z=6000), strict=True):
        assert other.evalue == pytest.approx(1000 * one.evalue) and one.score == other.score


# Modes and networks


def test_sensitivities_differ_in_their_candidates(scan):
    sequence, _ = domain_at_32()
    calls = [(2, 2, 4, 3.1), (4, 9, 12, 3.2)]
    assert scan(sequence, calls, "fast") == []  # the one candidate is another
    assert [hit.family for hit in scan(sequence, calls, "default")] == [2]
    faint = [(2, 2, 4, 1.5)]
    assert scan(sequence, faint, "default") == []
    assert [hit.family for hit in scan(sequence, faint, "sensitive")] == [2]


def test_sensitive_leaves_the_filters_out(scan):
    """A stretch that passes the thresholds and not the filters."""
    rng = np.random.default_rng(3)
    found = {"default": 0, "sensitive": 0}
    for _ in range(30):
        sequence = (
            synthetic.random_sequence(rng, 60) + relative(2, rng, 0.75) + synthetic.random_sequence(rng, 60)
        )
        for sensitivity in found:
            found[sensitivity] += len(scan(sequence, [(2, 2, 4, 2.5)], sensitivity))
    assert found["sensitive"] > found["default"]


def test_sensitive_spares_only_the_first_candidates_the_filters(scan, monkeypatch):
    """Of the others, those with a hit under the filters are searched with, and found without them."""
    rng, sequence = np.random.default_rng(3), ""
    for _ in range(30):  # one that only a search without filters finds
        sequence = (
            synthetic.random_sequence(rng, 60) + relative(2, rng, 0.75) + synthetic.random_sequence(rng, 60)
        )
        if scan(sequence, [(2, 2, 4, 2.5)], "sensitive") and not scan(sequence, [(2, 2, 4, 2.5)]):
            break
    else:
        pytest.fail("no such sequence")
    both = sequence + relative(4, rng)
    calls = [(2, 2, 4, 2.5), (4, 12, 14, 3.5)]
    assert {hit.family for hit in scan(both, calls, "sensitive")} == {2, 4}
    monkeypatch.setattr(scanner, "UNTRIED", 1)
    assert {hit.family for hit in scan(both, calls, "sensitive")} == {4}
    monkeypatch.setattr(scanner, "UNTRIED", 0)
    (filtered,) = scan(both, calls, "sensitive")
    (straight,) = scan(both, [(4, 12, 14, 3.5)], "sensitive")
    assert filtered == straight


class Engine:
    """Notes the families that it is asked for; finds only the last one of each sequence."""

    def __init__(self):
        self.asked = []

    def search(self, records, candidates):
        self.asked.append([list(some) for some in candidates])
        return [[SimpleNamespace(family=some[-1])] if some else [] for some in candidates]


def test_in_low_complexity_no_candidate_is_spared_the_filters():
    engine, trial = Engine(), Engine()
    few = SimpleNamespace(families=np.arange(20))
    ordinary = golden.record("P06213")
    simple = ordinary._replace(sequence="EKEEK" * 300)
    ProfileSearcher(engine, trial, 16).search([ordinary, simple], [few, few])
    assert trial.asked == [[[*range(32, 20)], [*range(20)]]] and engine.asked == [[[*range(20)], [19]]]


def test_silk_is_simple_and_short_or_ordinary_sequences_are_not():
    assert is_simple("GAGAGS" * 200) and is_simple("A" * 1000)
    assert not is_simple("A" * 999) and not is_simple("")
    assert not any(is_simple(record.sequence) for record in golden.records())


@pytest.mark.parametrize(
    "networks, sensitivity, wanted, used",
    [
        (("light",), "default", None, "light"),
        (("light",), "sensitive", None, "light"),
        (("light", "esm"), "default", None, "light"),
        (("light", "esm"), "fast", None, "light"),
        (("light", "esm"), "sensitive", None, "esm"),
        (("light", "esm"), "sensitive", "light", "light"),
        (("light", "esm"), "default", "esm", "esm"),
    ],
)
def test_the_network_that_is_used(profiles, networks, sensitivity, wanted, used):
    for mode in ("hybrid", "network"):
        model = Model(*profiles, networks=networks)
        scanner_of(model, mode, sensitivity, wanted)
        assert model.asked == [(used, "cpu")]


def test_a_scanner_serves_several_threads(profiles):
    from concurrent.futures import ThreadPoolExecutor

    scanner = scanner_of(Model(*profiles, [(2, 2, 4, 2.5), (4, 9, 15, 6)]))
    hits = lambda record: scanner.scan([record])[0]
    rng, records = np.random.default_rng(0), []
    for i in range(40):
        sequence = synthetic.random_sequence(rng, 32) + relative(2, rng) + NOISE
        records.append(Record(f"q{i}", "", sequence, i + 1))
    alone = [hits(record) for record in records]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(hits, records)) == alone
    assert sum(map(len, alone)) > 40


# Several proteins at a time


def some_records(rng):
    """Proteins with one domain or several, with none, long and empty ones."""
    sequences = [
        "",
        "M",
        NOISE,
        *(
            NOISE[:40] + relative(i, rng) + NOISE[40:90] + relative(j, rng)
            for i in range(FAMILIES)
            for j in range(FAMILIES)
        ),
    ]
    return [Record(f"q{i}", "a query", sequence, i + 1) for i, sequence in enumerate(sequences)]


EVERYWHERE = [(i, 2 * i, 2 * i + 6, 2.5 + i) for i in range(FAMILIES)]


@pytest.mark.parametrize(
    "thresholds",
    [
        {},
        {"domE": 1e-9, "incdomE": 1e-12},
        {"domZ": 3.0, "domE": 1e-9},
        {"T": 20.0, "domT": 25.0},
        {"Z": 1e6, "E": 1e-3},
        {"bit_cutoffs": "gathering"},
        {"F1": 1.0, "F2": 1.0, "F3": 1.0, "bias_filter": False},
        {"null2": False},
    ],
    ids=str,
)
def test_proteins_together_have_the_hits_that_each_has_alone(profiles, thresholds):
    """Every field of every hit; and they are those of HMMER's pipeline, protein by protein."""
    records = some_records(np.random.default_rng(5))
    scanner = scanner_of(Model(*profiles, EVERYWHERE), sensitivity="sensitive", **thresholds)
    # all candidates, with these filters
    scanner.profiles = ProfileSearcher(ProfileSearch(*profiles, Thresholds(**thresholds), threads=3))
    together = scanner.scan(records)
    assert sum(map(len, together)) > 40
    assert together == [scanner.scan([record])[0] for record in records]
    scanner.profiles = ProfileSearcher(ProfileSearch(*profiles, Thresholds(**thresholds), alignments=True))
    assert together == [list(map(unaligned, hits)) for hits in scanner.scan(records)]


def unaligned(hit):
    return replace(hit, domains=tuple(replace(domain, alignment=None) for domain in hit.domains))


@pytest.mark.parametrize(
    "length", [1, SHARED, PART, PART + 1, 2 * PART - SHARED, 2 * PART - SHARED + 1, 10**6]
)
def test_parts_of_a_long_protein_are_as_few_as_can_be_and_equal(length):
    found = parts(length)
    assert found[0][0] == 0 and found[-1][1] == length
    assert all(one[1] - other[0] == SHARED for one, other in zip(found, found[1:]))
    lengths = [end - start for start, end in found]
    assert max(lengths) <= PART and max(lengths) - min(lengths) <= len(found)
    assert len(found) == 1 or len(found) == -(-(length - SHARED) // (PART - SHARED))
