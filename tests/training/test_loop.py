"""The training loop: losses against plain arithmetic, checkpoints, stopping, refusals."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainings import (
    BLOCK,
    COMMON,
    CPU,
    Batches,
    Network,
    Script,
    equal,
    killed_at,
    rows,
    settings,
    training,
    weights,
)

from pfamnet.errors import PfamnetError
from pfamnet.training.checkpoints import write_training_log
from pfamnet.training.loop import Training
from pfamnet.training.loss import batch_loss, class_weights, pool_logits
from pfamnet.training.sampler import Batch
from pfamnet.training.settings import optimizer_class

# Losses


def plain_loss(logits, batch, weights=None, offsets=None):
    """batch_loss in the plainest arithmetic."""
    size = logits.shape[-1]
    weights = [1.0] * size if weights is None else weights.tolist()
    offsets = [0.0] * size if offsets is None else offsets.tolist()

    def cross(values, label):
        values = [float(v) + o for v, o in zip(values, offsets, strict=True)]
        return math.log(sum(math.exp(v) for v in values)) - values[label]

    total = share = 0.0
    for row, block in np.ndindex(*batch.background.shape):
        told = zip(batch.classes[row].tolist(), batch.weights[row, block].tolist(), strict=True)
        for label, weight in [(0, float(batch.background[row, block])), *told]:
            part = weight if label == 0 else weight * weights[label]
            total += part * cross(logits[row, block], label)
            share += part
    loss = total / share
    for row, label in enumerate(batch.pooled.tolist()):
        if label >= 0:
            held = math.ceil(batch.lengths[row] / BLOCK)
            loss += weights[label] * cross(logits[row, :held].mean(0), label) / len(logits)
    return loss


def batch_of(lengths, targets, background=(), pooled=None, blocks=5, classes=4):
    """A batch with (row, block, class, weight) as targets, and (row, block, weight) of class 0."""
    rows = len(lengths)
    batch = Batch(
        torch.ones(rows, blocks * BLOCK, dtype=torch.long),
        torch.tensor(lengths),
        torch.arange(1, classes).repeat(rows, 1),
        torch.zeros(rows, blocks, classes - 1),
        torch.zeros(rows, blocks),
        torch.tensor(pooled or [-1] * rows),
    )
    for row, block, label, weight in targets:
        batch.weights[row, block, label - 1] = weight
    for row, block, weight in background:
        batch.background[row, block] = weight
    return batch


@pytest.mark.parametrize("balance", ["none", "inverse", "logit"])
def test_the_loss_is_what_plain_arithmetic_says(balance):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(3, 5, 4))).float()
    targets = [(0, 0, 1, 0.5), (0, 0, 3, 0.5), (1, 1, 2, 1), (2, 3, 3, 1)]
    batch = batch_of([20, 9, 17], targets, [(0, 4, 0.2)], [-1, 2, 3])
    parts = class_weights(torch.tensor([0, 10, 1, 5]), balance)
    assert float(batch_loss(logits, batch, BLOCK, *parts)) == pytest.approx(
        plain_loss(logits, batch, *parts), rel=1e-5
    )


def test_the_loss_without_whole_domains_or_without_any_target():
    logits = torch.zeros(2, 3, 4)
    batch = batch_of([12, 12], [(0, 0, 1, 1)], blocks=3)
    assert float(batch_loss(logits, batch, BLOCK)) == pytest.approx(math.log(4))
    assert float(batch_loss(logits, batch_of([12, 12], [], blocks=3), BLOCK)) == 0


def test_pooling_takes_the_blocks_that_hold_residues():
    logits = torch.arange(6.0).reshape(1, 3, 2).repeat(3, 1, 1)
    pooled = pool_logits(logits, torch.tensor([12, 5, 1]), BLOCK)
    assert pooled.tolist() == [[2, 3], [1, 2], [0, 1]]


def test_inverse_weights_are_inverse_to_frequency_with_mean_one():
    weights, offsets = class_weights(torch.tensor([0, 1, 10, 100]), "inverse")
    assert offsets is None and weights[0] == 1
    assert float(weights[1:].mean()) == pytest.approx(1)
    assert float(weights[1] / weights[3]) == pytest.approx(100)


def test_logit_adjustment_adds_the_logarithm_of_the_frequency():
    weights, offsets = class_weights(torch.tensor([0, 1, 10, 100]), "logit")
    assert weights is None and offsets[0] == 0
    assert (offsets[1:] - offsets[1]).tolist() == pytest.approx([0, math.log(10), math.log(100)], rel=1e-5)
    # families as frequent as each other are left as they are
    assert class_weights(torch.tensor([0, 7, 7]), "logit")[1].tolist() == [0, 0, 0]


def test_a_family_never_drawn_has_a_finite_weight():
    for balance in ("inverse", "logit"):
        for part in class_weights(torch.tensor([0, 0, 10]), balance):
            assert part is None or torch.isfinite(part).all()


# Learning rates


def test_the_rate_warms_up_and_decays_to_a_twentieth(tmp_path):
    made = training(tmp_path, steps=200, warmup=0.1)
    rates = [made.rate(step) for step in range(201)]
    assert rates[0] == pytest.approx(1 / 20) and rates[19] == 1 and max(rates) == 1
    assert rates[:20] == sorted(rates[:20]) and rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[110] == pytest.approx(0.525) and rates[200] == pytest.approx(0.05)


def test_groups_keep_their_share_of_the_rate(tmp_path):
    network = Network()
    groups = [
        {"params": network.embed.parameters(), "lr": 0.01},
        {"params": network.head.parameters(), "lr": 0.1},
    ]
    made = Training("made", network, groups, Batches(), settings(10), tmp_path, CPU)
    made.state.step = 5
    made.step(Batches().batches(0, 48))
    assert [group["lr"] for group in made.optimizer.param_groups] == pytest.approx(
        [0.01 * made.rate(5), 0.1 * made.rate(5)]
    )


# Training


def test_a_training_learns_and_logs(tmp_path):
    losses = []
    made = training(tmp_path, steps=60, evaluate=20)
    made.run()
    for line in rows(tmp_path):
        losses.append(float(line[4]))
        assert len(line) == 8
    assert [line[:3] for line in rows(tmp_path)] == [
        ["made", "20", "960"],
        ["made", "40", "1920"],
        ["made", "60", "2880"],
    ]
    assert losses[2] < losses[0] / 3


def test_the_last_step_is_measured_though_the_round_is_not_full(tmp_path):
    made = training(tmp_path, steps=7, evaluate=5)
    made.run()
    assert [line[1] for line in rows(tmp_path)] == ["5", "7"]


def test_the_best_weights_come_back_and_not_the_last(tmp_path):
    kept = []
    script = Script(0.5, 0.9, 0.1, 0.2)

    def measure(network):
        kept.append(weights(network))
        return script(network)

    made = training(tmp_path, steps=20, evaluate=5, measure=measure)
    assert made.run().best == (10, 0.9)
    assert equal(made.network.state_dict(), kept[1]) and not equal(kept[1], kept[3])
    assert not made.network.training


def test_a_training_stops_after_so_many_looks_without_a_gain(tmp_path):
    script = Script(0.5, 0.6, 0.6, 0.55, 0.5, 0.9)
    made = training(tmp_path, steps=100, evaluate=2, patience=3, measure=script)
    assert made.run().best == (4, 0.6)
    assert script.looked == 5 and made.state.step == 10 and made.state.done


def test_accumulated_batches_are_one_larger_batch(tmp_path):
    parts = Batches().batches(0, 48, 2)
    whole = Batch(*(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])))
    one, other = training(tmp_path / "a", accumulate=2), training(tmp_path / "b")
    losses = one.step(parts), other.step([whole])
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-5)
    for name, tensor in one.network.state_dict().items():
        torch.testing.assert_close(tensor, other.network.state_dict()[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("pool, accumulate", [(1, 1), (4, 1), (4, 2), (5, 2), (1, 3)])
def test_every_step_gets_its_batches_once_and_a_later_start_the_same(tmp_path, pool, accumulate):
    from concurrent.futures import ThreadPoolExecutor

    def draws(start):
        made = training(tmp_path, pool=pool, accumulate=accumulate)
        with ThreadPoolExecutor(1) as ahead:
            made.state.step = start
            queue = made.draws(ahead)
            return [[batch.tokens.numpy() for batch in next(queue)] for _ in range(12 - start)]

    every = draws(0)
    assert all(len(batches) == accumulate for batches in every)
    flat = [tokens.tobytes() for batches in every for tokens in batches]
    assert len(set(flat)) == len(flat)
    for start in (1, 5, 6):
        assert np.array_equal(draws(start), every[start:])


# Checkpoints


@pytest.mark.parametrize("step", [1, 3, 8, 11, 23, 39])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path, step):
    whole = training(tmp_path / "whole", network=Network(dropout=0.3), **COMMON)
    whole.run()
    killed_at(step, tmp_path / "cut", **COMMON)
    torch.manual_seed(99)
    resumed = training(tmp_path / "cut", network=Network(dropout=0.3), **COMMON)
    resumed.run()
    assert equal(whole.network.state_dict(), resumed.network.state_dict())
    assert logged(tmp_path / "whole") == logged(tmp_path / "cut")
    assert resumed.state.best == whole.state.best
    for name in ("checkpoint", "best"):
        one, other = (load_file(tmp_path / run / f"{name}.safetensors") for run in ("whole", "cut"))
        assert equal(one, other) and one.keys() == other.keys()


def logged(folder):
    """The log without times."""
    return [line[:3] + line[4:7] for line in rows(folder)]


def test_what_was_logged_after_the_checkpoint_is_dropped(tmp_path):
    """Also where the checkpoint is older than the log: its header must come again."""
    whole = training(tmp_path / "whole", network=Network(dropout=0.3), **COMMON)
    whole.run()
    cut = tmp_path / "cut"
    killed_at(3, cut, **COMMON)
    early = (cut / "checkpoint.safetensors").read_bytes()
    resumed = training(cut, network=Network(dropout=0.3), **COMMON)
    resumed.run()
    (cut / "checkpoint.safetensors").write_bytes(early)
    again = training(cut, network=Network(dropout=0.3), **COMMON)
    again.run()
    assert (cut / "log.tsv").read_text().startswith("network\tstep\t")
    assert logged(cut) == logged(tmp_path / "whole")
    assert equal(whole.network.state_dict(), again.network.state_dict())


def test_a_network_that_knows_something_is_kept_where_training_gains_nothing(tmp_path):
    network = Network()
    before = weights(network)
    run = training(
        tmp_path, network=network, steps=6, evaluate=2, knows=True, measure=Script(0.9, 0.3, 0.5, 0.8)
    )
    assert run.run().best == (0, 0.9)
    assert equal(before, network.state_dict())
    first, second = rows(tmp_path)[:2]
    assert (
        (first[1], first[4], first[5]) == ("0", "", "0.90000") and second[1] == "2" and float(second[4]) > 0
    )


def test_what_training_gained_is_kept_though_the_network_knew_something(tmp_path):
    network = Network()
    before = weights(network)
    run = training(
        tmp_path, network=network, steps=6, evaluate=2, knows=True, measure=Script(0.5, 0.3, 0.6, 0.4)
    )
    assert run.run().best == (4, 0.6)
    assert not equal(before, network.state_dict())


def test_of_equals_the_first_that_was_trained_is_kept(tmp_path):
    run = training(tmp_path, steps=8, evaluate=2, knows=True, measure=Script(0.5, 0.4, 0.5, 0.5, 0.3))
    assert run.run().best == (4, 0.5)


def test_patience_waits_for_what_came_after_the_start(tmp_path):
    """A fine-tuning may be worse than its start for long before it is better."""
    run = training(
        tmp_path,
        steps=12,
        evaluate=2,
        patience=2,
        knows=True,
        measure=Script(0.9, 0.1, 0.2, 0.3, 0.2, 0.1, 0.95),
    )
    assert run.run().best == (0, 0.9) and run.state.step == 10


def test_a_finished_training_is_not_run_again(tmp_path):
    training(tmp_path, steps=6, evaluate=2, measure=Script(0.3, 0.8, 0.5)).run()
    script, sampler = Script(), Batches()
    again = training(tmp_path, steps=6, evaluate=2, measure=script, sampler=sampler)
    assert again.run().best[1] == 0.8 and not script.looked and not sampler.asked


def test_a_training_without_a_checkpoint_starts_anew(tmp_path):
    (tmp_path / "log.tsv").write_text("old\n")
    training(tmp_path, steps=2).run()
    assert "old" not in (tmp_path / "log.tsv").read_text()


@pytest.mark.parametrize(
    "change", [{"lr": 0.2}, {"steps": 41}, {"balance": "inverse"}, {"batch": 24, "steps": 80}]
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, change):
    killed_at(5, tmp_path, **COMMON)
    with pytest.raises(PfamnetError, match="other settings"):
        training(tmp_path, network=Network(dropout=0.3), **COMMON | change).run()


def test_logs_of_both_networks_become_one_table(tmp_path):
    for name in ("esm", "light"):
        training(tmp_path / name, steps=4, evaluate=2).run()
    write_training_log(tmp_path, tmp_path / "training.tsv")
    lines = (tmp_path / "training.tsv").read_text().splitlines()
    assert lines[0].split("\t")[:2] == ["network", "step"] and len(lines) == 5


# Refusals


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    network = Network()
    network.head.weight.data[0, 0] = math.nan
    with pytest.raises(PfamnetError, match="made: the loss is not a number at step 1"):
        training(tmp_path, network=network).run()
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_eight_bit_adamw_is_refused_on_a_cpu(tmp_path):
    with pytest.raises(PfamnetError, match="adamw8bit needs a CUDA device"):
        training(tmp_path, optimizer="adamw8bit")


def test_eight_bit_adamw_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(PfamnetError, match=r"pip install 'pfamnet\[gpu\]'"):
        optimizer_class("adamw8bit", SimpleNamespace(type="cuda"))
