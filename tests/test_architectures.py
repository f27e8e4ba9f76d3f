"""benchmarks/architectures.py: each variant trains and is measured, and the command goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import synthetic
import torch
import untrained
from conftest import environment

from pfamnet.families import Family
from pfamnet.model.directory import open_model
from pfamnet.network.light import LightConfig, LightNetwork
from pfamnet.training.loss import batch_loss
from pfamnet.training.sampler import Corpus, Sampler, SamplerSettings
from pfamnet.trainset.trainset import Fold

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import architecture_losses as losses  # noqa: E402
import architectures  # noqa: E402
import tables  # noqa: E402

FIRST, SIGMOID = list(architectures.VARIANTS)[0], "loss: sigmoid of each family"
BLOCK = 16


@pytest.fixture(scope="module")
def batch():
    """Four families; the residues of the first two, sisters, are the same ones."""
    rng = np.random.default_rng(0)
    sequences = [synthetic.random_sequence(rng, 128) for _ in range(12)]
    domains = [[i, 16, 96, family] for i in range(12) for family in ([0, 1] if i % 3 == 0 else [1 + i % 3])]
    sequences += [synthetic.random_sequence(rng, 60) for _ in range(12)]
    domains += [[i, 0, 60, 3] for i in range(12, 24)]
    fold = Fold(sequences, [f"p{i}" for i in range(24)], np.array(domains, np.int32), np.arange(24) < 12)
    return Sampler(Corpus(fold), 4, BLOCK, SamplerSettings(alone=1.0, substitutions=0)).batches(0, 4096)[0]


@pytest.fixture
def logits(batch):
    torch.manual_seed(0)
    return torch.randn(*batch.tokens.shape[:1], batch.tokens.shape[1] // BLOCK, 5, requires_grad=True)


def test_targets_hold_what_the_products_loss_is_made_of(batch, logits):
    found = losses.targets(logits, batch, BLOCK)
    entropy = torch.nn.functional.cross_entropy(found.logits, found.classes, reduction="none")
    assert len(batch.pooled) and (found.right.sum(1) == 2).any()
    torch.testing.assert_close((entropy * found.weights).sum(), batch_loss(logits, batch, BLOCK))
    assert found.right[torch.arange(len(found.classes)), found.classes].all()


@pytest.mark.parametrize("name", losses.LOSSES)
def test_each_loss_falls_when_what_is_right_gains(name, batch, logits):
    sisters = losses.sisters_of([Family(f"PF{i}", f"f{i}", clan="CL1" if i < 2 else "") for i in range(4)])
    assert sisters.sum() == 2 and sisters[1, 2] and sisters[2, 1]
    loss = losses.LOSSES[name]
    before = loss(losses.targets(logits, batch, BLOCK), sisters)
    before.backward()
    better = (logits - 0.1 * logits.grad / logits.grad.abs().max()).detach()
    assert loss(losses.targets(better, batch, BLOCK), sisters) < before


def test_a_family_that_is_right_too_is_no_wrong_one(batch, logits):
    """Where two sisters share a block, neither is pushed down as the other's rival more than softmax does."""
    sisters = ~torch.eye(5, dtype=torch.bool)
    found = losses.targets(logits, batch, BLOCK)
    both = found.right.sum(1) == 2
    for field in ("logits", "classes", "weights", "right"):
        setattr(found, field, getattr(found, field)[both])
    raised = losses.Targets(found.logits + 5.0 * found.right, found.classes, found.weights, found.right)
    assert losses.sigmoid(raised, sisters) < losses.sigmoid(found, sisters)
    assert losses.clan_margin(raised, sisters) < losses.clan_margin(found, sisters)


def test_a_sigmoid_networks_log_odds_are_its_logits():
    head = torch.nn.Linear(8, 5)
    losses.begin_sigmoid(head)
    losses.end_sigmoid(head)
    logits = head(torch.randn(3, 8))
    assert (logits[:, 0] == 0).all() and (logits[:, 1:] != 0).all()


