"""The discriminant as the head of the esm network, before and after training."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from encoders import tiny_encoder
from torch.nn import functional as F

from pfamnet.network.esm import EsmNetwork
from pfamnet.training.corpus import Corpus
from pfamnet.training.dev_accuracy import Measure, region_logits
from pfamnet.training.discriminant import discriminant, finish_head, start_head
from pfamnet.trainset.trainset import Fold

LETTERS = ("AGST", "DEKRNQ", "FILMVW")  # each family is made of residues of its own


def fold(rows, seed):
    rng = np.random.default_rng(seed)
    sequences = [
        "".join(rng.choice(list(LETTERS[f]), int(rng.integers(30, 60))))
        for f in range(len(LETTERS))
        for _ in range(rows)
    ]
    domains = [(i, 0, len(s), i // rows) for i, s in enumerate(sequences)]
    return Fold(
        sequences,
        [f"s{i}" for i in range(len(sequences))],
        np.array(domains, np.int32),
        np.zeros(len(sequences), bool),
    )


def network(families=3):
    torch.manual_seed(3)
    return EsmNetwork(tiny_encoder(), families)


def test_an_untrained_encoder_already_tells_families_apart():
    made = network()
    start_head(made, Corpus(fold(8, 1)), nullcontext())
    assert Measure(Corpus(fold(10, 2)), made.block)(made.eval()) > 0.9


def test_nothing_but_the_linear_layer_changes():
    made, before = network(), network().state_dict()
    start_head(made, Corpus(fold(4, 1)), nullcontext())
    changed = {name for name, tensor in made.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.2.weight", "head.2.bias"}


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_and_a_family_without_any_leave_numbers(rows):
    made = network(families=5)
    start_head(made, Corpus(fold(rows, 1)), nullcontext())
    assert all(torch.isfinite(tensor).all() for tensor in made.head.state_dict().values())


def test_one_vector_of_each_family_gives_weights_of_an_ordinary_size():
    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight, bias = discriminant(vectors, torch.arange(40), 40)
    assert weight.abs().max() < 100 and bias.abs().max() < 100
    assert ((vectors @ weight.T + bias).argmax(1) == torch.arange(40)).all()


def test_the_discriminant_has_fishers_directions():
    rng = torch.Generator().manual_seed(0)
    spread = torch.tensor([[3.0, 0.0], [2.5, 0.4]], dtype=torch.float64)
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    labels = torch.arange(3).repeat(4000)
    vectors = means[labels] + torch.randn(len(labels), 2, generator=rng, dtype=torch.float64) @ spread.T
    weight, bias = discriminant(vectors, labels, 4)
    right = ((vectors @ weight.T + bias).argmax(1) == labels).double().mean()
    nearest = (torch.cdist(vectors, means).argmin(1) == labels).double().mean()
    assert right > nearest + 0.05  # the covariance counts
    assert torch.allclose(weight[:3].norm(dim=1), torch.ones(3, dtype=torch.float64))
    assert not weight[3].any() and bias[3] == 0  # a class without vectors
    assert torch.allclose(means.mean(0) @ weight.T + bias, torch.zeros(4, dtype=torch.float64), atol=0.2)


# After training


def finished(made, train=None, dev=None):
    corpus = Corpus(dev or fold(10, 2))
    return finish_head(made.eval(), Corpus(train or fold(8, 1)), Measure(corpus, made.block), nullcontext())


def layer(made):
    return {name: tensor.clone() for name, tensor in made.head[-1].state_dict().items()}


def test_a_head_that_knows_nothing_learns_from_the_discriminant():
    made = network()
    before = Measure(Corpus(fold(10, 2)), made.block)(made.eval())
    said = finished(made)
    assert Measure(Corpus(fold(30, 3)), made.block)(made.eval()) > before + 0.4
    assert "head + 0 x" not in said


def test_a_head_that_is_always_right_stays_but_for_a_scale():
    """The discriminant of rows with the wrong families can only do harm."""
    made = network()
    finished(made)
    before, wrong = layer(made), fold(8, 1)
    wrong.domains[:, 3] = (wrong.domains[:, 3] + 1) % len(LETTERS)
    said = finished(made, train=wrong)
    after = layer(made)
    scale = after["bias"][0] / before["bias"][0]
    assert "head + 0 x" in said and scale > 0
    assert torch.allclose(after["weight"], before["weight"] * scale, rtol=1e-4, atol=1e-6)


def test_a_head_that_prefers_families_of_many_rows_no_longer_does():
    """Families 0, 1, 2 have 40, 12 and 3 rows, and the head knows no more than that."""
    made, rows = network(), (40, 12, 3)
    train = fold(max(rows), 1)
    kept = [i for i, (*_, f) in enumerate(train.domains) if i - f * max(rows) < rows[f]]
    train = Fold(
        [train.sequences[i] for i in kept],
        [train.names[i] for i in kept],
        np.array([(n, *train.domains[i][1:]) for n, i in enumerate(kept)], np.int32),
        np.zeros(len(kept), bool),
    )
    finished(made)  # right everywhere
    with torch.no_grad():
        made.head[-1].bias[1:] += 3 * torch.log(torch.tensor(rows)) * made.head[-1].weight.abs().max()
    dev = Measure(Corpus(fold(30, 3)), made.block)
    before = dev(made.eval())
    said = finished(made, train=train)
    assert dev(made.eval()) > before + 0.2 and "- 0 x ln rows" not in said


def test_sure_logits_of_a_head_that_is_often_wrong_are_scaled_down():
    made = network()
    with torch.no_grad():
        made.head[-1].weight.mul_(200)
    wrong = fold(20, 2)
    wrong.domains[::3, 3] = (wrong.domains[::3, 3] + 1) % len(LETTERS)
    sure = surprise_of(made, wrong)
    finished(made, dev=wrong)
    assert surprise_of(made, wrong) < sure


def surprise_of(made, dev):
    """Mean of -ln of the probability that the head gives the families of a fold."""
    measure = Measure(Corpus(dev), made.block)
    with torch.inference_mode():
        found = [(view.row, logits) for view, logits in region_logits(made.eval(), measure.regions)]
    labels = torch.tensor([next(iter(measure.right[row])) + 1 for row, _ in found])
    return F.cross_entropy(torch.stack([logits for _, logits in found]), labels).item()


def test_no_family_has_a_place_of_its_own():
    """Shuffled domains are no family: their logit is not the mean of all."""
    made = network()
    finished(made)
    weight = made.head[-1].weight
    assert not torch.allclose(weight[0], weight[1:].mean(0), atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_leave_numbers_after_training_too(rows):
    made = network(families=5)
    finished(made, train=fold(rows, 1))
    assert all(torch.isfinite(tensor).all() for tensor in made.head.state_dict().values())
