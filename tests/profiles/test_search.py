"""The profile stage: the same numbers in any company, thread and order."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import golden
import pytest
from pyhmmer.easel import Alphabet, TextSequence

from pfamnet.errors import PfamnetError
from pfamnet.families import Family
from pfamnet.profiles import search as search_module
from pfamnet.profiles.files import ProfileStore, write_profiles
from pfamnet.profiles.search import ProfileSearch, Thresholds, check_cutoffs, to_digital
from pfamnet.records import Record


def everything():
    return range(len(golden.families()))


def names(hits):
    return [hit.target_name for hit in hits]


def without_domZ(hit):
    return replace(hit, domains=tuple(replace(domain, c_evalue=0.0) for domain in hit.domains))


@pytest.mark.parametrize("sequence", ("", "ACDEFGHIKLMNPQRSTVWY", "BJZOUX*", "A.C_D~E*"))
def test_digits_are_easels(sequence):
    record = Record("name", "what it is", sequence, 1)
    amino = Alphabet.amino()
    ours, theirs = to_digital(record), TextSequence(sequence=sequence).digitize(amino)
    assert bytes(ours.sequence) == bytes(theirs.sequence)
    assert (ours.name, ours.description, len(ours)) == ("name", "what it is", len(sequence))
    assert to_digital(record, amino).alphabet == amino


def test_names_that_are_no_utf8_can_be_searched():
    record = golden.record("P15056")._replace(name="\udcff", description="\udcfe")
    assert names(golden.profile_search().search(record, everything()))


def test_no_residues_no_candidates():
    search = golden.profile_search()
    assert search.search(Record("a", "", "", 1), everything()) == []
    assert search.search(golden.record("P15056"), []) == []


def test_numbers_do_not_depend_on_the_company():
    search = golden.profile_search()
    whole = dict(zip((r.name for r in golden.records()), golden.hits("default")))
    for name in ("P06213", "P15056", "P19838"):
        for hit in whole[name]:
            for company in ([hit.family], [0, hit.family] if hit.family else [0, 1]):
                found = search.search(golden.record(name), company)
                (same,) = [other for other in found if other.family == hit.family]
                assert without_domZ(same) == without_domZ(hit)


def test_order_of_candidates_does_not_matter():
    search = golden.profile_search()
    for record, hits in zip(golden.records()[:8], golden.hits("default")):
        assert search.search(record, list(everything())[::-1]) == hits


def test_threads_and_neighbours_do_not_matter(tmp_path):
    library = tmp_path / "profiles.h3m"
    offsets = write_profiles(library, golden.hmms())
    search = ProfileSearch(ProfileStore(library, offsets), golden.families())
    tasks = [(r, h) for r, h in zip(golden.records(), golden.hits("default"))] * 3
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda task: search.search(task[0], everything()), tasks[::-1]))
    assert found == [hits for _, hits in tasks[::-1]]


def test_Z():
    families = golden.families()
    assert len(families) == golden.profile_search().Z
    assert golden.profile_search(Thresholds(Z=45.5)).Z == 45.5
    assert ProfileSearch(golden.Store(), families, Z=7, thresholds=Thresholds(Z=5)).Z == 7
    record = golden.record("P15056")
    one = golden.profile_search(Thresholds(Z=1.0)).search(record, everything())[0]
    assert one.evalue == pytest.approx(math.exp(one.log_p))
    ten = golden.profile_search(Thresholds(domZ=10.0)).search(record, everything())[0]
    assert ten.best_domain.c_evalue == pytest.approx(10 * math.exp(ten.best_domain.log_p))


def test_thresholds_do_what_the_options_do():
    record = golden.record("P19838")
    hits = golden.profile_search().search(record, everything())
    cut = sorted(hit.score for hit in hits)[len(hits) // 2] + 0.01
    by_score = golden.profile_search(Thresholds(T=cut)).search(record, everything())
    assert names(by_score) == [hit.target_name for hit in hits if hit.score >= cut]
    strict = golden.profile_search(Thresholds(E=hits[0].evalue)).search(record, everything())
    assert names(strict) == names(hits[:1])
    few = golden.profile_search(Thresholds(domT=20.0, incdomT=30.0, incT=1e6))
    for hit in few.search(record, everything()):
        assert not hit.included
        assert all(domain.reported == (domain.score >= 20) for domain in hit.domains)
    assert few.thresholds.inclusion_by_score and not Thresholds(T=3.0).inclusion_by_score


def test_unfiltered_finds_no_less():
    sensitive = golden.profile_search(Thresholds().unfiltered())
    for record, hits in list(zip(golden.records(), golden.hits("default")))[:12]:
        found = sensitive.search(record, everything())
        assert {hit.family for hit in hits} <= {hit.family for hit in found}


def test_unreported_hits_on_request():
    search = golden.profile_search(Thresholds(bit_cutoffs="gathering"))
    record = golden.record("P06213")
    reported = search.search(record, everything())
    with_all = search.search(record, everything(), unreported=True)
    assert [hit for hit in with_all if hit.reported] == reported
    # Counting as it goes, hmmscan keeps what would be significant among the
    # profiles tried so far.
    hits = golden.profile_search().search(record, everything())
    first = min(hits, key=lambda hit: hit.family)
    assert first.family < len(everything()) - 1 and len(hits) > 1
    strict = golden.profile_search(Thresholds(E=first.evalue * 0.9))
    assert first.family not in {hit.family for hit in strict.search(record, everything())}
    with_all = strict.search(record, everything(), unreported=True)
    (kept,) = [hit for hit in with_all if hit.family == first.family]
    assert not kept.reported
    again = strict.search(record, everything())
    assert [hit for hit in with_all if hit.reported] == again


def test_missing_cutoffs_are_refused_at_the_start():
    families = [Family("PF00001.1", "a", ga=(20.0, 20.0)), Family("PF00002.1", "b")]
    check_cutoffs(families, None)
    check_cutoffs(families[:1], "gathering")
    with pytest.raises(PfamnetError, match="^family PF00002.1 b: no GA bit thresholds"):
        check_cutoffs(families, "gathering")
    with pytest.raises(PfamnetError, match="PF00001.1 a and 1 more: no TC"):
        ProfileSearch(golden.Store(), families, thresholds=Thresholds(bit_cutoffs="trusted"))


def test_a_profile_that_overflows_is_left_out(monkeypatch):
    record = golden.record("P06213")
    expected = golden.profile_search().search(record, everything())
    bad = expected[0].target_name
    search = golden.profile_search()
    pipeline = search._pipeline()

    class Overflowing:
        def scan_seq(self, sequence, block):
            if bad in [profile.name for profile in block]:
                raise OverflowError
            pipeline.clear()
            return pipeline.scan_seq(sequence, block)

    monkeypatch.setattr(search, "_pipeline", Overflowing)
    assert names(search.search(record, everything())) == names(expected[1:])


def test_a_long_sequence_is_searched_in_windows(monkeypatch):
    """Windows find what the whole finds, where the whole can be searched."""
    names_ = ("P15056", "P06213", "P19838", "P46531", "P10070", "P07949")
    order = [golden.record(name).sequence for name in names_]
    record = Record("long", "", "".join(order) + "".join(order[::-1]), 1)
    search = golden.profile_search()
    whole = {hit.family: hit for hit in search.search(record, everything())}
    monkeypatch.setattr(search_module, "MAX_RESIDUES", 9000)
    monkeypatch.setattr(search_module.windows, "__defaults__", (4000,))
    parts = search.search(record, everything())
    assert len(record.sequence) > 9000 and parts == sorted(parts, key=lambda hit: hit.order)
    found = {hit.family: hit for hit in parts}
    sure = 0
    for family, hit in whole.items():
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


def test_regions_spare_windows(monkeypatch):
    kinase, other = golden.record("P15056").sequence, golden.record("P46531").sequence
    record = Record("long", "", other + kinase + other, 1)
    monkeypatch.setattr(search_module, "MAX_RESIDUES", 2600)
    monkeypatch.setattr(search_module.windows, "__defaults__", (1500,))
    search = golden.profile_search()
    family = [f.name for f in golden.families()].index("Pkinase")
    here = {family: [(len(other), len(other) + len(kinase))]}
    assert search.search(record, [family], here) == search.search(record, [family])
    assert search.search(record, [family], {family: [(0, 10)]}) == []
    assert search.search(record, [family], {family: []}) == []


def test_a_hundred_thousand_and_one_residues():
    linker = "GSAPTEQKDN" * 9_900
    kinase = golden.record("P15056").sequence
    record = Record("long", "", (linker + kinase + linker)[: 100_001 + len(kinase)], 1)
    family = [f.name for f in golden.families()].index("Pkinase")
    (hit,) = golden.profile_search().search(record, [family])
    short = golden.profile_search().search(golden.record("P15056"), [family])[0]
    shift = hit.best_domain.ali_from - short.best_domain.ali_from
    assert shift == pytest.approx(len(linker), abs=2)
    assert hit.best_domain.ali_to == len(linker) + short.best_domain.ali_to
