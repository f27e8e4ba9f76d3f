"""The profile stage: hmmscan's numbers in any company, thread and order."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import golden
import numpy as np
import pytest
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.plan7 import OptimizedProfileBlock, Pipeline

from pfamnet.errors import PfamnetError
from pfamnet.families import Family
from pfamnet.profiles import long_sequences
from pfamnet.profiles import search as search_module
from pfamnet.profiles.files import family_of, write_profiles
from pfamnet.profiles.hmmer_hits import to_hit
from pfamnet.profiles.search import ProfileSearch, to_digital
from pfamnet.profiles.store import ProfileFile, ProfileStore, optimize
from pfamnet.profiles.thresholds import Thresholds, check_cutoffs, in_order
from pfamnet.records import Record

KINASE = next(i for i, family in enumerate(golden.families()) if family.name == "Pkinase")


def everything():
    return range(len(golden.families()))


def one_search(record, thresholds=None, unreported=False):
    """The hits of one record with every profile."""
    return golden.search([record], thresholds, unreported)[0]


def names(hits):
    return [hit.target_name for hit in hits]


def without_domZ(hit):
    return replace(hit, domains=tuple(replace(domain, c_evalue=0.0) for domain in hit.domains))


def without_alignments(hit):
    return replace(hit, domains=tuple(replace(domain, alignment=None) for domain in hit.domains))


@pytest.mark.parametrize("sequence", ("", "ACDEFGHIKLMNPQRSTVWY", "BJZOUX*", "A.C_D~E*"))
def test_digits_are_easels(sequence):
    ours, theirs = to_digital(sequence, "name"), TextSequence(sequence=sequence).digitize(Alphabet.amino())
    assert bytes(ours.sequence) == bytes(theirs.sequence)
    assert (ours.name, len(ours)) == ("name", len(sequence))


def test_names_that_are_no_utf8_can_be_searched():
    assert names(one_search(golden.record("P15056")._replace(name="\udcff", description="\udcfe")))


def test_no_residues_no_candidates():
    records = [Record("a", "", "", 1), golden.record("P15056")]
    search = golden.profile_search(alignments=True)
    nothing, no_candidates = search.search(records, [everything(), []])
    assert nothing == no_candidates == []
    assert nothing.counts["nmodels"] == len(everything()) and no_candidates.counts["nmodels"] == 0
    assert nothing.counts["nnodes"] > nothing.counts["n_past_msv"] == 0


def inserted(domain):
    """The residues, from 1, at the dots of the profile's line, where the sequence has no hyphen."""
    lines = zip(domain.alignment.model, domain.alignment.sequence)
    states = [state for state, residue in lines if residue != "-"]
    return [domain.ali_from + place for place, state in enumerate(states) if state == "."]


def test_insertions_are_those_of_the_alignment():
    records = golden.records()
    found = golden.profile_search(alignments=True).search(records, [everything()] * len(records))
    domains = [domain for hits in found for hit in hits for domain in hit.domains]
    for domain in domains:
        runs = domain.insertions
        assert [place for first, last in runs for place in range(first, last + 1)] == inserted(domain)
        assert all(last < first for (_, last), (first, _) in pairwise(runs))
    assert any(domain.insertions and "-" in domain.alignment.sequence for domain in domains)


CASES = [
    {},
    {"domE": 1e-9, "incdomE": 1e-12},
    {"E": 1e-5},
    {"E": 1e-5, "incE": 1e-2, "incdomE": 1.0},
    {"domZ": 3.0, "domE": 1e-9},
    {"domZ": 0.5},
    {"T": 20.0, "domT": 25.0},
    {"incT": 25.0},
    {"Z": 1e6, "E": 1e-3},
    {"bit_cutoffs": "gathering"},
    {"F1": 1.0, "F2": 1.0, "F3": 1.0, "bias_filter": False},
    {"null2": False},
]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_family_by_family_has_the_hits_and_counts_of_hmmscan(options):
    """Every field of every hit, in its order, also of hits that hmmscan keeps below its thresholds."""
    thresholds = Thresholds(**options)
    records, profiles = golden.records()[:12], [optimize(hmm) for hmm in golden.hmms()]
    block = OptimizedProfileBlock(profiles[0].alphabet, profiles)
    numbers = {profile.name: (i, profile) for i, profile in enumerate(profiles)}
    found = golden.search(records, thresholds, unreported=True)
    counted = golden.profile_search(thresholds, alignments=True)
    counted = counted.search(records, [everything()] * 12, unreported=True)
    for record, hits, same in zip(records, counted, found, strict=True):
        top = Pipeline(block.alphabet, **vars(thresholds)).scan_seq(to_digital(record.sequence), block)
        Z = thresholds.Z or len(profiles)
        expected = [to_hit(hit, *numbers[hit.name], record, Z, top.domZ, True) for hit in top]
        assert [hit for hit in hits if hit.reported] == [hit for hit in expected if hit.reported]
        assert names(hits) == names(expected)
        assert [without_alignments(hit) for hit in hits] == same
        counts = top.__getstate__()["pipeline"]
        assert hits.counts == {name: counts[name] for name in hits.counts}


