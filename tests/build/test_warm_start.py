"""A light network that begins with the weights of another model."""

import json
import shutil

import numpy as np
import pytest
import synthetic
import torch
import untrained
from conftest import build
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pfamnet.build import warm_start
from pfamnet.build.options import BuildOptions
from pfamnet.build.provenance import input_digests
from pfamnet.build.warm_start import Stored
from pfamnet.errors import PfamnetError
from pfamnet.families import Family
from pfamnet.model.directory import WEIGHTS, ModelWriter, as_text, description_digest, file_digest, open_model
from pfamnet.network.tokens import PAD, encode


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untrained.write_model(tmp_path_factory.mktemp("start") / "model")


def examples(count=6, length=120):
    rng = np.random.default_rng(4)
    rows = np.full((count, length + 8), PAD)
    for row in rows:
        row[:length] = encode(synthetic.random_sequence(rng, length))
    return torch.from_numpy(rows.astype(np.int64))


def test_the_network_gives_what_the_stored_one_gives(folder):
    """Whatever the order of the families, and whichever of them are wanted."""
    model, tokens = open_model(folder), examples()
    wanted = [7, 0, 3]
    network = Stored(folder).network([model.families[i].key for i in wanted]).eval()
    logits = network(tokens).detach().numpy()
    for row, ids in enumerate(tokens):
        stored, _ = model.runtime("light").run(ids.numpy())
        # the stored weights have sixteen bits
        np.testing.assert_allclose(logits[row], stored[:, [0, 8, 1, 4]], atol=0.02)


def test_families_that_the_stored_one_lacks_begin_anew(folder):
    families = open_model(folder).families
    new = Family("PF99999.1", "New")
    torch.manual_seed(3)
    head = Stored(folder).network([new.key, families[1].key]).head
    stored = Stored(folder).tensors
    torch.testing.assert_close(head.weight[2], stored["head.weight"].T[2])
    torch.testing.assert_close(head.bias[1], stored["head.bias"][1:].mean())
    assert not any(torch.allclose(head.weight[1], row) for row in stored["head.weight"].T)


@pytest.mark.parametrize(
    "claim",
    (
        {"width": 1 << 40},
        {"families": 1 << 40},
        {"families": 3},
        {"stride": 0},
        {"dilations": [1 << 40] * 6},
        {"dilations": [1]},
        {"kernel": -1},
    ),
)
def test_weights_of_other_sizes_than_they_claim_are_refused_before_memory_is_taken(folder, tmp_path, claim):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with safe_open(copy / WEIGHTS, "pt") as file:
        config = json.loads(file.metadata()["config"])
    save_file(load_file(copy / WEIGHTS), copy / WEIGHTS, {"config": json.dumps(config | claim)})
    description = json.loads((copy / "model.json").read_text())
    description["files"][WEIGHTS] = file_digest(copy / WEIGHTS)
    description["digest"] = description_digest({k: v for k, v in description.items() if k != "digest"})
    (copy / "model.json").write_text(as_text(description))
    with pytest.raises(PfamnetError, match="no weights of a light network for this model's families"):
        Stored(copy)


def test_what_is_no_light_network_is_refused(folder, tmp_path):
    with pytest.raises(PfamnetError, match="no such file or directory"):
        Stored(tmp_path / "none")
    model = open_model(folder)
    damaged = tmp_path / "damaged"
    with ModelWriter(damaged) as writer:
        for name in model.description["files"]:
            (writer.folder / name).write_bytes((folder / name).read_bytes())
        save_file({"embed": torch.zeros(2)}, writer.folder / WEIGHTS)
        keys = ("pfamnet", "profiles", "words", "networks", "families", "provenance")
        writer.finish({key: model.description[key] for key in keys})
    with pytest.raises(PfamnetError, match="no weights of a light network"):
        Stored(damaged)


def test_a_word_stands_for_the_shipped_model(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(warm_start, "shipped_model", lambda: folder)
    monkeypatch.chdir(tmp_path)
    options = BuildOptions(light_from="shipped")
    assert Stored("shipped").places == Stored(folder).places
    assert input_digests(options) == {"shipped/light.safetensors": file_digest(folder / WEIGHTS)}
    (tmp_path / "shipped").mkdir()  # what has that name goes before
    with pytest.raises(PfamnetError, match="shipped: not a model directory"):
        Stored("shipped")


def test_a_model_can_be_cut_down_without_training(light_model, trainset, tmp_path):
    """The families that stay keep their logits, up to the steps of int8."""
    out = tmp_path / "cut"
    build("--light-from", light_model, "--light-residues", 0, "--max-families", 3, out, *trainset)
    cut, whole = open_model(out), open_model(light_model)
    assert len(cut.families) == 3
    places = [[family.key for family in whole.families].index(family.key) for family in cut.families]
    protein, _ = synthetic.protein([0, 1, 2], np.random.default_rng(1))
    few = cut.runtime("light").logits(protein)
    many = whole.runtime("light").logits(protein)[:, [0, *(place + 1 for place in places)]]
    assert np.corrcoef(few.ravel(), many.ravel())[0, 1] > 0.98
    # and the log of a training that did not happen has no rows
    assert len((out / "training.tsv").read_text().splitlines()) == 1
