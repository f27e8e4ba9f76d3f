"""Overlaps within a clan: the best stays, others' and nested domains too."""

from dataclasses import replace

import golden
import pytest
import untrained
from scanning import LIBRARY, PROTEINS, rows, scan_here

from pfamnet.cli.common import run
from pfamnet.cli.scan import scan
from pfamnet.families import Family
from pfamnet.hits import network_domain, network_hit
from pfamnet.profiles.clans import best_of_clans, nested, without
from pfamnet.records import Record

FAMILIES = [
    Family("PF1", "a", clan="CL1"),
    Family("PF2", "b", clan="CL1"),
    Family("PF3", "c", clan="CL2"),
    Family("PF4", "d"),
    Family("PF5", "e", clan="CL1"),
]
RECORD = Record("q", "", "A" * 500, 1)


def hit(family, *places):
    """A hit with domains (start, end, bits, insertions...)."""
    domains = [
        replace(network_domain(start, end, 1.0, bits, (1, 9)), insertions=tuple(insertions))
        for start, end, bits, *insertions in places
    ]
    return network_hit(family, FAMILIES[family], RECORD, domains)


def reported(hits):
    return {
        (hit.target_name, domain.env_from - 1, domain.env_to)
        for hit in hits
        if hit.reported
        for domain in hit.reported_domains
    }


def test_the_best_of_a_clan_stays():
    hits = [hit(0, (0, 100, 50.0), (200, 300, 20.0)), hit(1, (50, 150, 40.0), (250, 350, 60.0))]
    assert reported(best_of_clans(hits, FAMILIES)) == {("a", 0, 100), ("b", 250, 350)}


def test_what_lost_takes_no_place_from_others():
    """As in pfam_scan: only what stays keeps others out."""
    hits = [hit(0, (0, 100, 50.0)), hit(1, (90, 200, 40.0)), hit(4, (190, 300, 30.0))]
    assert reported(best_of_clans(hits, FAMILIES)) == {("a", 0, 100), ("e", 190, 300)}


def test_other_clans_and_no_clan_stay():
    hits = [hit(0, (0, 100, 50.0)), hit(2, (0, 100, 40.0)), hit(3, (0, 100, 30.0)), hit(3, (5, 90, 3.0))]
    assert best_of_clans(hits, FAMILIES) == hits


def test_neighbours_stay_and_one_residue_is_an_overlap():
    assert len(reported(best_of_clans([hit(0, (0, 100, 9.0)), hit(1, (100, 200, 8.0))], FAMILIES))) == 2
    assert len(reported(best_of_clans([hit(0, (0, 100, 9.0)), hit(1, (99, 200, 8.0))], FAMILIES))) == 1


def test_domains_of_one_family_compete_too():
    assert reported(best_of_clans([hit(0, (0, 100, 9.0), (80, 200, 10.0))], FAMILIES)) == {("a", 80, 200)}


def test_nested_domains_stay():
    """A domain in insertions of another one, but for a tenth of its residues."""
    for bits in (10.0, 90.0):
        inside = hit(1, (20, 80, bits))  # residues 21 to 80
        for insertions, count in (
            ([(21, 80)], 2),
            ([(27, 90)], 2),
            ([(28, 90)], 1),
            ([(10, 50), (57, 85)], 2),
            ([(10, 50), (58, 85)], 1),
            ([], 1),
        ):
            hits = [hit(0, (0, 100, 50.0, *insertions)), inside]
            assert len(reported(best_of_clans(hits, FAMILIES))) == count


def test_no_domain_is_nested_in_itself():
    (domain,) = hit(0, (10, 16, 1.0, (13, 13), (14, 14))).domains
    assert not nested(domain, domain)


def test_without():
    two = hit(0, (0, 100, 50.0), (200, 300, 20.0))
    assert without(two, set()) is two
    left = without(two, {0})
    assert left.reported and left.n_reported == 1 and left.best_domain.env_from == 201
    assert not without(two, {0, 1}).reported


@pytest.mark.parametrize("mode", ("hybrid", "profiles", "network"))
def test_the_option(mode, tmp_path, capfdbinary):
    model = str(untrained.write_model(tmp_path / "model"))
    outs = []
    for choice in ("all", "best"):
        assert (
            run(
                scan,
                [
                    "--mode",
                    mode,
                    "--clan-overlaps",
                    choice,
                    "--domtblout",
                    str(tmp_path / choice),
                    model,
                    str(PROTEINS),
                ],
            )
            == 0
        )
        outs.append([row.split(b"\t") for row in rows(capfdbinary.readouterr().out)])
    every, best = outs
    assert len(rows((tmp_path / "best").read_bytes())) == len(best)
    clan = {name.encode() for name in untrained.CLANS}
    kept = {tuple(row[:9] + row[11:]) for row in best}
    assert kept <= {tuple(row[:9] + row[11:]) for row in every}
    if mode == "profiles":
        assert 0 < len(best) < len(every)
        lost = [row for row in every if tuple(row[:9] + row[11:]) not in kept]
        assert {row[0] for row in lost} <= clan
    for row in best:
        others = [
            other
            for other in best
            if other is not row and row[0] in clan and other[0] in clan and other[3] == row[3]
        ]
        assert not any(int(other[17]) <= int(row[18]) and int(row[17]) <= int(other[18]) for other in others)


def test_no_clans_are_spoken_of(capfd):
    assert scan_here("--clan-overlaps", "best", LIBRARY, PROTEINS) == 0
    assert "no clans are known" in capfd.readouterr().err
    assert golden.families()[0].clan == ""
