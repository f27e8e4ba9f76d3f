"""The head of a fine-tuned network, joined with the discriminant of its vectors."""

from contextlib import nullcontext

import pytest
import torch
from test_discriminant import fold, network

from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.head_finish import finish_head
from pfamnet.training.sampler import Corpus

FAMILIES = 3


def finished(made, path, train=None, dev=None):
    corpus = Corpus(dev or fold(10, 2))
    return finish_head(
        made.eval(), Corpus(train or fold(8, 1)), Measure(corpus, made.block), path, nullcontext()
    )


def layer(made):
    return {name: tensor.clone() for name, tensor in made.head[-1].state_dict().items()}


def test_a_head_that_knows_nothing_learns_from_the_discriminant(tmp_path):
    made = network()
    before = Measure(Corpus(fold(10, 2)), made.block)(made.eval())
    said = finished(made, tmp_path / "head.safetensors")
    assert Measure(Corpus(fold(30, 3)), made.block)(made.eval()) > before + 0.4
    assert "0 times the discriminant" not in said


def test_a_head_that_is_always_right_stays_but_for_a_scale(tmp_path):
    """The discriminant of rows with the wrong families can only do harm."""
    made = network()
    finished(made, tmp_path / "first")
    before, wrong = layer(made), fold(8, 1)
    wrong.domains[:, 3] = (wrong.domains[:, 3] + 1) % FAMILIES
    said = finished(made, tmp_path / "second", train=wrong)
    after = layer(made)
    scale = after["bias"][0] / before["bias"][0]
    assert "head and 0 times" in said and scale > 0
    assert torch.allclose(after["weight"], before["weight"] * scale, rtol=1e-4, atol=1e-6)


def test_sure_logits_of_a_head_that_is_often_wrong_are_scaled_down(tmp_path):
    made, dev = network(), fold(20, 2)
    with torch.no_grad():
        made.head[-1].weight.mul_(200)
    wrong = fold(20, 2)
    wrong.domains[::3, 3] = (wrong.domains[::3, 3] + 1) % FAMILIES
    sure = surprise_of(made, wrong)
    finished(made, tmp_path / "head", dev=wrong)
    assert surprise_of(made, wrong) < sure and len(dev.sequences) == 60


def surprise_of(made, dev):
    from pfamnet.training.head_finish import dev_vectors, surprise

    vectors, right = dev_vectors(made.eval(), Measure(Corpus(dev), made.block), nullcontext())
    return surprise(
        vectors @ made.head[-1].weight.detach().double().T + made.head[-1].bias.detach().double(), right
    )


def test_it_is_done_once(tmp_path):
    one, other = network(), network()
    assert finished(one, tmp_path / "head")
    assert finished(other, tmp_path / "head") == ""
    assert all(torch.equal(tensor, layer(other)[name]) for name, tensor in layer(one).items())


def test_no_family_has_a_place_of_its_own(tmp_path):
    """Shuffled domains are no family: their logit is not the mean of all."""
    made = network()
    finished(made, tmp_path / "head")
    weight = made.head[-1].weight
    assert not torch.allclose(weight[0], weight[1:].mean(0), atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_leave_numbers(tmp_path, rows):
    made = network(families=5)
    finished(made, tmp_path / "head", train=fold(rows, 1))
    assert all(torch.isfinite(tensor).all() for tensor in made.head.state_dict().values())
