"""Several processes train one network; and what becomes of them when one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import parallel_worker
import pytest
import torch
from conftest import environment
from safetensors.torch import load_file
from trainings import step_of

from pfamnet.errors import PfamnetError
from pfamnet.model.directory import open_model
from pfamnet.training.distributed import Group, join

HERE = Path(__file__).parents[1] / "helpers"
PROCESSES = parallel_worker.PROCESSES


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def variables(rank, size, port):
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of the same trainings, by one process that does all the work and by two."""
    alone, several = (tmp_path_factory.mktemp(name) for name in ("alone", "several"))
    with pytest.raises(parallel_worker.Stopped):
        parallel_worker.training("resumed", several, stop=3).run()
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, str(HERE / "parallel_worker.py"), str(several)],
            env=environment() | variables(rank, PROCESSES, port),
        )
        for rank in range(PROCESSES)
    ]
    for case in parallel_worker.CASES:
        parallel_worker.training(case, alone).run()
    assert [process.wait(300) for process in started] == [0] * PROCESSES
    return alone, several


@pytest.mark.slow
@pytest.mark.parametrize("case", parallel_worker.CASES)
def test_two_processes_train_on_the_mean_of_what_each_draws(trained, case):
    """Weights, and moments of the optimizer."""
    one, other = (load_file(folder / case / "last.safetensors") for folder in trained)
    assert sorted(one) == sorted(other)
    for name, tensor in one.items():
        # Adam divides by the root of squares that may be all but nothing, so that rounding shows
        torch.testing.assert_close(
            other[name].float(), tensor.float(), atol=2e-5, rtol=2e-4, msg=lambda m, n=name: f"{n}: {m}"
        )
    lines = [
        [line.split("\t") for line in (folder / case / "log.tsv").read_text().splitlines()[1:]]
        for folder in trained
    ]
    assert [line[1] for line in lines[0]] == [line[1] for line in lines[1]] == ["2", "4", "6"]
    for mine, theirs in zip(*lines, strict=True):
        assert float(mine[4]) == pytest.approx(float(theirs[4]), abs=2e-4)


@pytest.mark.parametrize("case, learning", [("adapters", ("down", "up")), ("frozen", ("layer.1.",))])
def test_two_processes_leave_what_is_frozen_as_it_was(trained, case, learning):
    begun = parallel_worker.network_of(case).state_dict()
    ended = load_file(trained[1] / case / "last.safetensors")
    changed = {
        name
        for name in begun
        if name.startswith("encoder.encoder.layer.")
        and not torch.equal(begun[name], ended[f"network.{name}"])
    }
    assert changed and all(any(part in name for part in learning) for name in changed)


def test_each_process_draws_batches_of_its_own():
    made = parallel_worker.training("esm", Path("none"))
    one, other = (made.sampler.batches(3, 256, 2, rank) for rank in range(2))
    assert not any(np.array_equal(a.tokens, b.tokens) for a, b in zip(one, other, strict=True))
    assert sum(len(batch.tokens) for batch in one + other) > 4


# The environment


@pytest.mark.parametrize(
    "given, message",
    [
        ({"RANK": "0", "WORLD_SIZE": "2"}, "wrong environment, start with torchrun"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "wrong environment, start with torchrun"),
        ({**variables(5, 2, 1)}, "wrong environment, start with torchrun"),
    ],
)
def test_an_environment_that_is_not_whole_is_refused(monkeypatch, given, message):
    for name in variables(0, 1, 1):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PfamnetError, match=message):
        join()


def test_without_a_launcher_there_is_one_process(monkeypatch):
    for name in variables(0, 1, 1):
        monkeypatch.delenv(name, raising=False)
    assert join() == Group()
    for name, value in variables(0, 1, 1).items():
        monkeypatch.setenv(name, value)
    assert join() == Group()  # torchrun with one process


# torchrun


def torchrun(*arguments, stderr):
    """torchrun of two processes, and of what they are the program is small_build.py."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        str(free_port()),
        str(HERE / "small_build.py"),
        "--cpu",
        "1",
        "--device",
        "cpu",
        *map(str, arguments),
    ]
    return subprocess.Popen(command, stderr=stderr, env=environment())


def workers(pid):
    """The processes that a process has started: rank -> pid."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        settings = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(s[5:]): int(child) for s in settings if s.startswith(b"RANK=")}
    return found


@pytest.mark.slow
def test_accelerate_starts_processes_on_a_cpu_too(tmp_path):
    """Its `--multi_gpu` is torchrun; with `--cpu` it would start but one process."""
    pytest.importorskip("accelerate")
    script = tmp_path / "sums.py"
    script.write_text(
        "from pfamnet.training.distributed import join\ngroup = join()\n"
        "mean = group.mean(group.rank + 1.0)\n"
        "print(f'{group.size} processes, {mean:g}\\n', end='', flush=True)\ngroup.close()\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            "--multi_gpu",
            "--num_processes",
            "2",
            "--num_machines",
            "1",
            "--mixed_precision",
            "no",
            "--dynamo_backend",
            "no",
            "--main_process_port",
            str(free_port()),
            str(script),
        ],
        env=environment() | {"HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("2 processes, 1.5") == 2


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1])
def test_a_killed_process_ends_the_run_and_it_goes_on_with_one(labelled, tmp_path, victim):
    out, work, said = tmp_path / "made", tmp_path / "made.work", tmp_path / "stderr"
    arguments = ["--light-residues", 16384 * 60, "--emit", 0, out, labelled]
    with open(said, "wb") as stderr:
        process = torchrun(*arguments, stderr=stderr)
        try:
            for _ in range(3000):
                if step_of(work, "light") >= 2:
                    break
                assert process.poll() is None, said.read_text()
                time.sleep(0.05)
            os.kill(workers(process.pid)[victim], signal.SIGKILL)
            assert process.wait(120) not in (0, None)
        finally:
            process.kill()
    text = said.read_text()
    assert "process 0 of 2: " in text and "another process has ended" in text and "resume the build" in text
    assert not out.exists() and 2 <= step_of(work, "light") < 60
    assert text.count("8 families, ") == 1  # one of them speaks
    done = subprocess.run(
        [
            sys.executable,
            str(HERE / "small_build.py"),
            "--cpu",
            "1",
            "--device",
            "cpu",
            "--resume",
            *map(str, arguments),
        ],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    log = (out / "training.tsv").read_text().splitlines()
    assert [line.split("\t")[1] for line in log[1:]] == ["60"] and len(open_model(out).families) == 8
    assert json.loads((out / "model.json").read_text())["provenance"]["options"]["emit"] == 0
