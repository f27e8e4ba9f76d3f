"""pfamnet-build with a very small light network and few decoys: `quick` in this process, and a program.

The program writes a checkpoint after each step.
"""

import functools

import torch

import pfamnet.build.pipeline as pipeline
import pfamnet.build.write_model as write_model
import pfamnet.training.callbacks as callbacks
from pfamnet.cli import main_build
from pfamnet.cli.build import build
from pfamnet.cli.common import run
from pfamnet.network.light import LightConfig


def make_small(patch=setattr):
    """Make the light network of this process' builds very small, and their measurements short."""
    small = functools.partial(LightConfig, embedding=8, width=16, context=16)
    patch(pipeline, "LightConfig", small)
    for name in ("FULL", "SLOW"):
        effort = getattr(write_model, name)
        patch(write_model, name, effort._replace(decoys=effort.decoys // 20))


def quick(monkeypatch, capfd, tmp_path):
    """The fixture `quick` of conftest.py."""
    make_small(monkeypatch.setattr)
    monkeypatch.setattr("pfamnet.build.evaluation.LENGTHS", (64, 256))
    threads = torch.get_num_threads()

    def quick(*arguments, out=tmp_path / "made"):
        words = ["--cpu", "1", "--device", "cpu", "--light-residues", "70000", out, *arguments]
        status = run(build, list(map(str, words)))
        said = capfd.readouterr()
        assert said.out == ""
        return status, said.err

    yield quick
    torch.set_num_threads(threads)


if __name__ == "__main__":
    make_small()
    callbacks.CHECKPOINT_SECONDS = 0
    main_build()
