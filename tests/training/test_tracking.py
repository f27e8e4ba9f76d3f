"""Trackers: what reaches them, that they go on when resumed, and that they never cost a training."""

import json
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from conftest import build, environment, refused
from trainings import Killed, Killer, rows, training

from pfamnet.errors import PfamnetError
from pfamnet.training import tracking
from pfamnet.training.tracking import EVERY, Tracker, check_tracker, memory, open_tracker

CPU = torch.device("cpu")
SMALL_BUILD = Path(__file__).parents[1] / "helpers" / "small_build.py"


class Backend:
    """Keeps what it gets; fails from a step on."""

    def __init__(self, fails_at=10**9):
        self.kept, self.finished, self.closed, self.fails_at = [], None, False, fails_at

    def open(self, run):
        self.run = run

    def log(self, network, step, values):
        if step >= self.fails_at:
            raise ConnectionError("the server\nis gone")
        self.kept.append((network, step, values))

    def finish(self, summary, tables):
        self.finished = summary, tables

    def close(self):
        self.closed = True


def tracker(folder, backend, warn):
    return Tracker(backend, folder / "track.json", warn)


def tracked(folder, own, *more, **changes):
    return training(folder / "made", steps=50, evaluate=25, more=[own, *more], **changes)


def test_a_training_tells_loss_accuracy_rate_speed_and_memory(tmp_path):
    backend, warnings = Backend(), []
    made = tracked(tmp_path, tracker(tmp_path, backend, warnings.append))
    made.run()
    steps = {step: values for _, step, values in backend.kept if "loss" in values}
    assert sorted(steps) == [20, 40] and EVERY == 20
    for values in steps.values():
        assert sorted(values) == ["learning_rate", "loss", "memory_mib", "residues_per_second"]
        assert all(value > 0 for value in values.values())
    assert steps[40]["loss"] < steps[20]["loss"]
    assert steps[40]["learning_rate"] == pytest.approx(0.1 * made.rate(39))
    looks = [(step, values) for _, step, values in backend.kept if "dev_accuracy" in values]
    # the very figures of the log
    assert [
        (str(step), f"{v['dev_accuracy']:.5f}", f"{v['loss_between_looks']:.4f}") for step, v in looks
    ] == [(line[1], line[5], line[4]) for line in rows(tmp_path / "made")]
    assert not warnings


def test_a_resumed_training_goes_on_in_the_same_log(tmp_path):
    """Each step once, though some are trained twice, and the run has its name again."""
    names, kept = [], []

    def begin():
        backend = Backend()
        backend.kept, backend.open = kept, names.append
        return tracker(tmp_path, backend, pytest.fail)

    early = tmp_path / "early"
    with pytest.raises(Killed):
        tracked(early, Tracker(), Killer(15), seconds=0).run()
    with pytest.raises(Killed):
        tracked(tmp_path, begin(), Killer(45)).run()
    (early / "made" / "checkpoint.safetensors").rename(tmp_path / "made" / "checkpoint.safetensors")
    assert [step for _, step, values in kept if "loss" in values] == [20, 40]
    tracked(tmp_path, begin()).run()
    assert [step for _, step, values in kept if "loss" in values] == [20, 40]
    assert [step for _, step, values in kept if "dev_accuracy" in values] == [25, 50]
    assert len(set(names)) == 1 and len(names) == 2


def test_a_tracker_that_fails_is_told_once_and_the_training_goes_on(tmp_path):
    warnings = []
    own = tracker(tmp_path, Backend(fails_at=25), warnings.append)
    made = tracked(tmp_path, own)
    assert made.run().step == 50
    own.finish({}, {})
    own.close()
    assert warnings == ["warning: tracking failed and stops: the server is gone"]


def test_a_tracker_that_cannot_begin_is_told_once(tmp_path):
    class Broken(Backend):
        def open(self, run):
            raise RuntimeError("no key")

    warnings = []
    own = tracker(tmp_path, Broken(), warnings.append)
    tracked(tmp_path, own).run()
    own.close()
    assert warnings == ["warning: tracking failed and stops: no key"]


def test_a_full_disk_is_no_reason_to_stop(tmp_path):
    own = tracker(tmp_path / "none", Backend(), pytest.fail)
    own.log("made", 1, {"loss": 1.0})
    assert own.backend.kept