@pytest.mark.parametrize("name", architectures.VARIANTS)
def test_each_variant_is_a_network_that_can_be_made_and_scans_by_its_blocks(name):
    variant = architectures.VARIANTS[name]
    shape = variant.shape | {"width": variant.shape.get("width", 256) // 16, "embedding": 8, "context": 16}
    network = LightNetwork(LightConfig(3, **shape)).eval()
    assert network(torch.full((1, 64), 5)).shape == (1, 64 // network.block, 4)
    assert variant.loss == "softmax" or variant.loss in losses.LOSSES


def test_floating_point_operations_are_those_of_the_weights():
    network = LightNetwork(LightConfig(3, embedding=8, width=16, context=16, stride=4))
    stem, body, context, head = 16 * 8 * 9 / 4, 6 * 16 * 16 * 5 / 4, 16 * 32 * 3 / 16, 16 * 4 / 16
    assert architectures.mflop(network) == pytest.approx(2 * (stem + body + context + head) / 1e6)


def test_a_teachers_labels_come_in_the_classes_of_the_families_learnt(tmp_path):
    theirs = open_model(untrained.write_model(tmp_path / "teacher")).families
    ours = [theirs[5], Family("PF99999.1", "unknown"), theirs[0], theirs[3]]
    rng = np.random.default_rng(1)
    sequences = [synthetic.random_sequence(rng, 80) for _ in range(40)]
    domains = [[i, 0, 80, i % 5 - 1] for i in range(40)]
    corpus = Corpus(
        Fold(sequences, [str(i) for i in range(40)], np.array(domains, np.int32), np.zeros(40, bool))
    )
    classes, chances = architectures.taught_by(tmp_path / "teacher", corpus, ours)
    families = corpus.domains[:, 3]
    looked = chances.any(1)
    assert (corpus.domains[:, 3] == np.array(domains)[:, 3]).all()  # as they were
    assert not looked[(families == -1) | (families == 1)].any() and looked[families == 2].any()
    assert np.allclose(chances[looked].sum(1), 1) and classes.min() >= 0 and classes.max() <= len(ours)
    assert not (chances[classes == 2]).any()  # a family that the teacher does not know


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command on eight made-up families, with profiles of their aligned rows."""
    import pyhmmer

    folder = tmp_path_factory.mktemp("architectures")
    synthetic.write_stockholm(folder / "seeds.sto")
    synthetic.write_proteins(folder / "proteins.fa", folder / "domains.tsv")
    alphabet = pyhmmer.easel.Alphabet.amino()
    builder, background = pyhmmer.plan7.Builder(alphabet), pyhmmer.plan7.Background(alphabet)
    with (
        pyhmmer.easel.MSAFile(folder / "seeds.sto", digital=True, alphabet=alphabet) as file,
        open(folder / "profiles.hmm", "wb") as out,
    ):
        for msa in file:
            builder.build_msa(msa, background)[0].write(out)

    def run(*variants):
        return subprocess.run(
            [
                sys.executable,
                BENCHMARKS / "architectures.py",
                "--data",
                folder / "proteins.fa",
                "--domains",
                folder / "domains.tsv",
                "--hmm",
                folder / "profiles.hmm",
                "--top",
                "8",
                "--holdout",
                "0.2",
                "--residues",
                "6144",
                "--batch",
                "1024",
                "--out",
                folder / "out.json",
                *(word for name in variants for word in ("--only", name)),
            ],
            capture_output=True,
            text=True,
            env=environment(),
        )

    return run


def test_the_command_saves_each_variant_and_goes_on(command):
    done = command(SIGMOID)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["variants"][SIGMOID]
    assert 0 <= first["among_first"]["8"] <= first["among_first"]["128"] == 1.0
    assert 1 <= first["mean_rank"] <= 8 and first["train_cpu_s"] > 0 and first["fp32_residues_per_cpu_s"] > 0
    done = command(FIRST, SIGMOID)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["variants"][SIGMOID] == first and list(result["variants"]) == [SIGMOID, FIRST]
    assert result["variants"][FIRST]["int8_residues_per_cpu_s"] > 0
    text = tables.render("<!-- table:architectures -->\n<!-- /table -->\n", {"architectures": [result]})
    assert f"| {FIRST} |" in text and "6,144 residues" in text


def test_results_of_other_options_are_not_gone_on_with(tmp_path):
    options = {"data": ("train.fa",), "hmm": "h", "domains": None, "families": None, "residues": 1000}
    out = tmp_path / "out.json"
    result = architectures.begun(out, options)
    out.write_text(json.dumps(result))
    assert architectures.begun(out, options | {"data": ("elsewhere/train.fa",)}) == result
    with pytest.raises(click.ClickException, match="was made with other options"):
        architectures.begun(out, options | {"residues": 2000})
