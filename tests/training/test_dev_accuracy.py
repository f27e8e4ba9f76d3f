"""Regions of domains as a network sees them, and how often it names them right."""

import numpy as np
import pytest
import synthetic
import torch
from reader import Reader, letters, make_corpus

from pfamnet.network.tokens import encode
from pfamnet.training.dev_accuracy import CONTEXT, Measure, region, region_logits


def test_an_isolated_domain_is_seen_whole():
    corpus = make_corpus([letters(2, 100)], [(0, 0, 100, 2)])
    view = region(corpus, 0, 16)
    assert len(view.tokens) == 100 and (view.first, view.last) == (0, 6)


@pytest.mark.parametrize("start, end", [(0, 50), (300, 410), (700, 800), (555, 560), (100, 700)])
def test_a_domain_in_a_protein_is_seen_with_what_is_round_it(start, end):
    sequence = synthetic.random_sequence(np.random.default_rng(0), 800)
    view = region(make_corpus([sequence], [(0, start, end, 1)]), 0, 16)
    place = encode(sequence).tobytes().find(view.tokens.tobytes())
    assert place % 16 == 0
    assert place <= start and end <= place + len(view.tokens)
    assert len(view.tokens) <= max(CONTEXT, end - start) + 32
    claimed = range(place + 16 * view.first, place + 16 * view.last)
    assert abs(claimed.start - start) <= 16 and abs(claimed.stop - end) <= 16


def test_every_region_comes_once_with_the_mean_of_its_blocks():
    rng, sequences, domains = np.random.default_rng(0), [], []
    for i in range(150):
        length = int(rng.integers(20, 500))
        sequences.append(letters(i % 20, length))
        domains.append((i, 0, length, i % 20))
    corpus, network = make_corpus(sequences, domains), Reader()
    regions = [region(corpus, row, 16) for row in range(150)]
    seen = {view.row: logits for view, logits in region_logits(network, regions)}
    assert sorted(seen) == list(range(150))
    assert all(int(seen[row][1:].argmax()) == row % 20 for row in seen)
    alone = {view.row: logits for one in regions for view, logits in region_logits(network, [one])}
    assert all(torch.equal(seen[row], alone[row]) for row in seen)
    assert max(rows for rows, _ in network.widths) <= 64


def test_very_long_regions_go_alone():
    corpus = make_corpus([letters(0, 20_000), letters(1, 20_000)], [(0, 0, 20_000, 0), (1, 0, 20_000, 1)])
    network = Reader()
    list(region_logits(network, [region(corpus, row, 16) for row in (0, 1)]))
    assert [rows for rows, _ in network.widths] == [1, 1]


def test_the_share_of_right_names():
    domains = [(i, 0, 64, family) for i, family in enumerate([0, 1, 2, 5])]
    corpus = make_corpus([letters(i, 64) for i in range(4)], domains)
    assert Measure(corpus, 16)(Reader()) == 0.75


def test_each_of_the_families_of_a_region_is_right():
    """The other one holds more than half of it; a third holds less."""
    sequence = letters(1, 128)
    corpus = make_corpus([sequence], [(0, 0, 100, 0), (0, 20, 128, 1), (0, 0, 40, 2)])
    measure = Measure(corpus, 16)
    assert measure.right == {0: {0, 1}, 1: {0, 1}, 2: {0, 2}}
    assert measure(Reader()) == pytest.approx(2 / 3)


def test_families_left_out_are_not_measured():
    domains = [(0, 0, 64, 0), (0, 2, 64, -1), (1, 0, 64, -1)]
    measure = Measure(make_corpus([letters(0, 64), letters(1, 64)], domains), 16)
    assert measure.right == {0: {0}} and measure(Reader()) == 1.0


def test_a_limited_measure_looks_at_the_same_regions_each_time():
    domains = [(i, 0, 64, i % 20) for i in range(100)]
    corpus = make_corpus([letters(i % 20, 64) for i in range(100)], domains)
    one, other = Measure(corpus, 16, limit=10), Measure(corpus, 16, limit=10)
    assert sorted(one.right) == sorted(other.right) and len(one.regions) == 10
    assert sorted(one.right) != list(range(10))
