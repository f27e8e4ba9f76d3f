"""benchmarks/efficiency.py: rows measured alike, left out with a reason, and their table."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import environment

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import efficiency  # noqa: E402
import tables  # noqa: E402

SIZES = {"steps": 4, "batch": 1024, "families": 8, "dev": 12}


@pytest.fixture
def measured(labelled, base):
    return lambda name: efficiency.measured(
        efficiency.ROWS[name], str(labelled), str(base), torch.device("cpu"), SIZES
    )


def named(part):
    """The one row whose name holds this."""
    (name,) = [name for name in efficiency.ROWS if part in name]
    return name


def test_rows_are_of_the_same_data_and_steps(measured):
    first, padded, adapters, parts = (
        measured(named(part)) for part in ("fp32", "padded", "lora", "accumulate")
    )
    for row in (first, padded, adapters, parts):
        assert row["steps"] == 4 and row["dev_accuracy"]["of"] == first["dev_accuracy"]["of"] > 0
        assert row["train_domains"] == first["train_domains"]
        assert row["residues"] == pytest.approx(2 * 1024, rel=0.3)  # two steps are not timed
        # the process may hand memory back when the steps begin, so that the peak is a little lower
        assert row["residues_per_s"] > 0 and row["memory_peak_mib"] >= 0.9 * row["memory_before_mib"] > 0
        assert ("dev_accuracy_before" in row) == (row is first)
    assert first["dev_accuracy_before"]["percent"] > 50  # one family of eight would be right by chance
    assert padded["padding_percent"] > first["padding_percent"] >= 0
    assert adapters["parameters_trained"] < first["parameters_trained"] == parts["parameters_trained"]


def test_what_needs_a_gpu_is_left_out_with_the_reason(measured):
    assert measured("fp16") == {"left_out": "--precision fp16 needs a CUDA device; use bf16 or fp32 on a CPU"}
    assert measured(named("8-bit")) == {
        "left_out": "--optim adamw8bit needs a CUDA device; this training runs on the CPU"
    }


def test_the_command_runs_a_row_in_a_process_and_the_table_shows_it(labelled, base):
    words = SIZES | {"steps": 3, "data": labelled, "base": base}
    command = [
        sys.executable,
        BENCHMARKS / "efficiency.py",
        "--device",
        "cpu",
        "--row",
        "fp32",
        *(item for name, value in words.items() for item in (f"--{name}", str(value))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert row["steps"] == 3
    result = {
        "machine": {"cpu": "C", "cores_used": 1, "torch": "2"},
        "device": "CPU",
        "base": "tiny",
        **SIZES,
        "rows": {"fp32": row, "fp16": {"left_out": "no GPU"}},
    }
    text = tables.render("<!-- table:efficiency -->\n<!-- /table -->\n", {"efficiency": [result]})
    assert (
        f"| fp32 | {row['residues_per_s']:,} |" in text and "| fp16 | not measured here: no GPU | – |" in text
    )
    assert "C, 1 core(s), torch 2; tiny, 4 steps of 1,024 residues, 8 families." in text
    assert (
        "No GPU was there" in text
        and f"steps {row['dev_accuracy_before']['percent']:.1f} % of dev are right" in text
    )


def test_rows_that_are_done_are_not_measured_again(tmp_path, monkeypatch, capsys):
    measured = []

    def run(words, *_):
        measured.append(words[-1])
        if len(measured) == 3:
            raise KeyboardInterrupt
        return {"left_out": "no GPU"} if words[-1] == "bf16" else {"wall_s": 1.0}

    monkeypatch.setattr(efficiency, "run", run)
    out = tmp_path / "out.json"
    arguments = ["--data", str(tmp_path), "--base", "b", "--device", "cpu", "--out", str(out)]
    names = list(efficiency.ROWS)
    with pytest.raises(KeyboardInterrupt):
        efficiency.main.callback(**as_parsed(arguments))
    assert list(json.loads(out.read_text())["rows"]) == names[:2]
    efficiency.main.callback(**as_parsed(arguments))
    assert measured[3:] == names[1:]  # what was left out may be there now
    assert list(json.loads(out.read_text())["rows"]) == names
    efficiency.main.callback(**as_parsed([*arguments, "--steps", "9"]))
    assert measured[-len(names) :] == names  # other settings: all of them anew


def as_parsed(arguments):
    return efficiency.main.make_context("efficiency", list(arguments)).params


def test_a_row_that_takes_too_long_is_left_out():
    assert efficiency.run(["--help"], 1, 0.001) == {"left_out": "took more than 0.001 s"}