def test_numbers_do_not_depend_on_the_company():
    search = golden.profile_search()
    complete = dict(zip((r.name for r in golden.records()), golden.hits("default")))
    for name in ("P06213", "P15056", "P19838"):
        record = golden.record(name)
        for hit in complete[name]:
            for company in ([hit.family], [0, hit.family] if hit.family else [0, 1]):
                (found,) = search.search([record], [company])
                (same,) = [other for other in found if other.family == hit.family]
                assert without_domZ(same) == without_domZ(hit)


@pytest.mark.parametrize("options", ({"bit_cutoffs": "gathering"}, {"T": 100.0, "domT": 60.0}), ids=str)
def test_what_is_far_below_the_cutoffs_is_rejected_by_the_last_filter(options):
    """Nothing that is reported is lost, and what is counted and found does not depend on the way."""
    thresholds, records = Thresholds(**options), golden.records()
    every = [everything()] * len(records)
    expected = golden.search(records, thresholds)
    some, aligned = (
        golden.profile_search(thresholds, alignments=kind, leeway=10.0) for kind in (False, True)
    )
    assert some.search(records, every) == expected
    assert [some.search([record], every[:1])[0] for record in records] == expected
    found = aligned.search(records, every)
    assert [[without_alignments(hit) for hit in hits] for hits in found] == expected
    usual = golden.profile_search(thresholds, alignments=True).search(records, every)
    counts = [sum(hits.counts[name] for hits in usual) for name in usual[0].counts]
    fewer = [sum(hits.counts[name] for hits in found) for name in usual[0].counts]
    assert fewer[:-1] == counts[:-1] and fewer[-1] <= counts[-1]
    assert fewer[-1] < counts[-1] or "T" not in options
    unfiltered = golden.profile_search(thresholds.unfiltered(), leeway=10.0)
    assert unfiltered.search(records, every) == golden.search(records, thresholds.unfiltered())


@pytest.mark.parametrize("name, unit", (("Pkinase", "EK"), ("Trypsin", "CH"), ("DEAD", "ST")))
def test_a_biased_sequence_is_not_rejected_for_its_bias(name, unit, monkeypatch):
    """The last filter subtracts the bias of the complete sequence, a domain only its own."""
    (family,) = (i for i, one in enumerate(golden.families()) if one.name == name)
    tail = "".join(np.random.default_rng(0).choice([*unit], 600))
    record = Record("biased", "", golden.hmms()[family].consensus.upper() + tail, 1)
    found = lambda T: [
        (hit.family, hit.score)
        for hit in golden.profile_search(Thresholds(T=T), leeway=32.0).search([record], [[family]])[0]
    ]
    ((_, score),) = found(0.0)
    assert found(score - 1) == [(family, score)] and found(score + 1) == []
    monkeypatch.setattr(search_module, "most_bias", lambda counts, profile: 0.0)
    assert found(score - 1) == []


def test_neighbours_and_the_order_of_candidates_do_not_matter():
    search, records = golden.profile_search(), golden.records()
    every = [list(everything())[::-1], *[list(everything())] * (len(records) - 1)]
    assert search.search(records, every) == golden.hits("default")
    assert [one_search(record) for record in records[:8]] == golden.hits("default")[:8]


