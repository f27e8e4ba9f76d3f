"""Compiled trainings: only if it is faster and worth it, and never a reason to fail."""

import itertools

import pytest
import torch
from trainings import Network, equal, training, weights

import pfamnet.training.compilation as module
from pfamnet.training.compilation import Compilation
from pfamnet.training.settings import State


@pytest.fixture
def times(monkeypatch):
    """Sets what a batch takes, first eager, then compiled."""

    def times(*values):
        left = list(values)
        monkeypatch.setattr(module, "seconds", lambda *_: left.pop(0))

    return times


def started(folder, **more):
    """A training that was asked to be compiled, and what was said of it."""
    said, made = [], training(folder, steps=100)
    Compilation(said.append, "eager", **{"worth": 0} | more).started(made)
    return made, said


def test_the_faster_way_is_taken(tmp_path, times):
    times(0.02, 0.01)
    made, said = started(tmp_path)
    assert said == ["made: compiled: 4.8e+03 residues/s compiled, 2.4e+03 eager"]
    assert made.model is not made.network and made.model._orig_mod is made.network
    times(0.01, 0.02)
    made, said = started(tmp_path)
    assert said == ["made: not compiled: 2.4e+03 residues/s compiled, 4.8e+03 eager"]
    assert made.model is made.network


def test_a_short_training_is_not_compiled(tmp_path, times):
    times(0.02)  # 100 steps: 2 seconds
    made, said = started(tmp_path, worth=2.1)
    assert made.model is made.network and not said


def failing(graph, inputs):
    raise RuntimeError("no compiler\nhere")


def test_a_compiler_that_fails_is_one_warning(tmp_path):
    torch._dynamo.reset()
    said, made = [], training(tmp_path, steps=4)
    Compilation(said.append, failing, worth=0).started(made)
    (line,) = said
    assert (
        line.startswith("warning: made: not compiled, as torch.compile failed: ")
        and "no compiler here" in line
    )
    assert made.model is made.network
    assert made.run().step == 4


def test_a_trial_leaves_the_training_as_it_was(tmp_path, monkeypatch):
    torch._dynamo.reset()
    seconds, said = itertools.cycle([2.0, 1.0]), []  # compiled is faster
    trial = module.seconds
    monkeypatch.setattr(module, "seconds", lambda *given: trial(*given) and next(seconds))
    common = {"steps": 10, "evaluate": 3}
    plain = training(tmp_path / "plain", network=Network(dropout=0.3), **common)
    more = [Compilation(said.append, "eager", 0)]
    tried = training(tmp_path / "tried", network=Network(dropout=0.3), more=more, **common)
    before = weights(tried.network)
    tried.callbacks[0].started(tried)
    assert equal(before, tried.network.state_dict()) and tried.state == State()
    assert all(parameter.grad is None for parameter in tried.network.parameters())
    plain.run()
    tried.model = tried.network
    tried.run()  # with validations: the compiled network learns again after each
    assert equal(plain.network.state_dict(), tried.network.state_dict())
    assert len(said) == 2 and all(": compiled: " in line for line in said)
