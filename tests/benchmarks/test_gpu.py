"""Trainings that are packed, run elsewhere and unpacked, so that a build takes them up."""

import functools
import json

import gpu
import numpy as np
import pytest
import synthetic
import torch
from click.testing import CliRunner
from gpu_package import corpus_arrays, corpus_of, emission_arrays, emission_of, packed, unpacked
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.plan7 import Background, Builder
from safetensors.torch import load_file

from pfamnet.build.fine_tune import esm_settings
from pfamnet.build.options import BuildOptions
from pfamnet.cli.build import build
from pfamnet.cli.common import run
from pfamnet.model.directory import WEIGHTS, open_model
from pfamnet.network.light import LightConfig
from pfamnet.training.checkpoints import read_checkpoint
from pfamnet.training.corpus import Corpus
from pfamnet.training.emission import Emission
from pfamnet.trainset.trainset import Fold


def hmms(families=8):
    alphabet, rng = Alphabet.amino(), np.random.default_rng(0)
    builder, background = Builder(alphabet, seed=1), Background(alphabet)
    for family in range(families):
        sequence = TextSequence(name=f"Made_{family}", sequence=synthetic.domain(family, rng))
        hmm, _, _ = builder.build(sequence.digitize(alphabet), background)
        hmm.accession = synthetic.accession(family)
        yield hmm


@pytest.fixture
def profiles(tmp_path):
    path = tmp_path / "profiles.hmm"
    with open(path, "wb") as file:
        for hmm in hmms():
            hmm.write(file)
    return path


def command(*arguments):
    done = CliRunner().invoke(gpu.main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.output


def refused(*arguments):
    done = CliRunner().invoke(gpu.main, list(map(str, arguments)))
    assert done.exit_code and not isinstance(done.exception, AssertionError)
    return done.output


def test_a_corpus_survives_packing(tmp_path):
    domains = np.array([(1, 0, 3, -1), (0, 1, 4, 2)])
    fold = Fold(["ACDEF", "GHIKLMN"], ["a", "b"], domains, np.array([True, False]))
    packed(tmp_path / "package.xz", corpus_arrays(fold, "train"), {"families": 3})
    arrays, about = unpacked(tmp_path / "package.xz")
    again, corpus = corpus_of(arrays, "train"), Corpus(fold)
    assert about == {"families": 3} and again.soft is None
    for name in ("tokens", "offsets", "whole", "domains", "first"):
        one, other = getattr(corpus, name), getattr(again, name)
        assert one.dtype == other.dtype and np.array_equal(one, other)


def test_profiles_survive_packing_but_for_a_thirty_second_of_a_logarithm(tmp_path):
    tables = Emission.of(list(hmms(3)))
    packed(tmp_path / "package.xz", emission_arrays(tables), {})
    again = emission_of(unpacked(tmp_path / "package.xz")[0])
    assert torch.equal(again.starts, tables.starts) and torch.equal(again.moves, tables.moves)
    torch.testing.assert_close(again.match, tables.match, atol=1 / 32 + 0.01, rtol=0)
    assert again.match.dtype == torch.float16


def test_the_rate_follows_the_clock():
    training = gpu.Timed.__new__(gpu.Timed)
    training.limit = 100.0
    rates = []
    for seconds in (0, 40, 70, 85, 100, 130):
        training.state = gpu.SimpleNamespace(seconds=seconds)
        rates.append(training.rate(10_000))
    assert rates == pytest.approx([1, 1, 0.5, 0.25, 0.01, 0.01])
    training.state.seconds = 0
    assert training.rate(29) == pytest.approx(0.1)


@pytest.mark.slow
def test_a_build_takes_up_trainings_that_were_run_elsewhere(
    quick, labelled, base, profiles, tmp_path, monkeypatch, capfd
):
    small = functools.partial(LightConfig, embedding=8, width=16, context=16)
    monkeypatch.setattr(gpu, "LightConfig", small)
    package, out, model = tmp_path / "package.xz", tmp_path / "out", tmp_path / "made"
    options = {"trainsets": [str(labelled)], "base": str(base), "crop": 64}
    command("pack", package, "--options", json.dumps(options), "--profiles", profiles)
    tiny = ["--seconds", 3, "--batch", 1024, "--pool", 4, "--eager", "--emitted", 0.25]
    command("train", package, out, "--network", "esm", "--base", base, *tiny)
    command("train", package, out, "--network", "light", *tiny)
    said = command("unpack", out, model, "--options", json.dumps(options)).split()
    residues = {kind: gpu.about(out / f"{kind}.safetensors")["residues"] for kind in ("esm", "light")}
    wanted = ["--esm-residues", str(residues["esm"]), "--light-residues", str(residues["light"])]
    assert said == ["--resume", *wanted] and min(residues.values()) > 0

    capfd.readouterr()
    build_options = ["--cpu", 1, "--device", "cpu", *said, "--base", base, "--crop", 64, model, labelled]
    status = run(build, list(map(str, build_options)))
    text = capfd.readouterr().err
    assert status == 0, text
    steps = [line.split("\t")[:3] for line in (model / "training.tsv").read_text().splitlines()[1:]]
    assert [(name, int(count)) for name, _, count in steps] == list(residues.items())
    assert "esm: validation accuracy" in text and "light: validation accuracy" in text
    trained, built = load_file(out / "light.safetensors"), load_file(model / WEIGHTS)
    built["head.weight"], built["embed.weight"] = built["head.weight"].T, built.pop("embed")
    assert built.keys() == trained.keys()
    assert all(torch.equal(tensor, trained[name]) for name, tensor in built.items())
    assert open_model(model).description["provenance"]["options"]["esm_residues"] == residues["esm"]


def test_what_is_there_already_stays(labelled, tmp_path):
    options = json.dumps({"trainsets": [str(labelled)]})
    (tmp_path / "out").mkdir()
    assert "no training" in refused("unpack", tmp_path / "out", tmp_path / "made", "--options", options)
    (tmp_path / "out" / "light.safetensors").touch()
    (tmp_path / "made").mkdir()
    assert "exists already" in refused("unpack", tmp_path / "out", tmp_path / "made", "--options", options)
    for wrong in ("{", "[]", '{"trainsets": [], "colour": 1}', "{}"):
        assert "no fields of BuildOptions" in refused("pack", tmp_path / "p.xz", "--options", wrong)


def test_a_checkpoint_has_the_settings_of_the_build(tmp_path):
    settings = esm_settings(BuildOptions((), esm_residues=12_345))
    log = {"state": {"step": 3, "validations": [(3, 0.5, 1.5, 2.0)], "loss": 0.0}}
    log["settings"] = {"residues": gpu.ENDLESS, "batch": 100}
    gpu.save_file({"a": torch.ones(2).half()}, tmp_path / "esm.safetensors")
    gpu.take_up(tmp_path / "esm", tmp_path / "esm.safetensors", log, settings)
    tensors, meta = read_checkpoint(tmp_path / "esm" / gpu.CHECKPOINT)
    assert meta["settings"] == gpu.asdict(settings) and meta["state"]["done"]
    assert tensors["network.a"].dtype == torch.float32
    row = (tmp_path / "esm" / gpu.LOG).read_text().splitlines()[1].split("\t")
    assert row == ["esm", "3", "300", "2", "1.5000", "0.50000", "0.0100", "150"]
