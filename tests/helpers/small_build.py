"""pfamnet-build with a very small light network and few decoys: `quick` in this process, and a program.

The program writes a checkpoint after each step.
"""

import torch
from small_config import SMALL

import pfamnet.build.fine_tune as fine_tune
import pfamnet.build.write_model as write_model
import pfamnet.training.callbacks as callbacks
from pfamnet.cli import main_build
from pfamnet.cli.build import build
from pfamnet.cli.common import run


def make_brief(part, patch=setattr):
    """Let this process' builds calibrate by a `part` of the decoys."""
    for name in ("FULL", "SLOW"):
        effort = getattr(write_model, name)
        patch(write_model, name, effort._replace(decoys=effort.decoys // part))


def make_small(patch=setattr):
    """Make the light network of this process' builds very small, and their measurements short."""
    patch(fine_tune, "LightConfig", SMALL)
    make_brief(20, patch)


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


def tables(model):
    """Files of a model whose bytes the same build always makes."""
    return {
        str(path.relative_to(model)): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file() and path.name not in ("training.tsv", "model.json", "latency.tsv")
    }


if __name__ == "__main__":
    make_small()
    callbacks.CHECKPOINT_SECONDS = 0
    main_build()
