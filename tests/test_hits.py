"""Hits as values: counts, order, and hits of the network alone."""

import dataclasses
import math

import golden
import pytest

from pfamnet.hits import Hit, network_domain, network_hit
from pfamnet.profiles.thresholds import Thresholds, in_order
from pfamnet.records import overlap


def numbers(value):
    """Every number in a hit and its domains."""
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from numbers(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from numbers(getattr(value, field.name))


def test_values_are_plain_python():
    for hits in golden.hits("default"):
        for hit in hits:
            assert all(type(number) in (int, float, bool) for number in numbers(hit))
            assert type(hit.target_name) is str and type(hit.domains) is tuple
            assert hash(hit)


def test_hits_do_not_change():
    hit = golden.hits("default")[0][0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit.score = 0.0
    assert not hasattr(hit, "__dict__")


def test_counts_and_order():
    reported = 0
    for hits in golden.hits("default"):
        assert hits == in_order(hits[::-1], Thresholds())
        for hit in hits:
            assert hit.n_domains >= hit.n_reported >= hit.n_included >= 0
            assert hit.best_domain.score == max(domain.score for domain in hit.domains)
            assert [d.env_from for d in hit.domains] == sorted(d.env_from for d in hit.domains)
            assert hit.evalue == pytest.approx(math.exp(hit.log_p) * len(golden.families()))
            reported += len(hit.reported_domains)
    table = golden.table("default", "domtblout").splitlines()
    assert reported == sum(not line.startswith(b"#") for line in table)


def test_network_hit():
    record, family = golden.record("P42212"), golden.families()[5]
    domains = [
        network_domain(100, 150, 1e-3, 13.0, (1, family.length)),
        network_domain(0, 50, 1e-6, 23.0, (3, 40), accuracy=0.8, included=False),
    ]
    hit = network_hit(5, family, record, domains)
    assert isinstance(hit, Hit) and hit.source == "network" and hit.family == 5
    assert all(map(math.isfinite, numbers(hit)))
    assert [(d.ali_from, d.ali_to, d.env_from, d.env_to) for d in hit.domains] == [
        (1, 50, 1, 50),
        (101, 150, 101, 150),
    ]
    assert (hit.evalue, hit.score, hit.best) == (1e-6, 23.0, 0)
    assert hit.log_p == pytest.approx(-23 * math.log(2))
    assert (hit.n_domains, hit.n_reported, hit.n_included) == (2, 2, 1)
    assert hit.query_length == len(record.sequence)
    assert (hit.target_accession, hit.target_length) == (family.accession, family.length)
    with pytest.raises(ValueError):
        network_hit(5, family, record, [])


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ((0, 10), (5, 25), 5),
        ((5, 25), (0, 10), 5),
        ((0, 10), (10, 20), 0),
        ((0, 9), (2, 4), 2),
        ((0, 1), (7, 9), 0),
    ],
)
def test_overlap(one, other, shared):
    assert overlap(one, other) == shared


def test_ranges_of_a_domain():
    domain = network_domain(100, 150, 1e-3, 13.0, (1, 60))
    assert domain.aligned == domain.envelope == (100, 150)
