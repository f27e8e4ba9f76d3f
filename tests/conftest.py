"""Models that pfamnet-build makes once, by fewer decoys, and ways to run both programs."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import synthetic
from filelock import FileLock
from hypothesis import settings

# a busy machine is no failure
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# run in the background, tests would hand on an interrupt that is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def program(name):
    """The command line of one of the two programs, or of one in tests/helpers, in this very Python."""
    helper = ROOT / "tests" / "helpers" / f"{name}.py"
    return [sys.executable, str(helper if helper.exists() else ROOT / "bin" / name)]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(name, *arguments, check=True, **settings):
    """Run a program to its end; stdout and stderr as text unless `text=False`."""
    settings = {"text": True, "timeout": 300} | settings
    done = subprocess.run(
        [*program(name), *map(str, arguments)], capture_output=True, env=environment(), **settings
    )
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
def workers_folder(tmp_path_factory):
    """A folder of all workers."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def once(folder, fill):
    """A folder that `fill` fills, in one worker for all of them."""
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            partial.mkdir()
            fill(partial)
            partial.rename(folder)
    return folder


@pytest.fixture(scope="session")
def trainset(workers_folder):
    """Options and train sets of a build of 8 families, with GA, clans and proteins."""

    def fill(folder):
        synthetic.write_stockholm(folder / "seeds.sto")
        synthetic.write_proteins(folder / "proteins.fa", folder / "domains.tsv")

    folder = once(workers_folder / "trainset", fill)
    return ["--domains", folder / "domains.tsv", folder / "seeds.sto", folder / "proteins.fa"]


@pytest.fixture(scope="session")
def labelled(workers_folder):
    """A train set of 8 families without alignments, cutoffs or names."""
    folder = once(
        workers_folder / "labelled", lambda partial: synthetic.write_labelled(partial / "domains.fa")
    )
    return folder / "domains.fa"


@pytest.fixture(scope="session")
def base(workers_folder):
    """A tiny ESM-2 of random weights, in Hugging Face's layout."""
    import torch
    from encoders import tiny_encoder

    from pfamnet.network.esm_files import save_encoder

    def fill(folder):
        torch.manual_seed(0)
        save_encoder(tiny_encoder(32, 2, 4, 64), folder / "esm2_tiny")

    return once(workers_folder / "base", fill) / "esm2_tiny"


ESM_OPTIONS = [
    "--esm-residues",
    256 * 330,
    "--batch",
    256,
    "--crop",
    64,
    "--lr",
    2e-3,
    "--head-lr",
    1e-2,
    "--light-residues",
    100_000,
    "--emit",
    20,
    "--candidates",
    4,
]


class Begun:
    """A build that goes on while other tests run, in one worker for all of them.

    `result` waits for the model. If the worker that builds ends before, another one builds.
    """

    def __init__(self, folder, options, trainsets):
        folder.mkdir(exist_ok=True)
        self.out, self.process = folder / "made", None
        self.options = [*options, self.out, *trainsets]
        self.thread = threading.Thread(target=self.make, daemon=True)
        self.thread.start()

    def make(self):
        with FileLock(f"{self.out.parent}.lock"):
            if not self.out.exists():
                shutil.rmtree(f"{self.out}.work", ignore_errors=True)
                self.process = start_build(*self.options, folder=self.out.parent, name="brief_build")
                self.process.wait()

    def result(self):
        self.thread.join(600)
        assert self.out.exists(), (self.out.parent / "stderr").read_text()
        return self.out

    def end(self):
        if self.process:
            self.process.kill()


def start_build(*arguments, folder, name="pfamnet-build"):
    """pfamnet-build, or a program of tests/helpers, under way; its stderr in a file of `folder`."""
    with open(folder / "stderr", "a") as stderr:
        return subprocess.Popen(
            [*program(name), "--cpu", "1", "--device", "cpu", *map(str, arguments)],
            stderr=stderr,
            env=environment(),
        )


@pytest.fixture
def quick(monkeypatch, capfd, tmp_path):
    """pfamnet-build of a very small light network in this process: (status, stderr)."""
    import small_build

    yield from small_build.quick(monkeypatch, capfd, tmp_path)


def models_of(item):
    """The models that a test takes as fixtures, or names in a parameter."""
    parameters = getattr(item, "callspec", None)
    named = [value for value in parameters.params.values() if isinstance(value, str)] if parameters else []
    return {"light_model", "esm_model"} & {*item.fixturenames, *named}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that need built models are slow and come last: the models are built meanwhile."""
    items.sort(key=lambda item: len(models_of(item)))
    for item in items:
        if models_of(item):
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def begun(request, workers_folder):
    """The builds of the models that any of the tests need, under way."""
    needed = set().union(*map(models_of, request.session.items))
    builds = {}
    if "light_model" in needed:
        options = ["--light-residues", 800_000]
        builds["light_model"] = Begun(workers_folder / "light", options, request.getfixturevalue("trainset"))
    if "esm_model" in needed:
        base, labelled = map(request.getfixturevalue, ("base", "labelled"))
        builds["esm_model"] = Begun(workers_folder / "esm", ["--base", base, *ESM_OPTIONS], [labelled])
    yield builds
    for build in builds.values():
        build.end()


@pytest.fixture(scope="session")
def light_model(begun):
    """A model of 8 families with the light network alone."""
    return begun["light_model"].result()


@pytest.fixture(scope="session")
def esm_model(begun):
    """A model of 8 families with a fine-tuned ESM-2 and a light network that learnt from it."""
    return begun["esm_model"].result()


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A PATH with pfamnet-scan, and with pfamnet-build of a very small network."""
    from workflow_engines import write_programs

    return write_programs(tmp_path_factory.mktemp("programs"))