def test_threads_do_not_matter(tmp_path):
    library = tmp_path / "profiles.h3m"
    store = ProfileStore(ProfileFile(library, write_profiles(library, golden.hmms())))
    search = ProfileSearch(store, golden.families(), threads=2)
    tasks = [(r, h) for r, h in zip(golden.records(), golden.hits("default"))] * 3
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda task: search.search([task[0]], [everything()])[0], tasks[::-1]))
    assert found == [hits for _, hits in tasks[::-1]]


def test_Z():
    assert len(golden.families()) == golden.profile_search().Z
    assert golden.profile_search(Thresholds(Z=45.5)).Z == 45.5
    one = one_search(golden.record("P15056"), Thresholds(Z=1.0))[0]
    assert one.evalue == pytest.approx(math.exp(one.log_p))
    ten = one_search(golden.record("P15056"), Thresholds(domZ=10.0))[0]
    assert ten.best_domain.c_evalue == pytest.approx(10 * math.exp(ten.best_domain.log_p))


def test_thresholds_do_what_the_options_do():
    record = golden.record("P19838")
    hits = one_search(record)
    cut = sorted(hit.score for hit in hits)[len(hits) // 2] + 0.01
    assert names(one_search(record, Thresholds(T=cut))) == [
        hit.target_name for hit in hits if hit.score >= cut
    ]
    assert names(one_search(record, Thresholds(E=hits[0].evalue))) == names(hits[:1])
    few = Thresholds(domT=20.0, incdomT=30.0, incT=1e6)
    found = one_search(record, few)
    assert found
    for hit in found:
        assert not hit.included
        assert all(domain.reported == (domain.score >= 20) for domain in hit.domains)
    assert few.inclusion_by_score and not Thresholds(T=3.0).inclusion_by_score


def test_unfiltered_finds_no_less():
    found = golden.search(golden.records()[:12], Thresholds().unfiltered())
    for more, hits in zip(found, golden.hits("default")):
        assert {hit.family for hit in hits} <= {hit.family for hit in more}


def test_unreported_hits_on_request():
    """Counting as it goes, hmmscan keeps what would be significant among the profiles tried so far."""
    record = golden.record("P06213")
    hits = one_search(record)
    first = min(hits, key=lambda hit: hit.family)
    assert first.family < len(everything()) - 1 and len(hits) > 1
    strict = Thresholds(E=first.evalue * 0.9)
    reported, with_all = one_search(record, strict), one_search(record, strict, unreported=True)
    assert first.family not in {hit.family for hit in reported}
    (kept,) = [hit for hit in with_all if hit.family == first.family]
    assert not kept.reported and not kept.included
    assert [hit for hit in with_all if hit.reported] == reported


def test_missing_cutoffs_are_refused_at_the_start():
    families = [Family("PF00001.1", "a", ga=(20.0, 20.0)), Family("PF00002.1", "b")]
    check_cutoffs(families, None)
    check_cutoffs(families[:1], "gathering")
    with pytest.raises(PfamnetError, match="^family PF00002.1 b: no GA bit thresholds"):
        check_cutoffs(families, "gathering")
    with pytest.raises(PfamnetError, match="PF00001.1 a and 1 more: no TC"):
        ProfileSearch(golden.store(), families, Thresholds(bit_cutoffs="trusted"))


@pytest.mark.parametrize("alignments", (False, True))
@pytest.mark.parametrize("letters", ("*", "~~~", "."))
def test_a_sequence_without_residues_has_no_hits_without_filters_either(letters, alignments):
    """HMMER's arithmetic underflows, on which hmmscan --max ends."""
    records = golden.records()[:2]
    records.insert(1, Record("stop", "", letters, 2))
    search = golden.profile_search(Thresholds().unfiltered(), alignments=alignments)
    expected = search.search(records[::2], [everything()] * 2)
    found = search.search(records, [everything()] * 3)
    assert found[::2] == expected and found[1] == [] and all(expected)


@pytest.mark.parametrize("alignments", (False, True))
def test_a_profile_and_a_sequence_that_overflow_the_arithmetic_are_left_out(monkeypatch, alignments):
    """pyhmmer raises OverflowError for all sequences of a search."""
    records = golden.records()[:7]
    search = golden.profile_search(alignments=alignments)
    expected = search.search(records, [everything()] * 7)
    bad = max(range(7), key=lambda i: len(expected[i]))
    family, length = expected[bad][0].target_name, len(records[bad].sequence)
    make = search._pipeline

    class Overflowing:
        def __init__(self, *arguments):
            self.pipeline = make(*arguments)

        def search_hmm(self, profile, block):
            if profile.name == family and length in map(len, block):
                raise OverflowError
            return self.pipeline.search_hmm(profile, block)

        def scan_seq(self, sequence, block):
            if len(sequence) == length and family in [profile.name for profile in block]:
                raise OverflowError
            return self.pipeline.scan_seq(sequence, block)

    monkeypatch.setattr(search, "_pipeline", Overflowing)
    found = search.search(records, [everything()] * 7)
    assert names(found[bad]) == names(expected[bad][1:])
    assert found[:bad] + found[bad + 1 :] == expected[:bad] + expected[bad + 1 :]


def test_a_long_sequence_is_searched_in_windows(monkeypatch):
    """Windows find what the complete sequence has, if that can be searched."""
    order = [
        golden.record(name).sequence for name in ("P15056", "P06213", "P19838", "P46531", "P10070", "P07949")
    ]
    record = Record("long", "", "".join(order) + "".join(order[::-1]), 1)
    complete = {hit.family: hit for hit in one_search(record)}
    monkeypatch.setattr(search_module, "MAX_RESIDUES", 9000)
    monkeypatch.setattr(long_sequences, "OVERLAP", 4000)
    short = golden.record("P15056")
    before, parts, after = golden.search([short, record, short], unreported=True)
    assert before == after == one_search(short)
    assert len(record.sequence) > 9000 and parts == in_order(parts[::-1], Thresholds())
    found = {hit.family: hit for hit in parts}
    sure = 0
    for family, hit in complete.items():
        for domain in hit.domains:
            if domain.i_evalue < 1e-5:
                sure += 1
                # The length model may move an end by a residue or two.
                (same,) = [
                    d
                    for d in found[family].domains
                    if abs(d.env_from - domain.env_from) + abs(d.env_to - domain.env_to) < 6
                ]
                assert same.score == pytest.approx(domain.score, abs=0.5)
                assert same.hmm_from == pytest.approx(domain.hmm_from, abs=2)
                assert same.hmm_to == pytest.approx(domain.hmm_to, abs=2)
                assert same.reported and same.included
    assert sure >= 10
    for hit in parts:
        assert hit.query_length == len(record.sequence) and math.isfinite(hit.evalue)
        spans = [(d.env_from, d.env_to) for d in hit.domains]
        assert len(set(spans)) == len(spans)


@pytest.mark.parametrize("kind", ("sequence", "domain"))
def test_scores_of_windows_pass_the_cutoffs_when_they_are_those_of_the_sequence(kind):
    """A domain of a longer sequence has a lower score."""
    hmm, linker = golden.hmms()[KINASE].copy(), "GSAPTEQKDN" * 30_000
    record = Record("long", "", linker + golden.record("P15056").sequence + linker, 1)

    def found(cutoffs):
        hmm.cutoffs.gathering = cutoffs
        thresholds = Thresholds(bit_cutoffs="gathering")
        search = ProfileSearch(ProfileStore([hmm]), [family_of(hmm)], thresholds)
        return [hit for hit in search.search([record], [[0]])[0] if hit.reported]

    ((hit),) = found((10.0, 10.0))
    assert hit.score == pytest.approx(hit.best_domain.score, abs=2)
    for bits, passes in ((-0.1, True), (0.1, False)):
        if kind == "sequence":
            assert bool(found((hit.score + bits, 10.0))) == passes
        else:
            (same,) = found((10.0, hit.best_domain.score + bits))
            assert bool(same.reported_domains) == same.best_domain.included == passes


def test_a_hundred_thousand_and_one_residues():
    linker, short = "GSAPTEQKDN" * 9_900, golden.record("P15056")
    sequence = (linker + short.sequence + linker)[: 100_001 + len(short.sequence)]
    records = [Record("long", "", sequence, 1), short]
    (hit,), (alone,) = golden.profile_search().search(records, [[KINASE]] * 2)
    shift = hit.best_domain.ali_from - alone.best_domain.ali_from
    assert shift == pytest.approx(len(linker), abs=2)
    assert hit.best_domain.ali_to == len(linker) + alone.best_domain.ali_to
