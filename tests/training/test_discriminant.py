"""The head of the esm network that begins where the families' vectors are."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pfamnet.network import esm
from pfamnet.training.dev_accuracy import Measure
from pfamnet.training.discriminant import discriminant, start_head
from pfamnet.training.sampler import Corpus
from pfamnet.trainset.trainset import Fold

LETTERS = ("AGST", "DEKRNQ", "FILMVW")  # each family is made of residues of its own


def fold(rows, seed, families=len(LETTERS)):
    rng = np.random.default_rng(seed)
    sequences = [
        "".join(rng.choice(list(LETTERS[f]), int(rng.integers(30, 60))))
        for f in range(families)
        for _ in range(rows)
    ]
    domains = [(i, 0, len(s), i // rows) for i, s in enumerate(sequences)]
    return Fold(
        sequences,
        [f"s{i}" for i in range(len(sequences))],
        np.array(domains, np.int32),
        np.zeros(len(sequences), bool),
    )


def network(families=len(LETTERS)):
    torch.manual_seed(3)
    config = esm.EncoderConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    )
    return esm.EsmNetwork(esm.EsmEncoder(config), families)


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


def test_the_discriminant_is_fishers():
    rng = torch.Generator().manual_seed(0)
    spread = torch.tensor([[3.0, 0.0], [2.5, 0.4]], dtype=torch.float64)
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    labels = torch.arange(3).repeat(4000)
    vectors = means[labels] + torch.randn(len(labels), 2, generator=rng, dtype=torch.float64) @ spread.T
    weight, bias = discriminant(vectors, labels, 3)
    right = ((vectors @ weight.T + bias).argmax(1) == labels).double().mean()
    nearest = (torch.cdist(vectors, means).argmin(1) == labels).double().mean()
    assert right > nearest + 0.05  # the covariance counts
    # on the line between two means the border lies half way, for equal priors
    middle = (means[1] + means[2]) / 2
    assert torch.allclose((middle @ weight.T + bias)[1], (middle @ weight.T + bias)[2], atol=0.1)
