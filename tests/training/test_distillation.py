"""A teacher's view of the train domains: which, what, and once."""

from contextlib import nullcontext

import numpy as np
import torch
from reader import Reader, letters, make_corpus

from pfamnet.training.dev_accuracy import region, region_logits
from pfamnet.training.distillation import (
    KEPT,
    PART,
    PER_FAMILY,
    TEMPERATURE,
    regions_of_each,
    soft_labels,
    some_of_each,
)


def corpus_of(rows):
    """`rows[i]` domains of family i, of different lengths."""
    labels = [family for family, count in enumerate(rows) for _ in range(count)]
    sequences = [letters(family, 40 + i) for i, family in enumerate(labels)]
    return make_corpus(
        sequences, [(i, 0, len(s), f) for i, (s, f) in enumerate(zip(sequences, labels, strict=True))]
    )


def test_each_domain_has_its_likeliest_classes():
    corpus, network = corpus_of([2, 1, 3]), Reader()
    classes, chances = soft_labels(network, corpus, nullcontext())
    assert classes.shape == chances.shape == (6, KEPT)
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)
    assert (np.diff(chances, axis=1) <= 0).all()
    assert classes[:, 0].tolist() == [1, 1, 2, 3, 3, 3]  # class 0 is no family
    regions = [region(corpus, row, network.block) for row in range(6)]
    with torch.inference_mode():
        for view, logits in region_logits(network, regions):
            expected = torch.softmax(logits / TEMPERATURE, -1)[classes[view.row]].numpy()
            np.testing.assert_allclose(chances[view.row], expected / expected.sum(), rtol=1e-4)


def test_with_few_families_there_are_as_many_classes_as_there_can_be():
    classes, chances = soft_labels(Reader(families=2), corpus_of([1, 1]), nullcontext())
    assert classes.shape == (2, 3)
    assert [sorted(row) for row in classes.tolist()] == [[0, 1, 2]] * 2


def test_families_left_out_have_no_view():
    corpus = corpus_of([2, 2])
    corpus.domains[1, 3] = -1
    _, chances = soft_labels(Reader(), corpus, nullcontext())
    assert [bool(row.any()) for row in chances] == [True, False, True, True]


def test_some_domains_of_each_family_are_looked_at():
    families = np.repeat([0, 1, 2, -1, 3], [500, 3, PER_FAMILY["cpu"], 40, PER_FAMILY["cpu"] + 1])
    rows = some_of_each(families, PER_FAMILY["cpu"])
    assert (np.diff(rows) > 0).all()
    assert np.bincount(families[rows], minlength=4).tolist() == [
        PER_FAMILY["cpu"],
        3,
        PER_FAMILY["cpu"],
        PER_FAMILY["cpu"],
    ]
    assert (families[rows] >= 0).all()
    # not simply the first ones
    assert rows[: PER_FAMILY["cpu"]].max() > 2 * PER_FAMILY["cpu"]
    assert np.array_equal(rows, some_of_each(families, PER_FAMILY["cpu"]))


def test_a_teacher_that_was_trained_little_looks_at_little():
    corpus = corpus_of([9, 1, 5])
    every = sum(len(view.tokens) for view in regions_of_each(corpus, 20, 4, None))
    some = regions_of_each(corpus, 20, 4, every - 1)
    assert sum(len(view.tokens) for view in some) < every
    assert {int(corpus.domains[view.row, 3]) for view in some} == {0, 1, 2}
    assert len(regions_of_each(corpus, 20, 4, 1)) == 3  # one of each at least
    _, chances = soft_labels(Reader(), corpus, nullcontext(), trained=PART * (every - 1))
    assert sorted(np.flatnonzero(chances.any(1))) == sorted(view.row for view in some)
