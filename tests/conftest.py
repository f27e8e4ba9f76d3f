"""Models that the real pfamnet-build makes once, and ways to run both programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

import synthetic

# a busy machine is no failure
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

ROOT = Path(__file__).resolve().parent.parent


def program(name):
    """The command line of one of the two programs, in this very Python."""
    return [sys.executable, str(ROOT / "bin" / name)]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(name, *arguments, check=True, **settings):
    """Run a program to its end; stdout and stderr as text unless `text=False`."""
    settings = {"text": True, "timeout": 300} | settings
    done = subprocess.run([*program(name), *map(str, arguments)], capture_output=True,
                          env=environment(), **settings)  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done


def scan(*arguments, **settings):
    return run("pfamnet-scan", *arguments, **settings)


def build(*arguments, **settings):
    return run("pfamnet-build", "--cpu", "1", "--device", "cpu", *arguments, **settings)


def refused(done, status=1):
    """Assert that a program ended with one line on stderr, and return it."""
    assert done.returncode == status, (done.returncode, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pfamnet-"), done.stderr
    return lines[0]


@pytest.fixture(scope="session")
def trainset(tmp_path_factory):
    """Options and train sets of a build of 8 families, with GA, clans and proteins."""
    folder = tmp_path_factory.mktemp("trainset")
    synthetic.write_stockholm(folder / "seeds.sto")
    synthetic.write_proteins(folder / "proteins.fa", folder / "domains.tsv")
    return ["--domains", folder / "domains.tsv", folder / "seeds.sto", folder / "proteins.fa"]


@pytest.fixture(scope="session")
def light_model(tmp_path_factory, trainset):
    """A model of 8 families with the light network alone."""
    out = tmp_path_factory.mktemp("light") / "made"
    build("--light-residues", 400_000, "--keep-work", out, *trainset)
    return out


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A tiny ESM-2 of random weights, in Hugging Face's layout."""
    import torch

    from pfamnet.esm import EncoderConfig, EsmEncoder, save_encoder

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("base") / "esm2_tiny"
    save_encoder(EsmEncoder(EncoderConfig(32, 2, 4, 64)), path)
    return path