def test_memory_is_in_mebibytes():
    assert 50 < memory(CPU) < 100_000


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_is_told_before_anything_is_done(
    kind, labelled, tmp_path, monkeypatch
):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(PfamnetError, match=rf"^{kind} is not installed: pip install 'pfamnet\[{kind}\]'"):
        check_tracker(kind)
    import pfamnet.build.pipeline as module

    with pytest.raises(PfamnetError, match="not installed"):
        module.Build(tmp_path / "made", module.BuildOptions((str(labelled),)), device="cpu", track=kind)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_wrong_use(tmp_path, labelled):
    assert "'mlflow' is not one of" in refused(
        build("--track", "mlflow", tmp_path / "made", labelled, check=False), 2
    )


def test_without_tracking_nothing_is_loaded_or_kept(tmp_path):
    own = open_tracker("none", tmp_path / "x", tmp_path / "y", "made", {}, print)
    tracked(tmp_path / "trained", own).run()
    own.finish({}, {})
    own.close()
    assert [path.name for path in tmp_path.iterdir()] == ["trained"] and "wandb" not in sys.modules


# The trackers themselves


def small_build(*arguments):
    command = [sys.executable, SMALL_BUILD, "--cpu", "1", "--device", "cpu", *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_tensorboard_has_the_training_and_the_tables(tmp_path, labelled):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = "--track", "tensorboard", "--light-residues", 16384 * 41, tmp_path / "made", labelled
    done = small_build(*options)
    assert done.returncode == 0, done.stderr
    events = EventAccumulator(str(tmp_path / "made.track"))
    events.Reload()
    tags = events.Tags()
    assert {
        "light/loss",
        "light/learning_rate",
        "light/residues_per_second",
        "light/memory_mib",
        "light/dev_accuracy",
        "final/light_accuracy",
    } <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("light/loss")] == [20, 40]
    networks = json.loads((tmp_path / "made" / "model.json").read_text())["networks"]
    accuracy = networks["light"]["dev"]["accuracy"]
    assert events.Scalars("final/light_accuracy")[0].value == pytest.approx(accuracy)
    texts = {tag.split("/")[0] for tag in tags["tensors"]}
    assert texts == {"accuracy_by_family", "accuracy_by_size", "confusion_in_clans", "latency"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "made.track"]
    # another build does not mix with this one
    (tmp_path / "made").rename(tmp_path / "first")
    assert "made.track: " in refused(small_build(*options))


@pytest.mark.skipif(find_spec("wandb") is None, reason="no wandb here")
def test_wandb_offline_needs_neither_account_nor_network(tmp_path, monkeypatch):
    """What it wrote is read with W&B's own reader; the second part goes on in the same run."""
    for name in ("WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    warnings = []
    for part, step in enumerate((20, 40)):
        own = open_tracker(
            "wandb", tmp_path / "made.track", tmp_path / "track.json", "made", {"lr": 0.1}, warnings.append
        )
        own.log("light", 20, {"loss": 2.0})
        own.log("light", step, {"loss": 2.0 - part})
        if part:
            own.finish({"light_accuracy": 0.5}, {"latency": (["residues", "ms"], [["64", "1.0"]])})
        own.close()
    assert not warnings
    runs = sorted(tmp_path.glob("made.track/wandb/offline-run-*/run-*.wandb"))
    assert runs and {path.name for path in runs} == {
        f"run-{json.loads((tmp_path / 'track.json').read_text())['run']}.wandb"
    }
    found = [line for path in runs for line in history(path)]
    assert [(line["light/step"], line["light/loss"]) for line in found if "light/loss" in line] == [
        (20, 2.0),
        (40, 1.0),
    ]
    assert any(name.startswith("latency/") for line in found for name in line)


def history(path: Path) -> list[dict]:
    """The rows that a run of W&B holds: a LevelDB log of protobuf records behind seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, found, place, whole = path.read_bytes(), [], 7, b""
    while place + 7 <= len(data):
        room = 32768 - place % 32768
        if room < 7:  # no record begins so near to the end of a block
            place += room
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or its last part
            record = wandb_internal_pb2.Record.FromString(whole)
            whole = b""
            if record.WhichOneof("record_type") == "history":
                found.append(
                    {
                        item.key or "/".join(item.nested_key): json.loads(item.value_json)
                        for item in record.history.item
                    }
                )
    return found
