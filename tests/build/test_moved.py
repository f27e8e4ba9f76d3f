"""A build whose training runs on another machine, which has neither the input nor pyhmmer."""

import json
import shutil

import numpy as np
import pytest
import synthetic
from conftest import run
from safetensors import safe_open
from small_build import tables

from pfamnet.build.material import MATERIAL, Material, load_material, save_material
from pfamnet.training.checkpoints import CHECKPOINT, save_tensors
from pfamnet.training.corpus import Corpus
from pfamnet.trainset.trainset import Fold

TRAINING = ["--esm-residues", 20_000, "--batch", 2048, "--crop", 64]


def moved(folder, place):
    """A directory that was copied and removed: files of other numbers."""
    shutil.copytree(folder, place)
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["light", "esm"])
def test_a_work_directory_is_trained_elsewhere_and_finished_at_home(kind, quick, labelled, base, tmp_path):
    home, away = tmp_path / "home", tmp_path / "away"
    for folder in (home, away):
        folder.mkdir()
    shutil.copy(labelled, home / "domains.fa")
    options = ["--base", base, *TRAINING] if kind == "esm" else ["--emit", 1]
    options, work = [*options, home / "domains.fa"], home / "made.work"
    whole, said = quick(*options, out=home / "whole")
    assert whole == 0, said

    status, said = quick("--until", "data", *options, out=home / "made")
    assert status == 0 and said.endswith(
        f"{work}: stopped before the training; resume the build to continue\n"
    )
    assert (work / MATERIAL).exists() and not (work / "light").exists()
    (home / "domains.fa").rename(home / "elsewhere.fa")  # the other machine has none
    moved(work, away / "made.work")
    words = ["--cpu", 1, "--device", "cpu", "--light-residues", 70_000, "--resume", "--until", "training"]
    done = run("training_machine", *words, away / "made", *options)
    assert done.stderr.splitlines()[-1].endswith(
        "made.work: stopped after the training; resume the build to continue"
    )

    (home / "elsewhere.fa").rename(home / "domains.fa")
    moved(away / "made.work", work)
    (work / "soft.safetensors").unlink(missing_ok=True)  # the light network has learnt it
    status, said = quick("--resume", *options, out=home / "made")
    assert status == 0 and not work.exists(), said
    assert tables(home / "made") == tables(home / "whole")


def test_a_training_that_needs_a_gpu_is_begun_and_finished_without_one(quick, labelled, tmp_path):
    gpu, made, other = (
        ["--precision", "fp16", "--optim", "adamw8bit", labelled],
        tmp_path / "a",
        tmp_path / "b",
    )
    assert quick("--until", "data", *gpu, out=made)[0] == 0
    status, said = quick("--resume", "--until", "training", *gpu, out=made)
    assert status == 1 and "needs a CUDA device" in said and said.count("\n") == 1
    assert quick("--until", "training", labelled, out=other)[0] == 0
    trained = tmp_path / "a.work" / "light"
    moved(tmp_path / "b.work" / "light", trained)
    with safe_open(trained / CHECKPOINT, "pt") as file:
        meta = json.loads(file.metadata()["meta"])
    meta["settings"] |= {"precision": "fp16", "optimizer": "adamw8bit"}  # as if a GPU had trained it
    save_tensors({}, trained / CHECKPOINT, {"meta": json.dumps(meta)})
    status, said = quick("--resume", *gpu, out=made)
    assert status == 0 and json.loads((made / "model.json").read_text())["networks"].keys() == {"light"}, said


def test_without_the_input_a_build_is_not_finished(quick, labelled, tmp_path):
    shutil.copy(labelled, tmp_path / "domains.fa")
    assert quick("--until", "data", tmp_path / "domains.fa")[0] == 0
    (tmp_path / "domains.fa").unlink()
    status, said = quick("--resume", tmp_path / "domains.fa")
    assert status == 1 and said.count("\n") == 1 and "domains.fa" in said


def test_what_is_learnt_from_comes_back_as_it_was(tmp_path):
    domains = np.array([(1, 0, 3, -1), (0, 1, 4, 2)])
    corpus = Corpus(Fold(["ACDEF", "GHIKLMN"], ["a", "b"], domains, np.array([True, False])))
    empty = Corpus(Fold([], [], np.zeros((0, 4)), np.zeros(0, bool)))
    emission = synthetic.emission(3)
    for profiles in (emission, None):
        save_material(Material(corpus, empty, ["a", "b", "c"], profiles), tmp_path / "data")
        train, dev, keys, again = load_material(tmp_path / "data")
        assert keys == ["a", "b", "c"] and len(dev) == 0 and dev.domains.shape == (0, 4)
        for name in ("tokens", "offsets", "whole", "domains", "first"):
            one, other = getattr(corpus, name), getattr(train, name)
            assert one.dtype == other.dtype and np.array_equal(one, other)
        assert (again is None) == (profiles is None)
        assert again is None or all(x.equal(y) for x, y in zip(vars(again).values(), vars(profiles).values()))
