"""The model directory: whole or not at all, and any damage told in one line."""

import gzip
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import untrained
from conftest import ROOT, refused, scan

from pfamnet.errors import PfamnetError
from pfamnet.families import read_families, write_families
from pfamnet.model.directory import FORMAT, ModelWriter, description_digest, file_digest, open_model


@pytest.fixture
def copy(light_model, tmp_path):
    return shutil.copytree(light_model, tmp_path / "copy")


def files_of(model):
    return sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())


def refusal(path):
    """The message with which a model is refused; always of one line that names it."""
    with pytest.raises(PfamnetError) as error:
        open_model(path)
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(path))
    return message.removeprefix(f"{path}: ")


def rewrite(model, **changes):
    """Change model.json as a program would, with the digest that belongs to it."""
    path = model / "model.json"
    fields = json.loads(path.read_text()) | changes
    del fields["digest"]
    path.write_text(json.dumps(fields | {"digest": description_digest(fields)}, indent=1) + "\n")


# What a build writes

EVALUATION = [
    f"evaluation/{name}.tsv"
    for name in ("accuracy_by_family", "accuracy_by_size", "confusion_in_clans", "latency")
]


def test_a_light_model_holds_what_the_module_says(light_model):
    assert files_of(light_model) == [
        "README.md",
        *EVALUATION,
        "families.tsv",
        "light.onnx",
        "light.safetensors",
        "model.json",
        "profiles.h3z",
        "training.tsv",
        "words.safetensors",
    ]


def test_a_model_with_esm_holds_the_encoder_too(esm_model):
    assert files_of(esm_model) == [
        "README.md",
        "encoder/config.json",
        "encoder/model.safetensors",
        "encoder/tokenizer_config.json",
        "encoder/vocab.txt",
        *EVALUATION,
        "families.tsv",
        "head.safetensors",
        "light.onnx",
        "light.safetensors",
        "model.json",
        "profiles.h3z",
        "training.tsv",
        "words.safetensors",
    ]


def test_anyone_may_read_a_model(light_model, esm_model):
    for model in (light_model, esm_model):
        assert all(path.stat().st_mode & 0o444 == 0o444 for path in [model, *model.rglob("*")])


@pytest.mark.parametrize("which", ["light_model", "esm_model"])
def test_an_opened_model_has_families_profiles_and_networks(which, request):
    model = open_model(request.getfixturevalue(which))
    assert model.name == "made" and len(model.families) == len(model.store) == 8
    for index, family in enumerate(model.families):
        hmm = model.store.hmm(index)
        assert (hmm.accession, hmm.name, hmm.M) == (family.accession, family.name, family.length)
    assert sorted(model.networks) == (["light"] if which == "light_model" else ["esm", "light"])
    for name, info in model.networks.items():
        assert info.block == model.runtime(name).block == 16
        assert sorted(info.sensitivities) == ["default", "fast", "sensitive"]
        assert (
            info.sensitivities["fast"].candidates
            < info.sensitivities["default"].candidates
            < info.sensitivities["sensitive"].candidates
        )
        assert (
            info.sensitivities["fast"].threshold
            >= info.sensitivities["default"].threshold
            >= info.sensitivities["sensitive"].threshold
        )
        assert (
            np.isfinite(info.calibration.log_p([0.0, 9.0, 99.0], 300)).all()
            and len(info.calibration.tails) == 5
        )
        assert model.runtime(name).logits("ACDEFGHIKLMNPQRSTVWY").shape == (2, 9)


def test_model_json_says_how_the_model_came_to_be(light_model, trainset):
    fields = json.loads((light_model / "model.json").read_text())
    assert fields["format"] == FORMAT and fields["families"] == 8
    provenance = fields["provenance"]
    assert provenance["options"]["light_residues"] == 800_000 and provenance["options"]["seed"] == 42
    paths = [str(path) for path in trainset[1:]]
    assert provenance["digests"] == {path: file_digest(path) for path in paths}
    assert {"torch", "pyhmmer", "numpy", "onnx"} <= set(provenance["versions"])
    assert provenance["machine"]["threads"] >= 1 and provenance["machine"]["gpu"] is None
    network = fields["networks"]["light"]
    assert network["dev"]["recall"]["8"] == 1.0 and network["dev"]["domains"] > 10
    assert [row["nominal"] for row in network["check"]] == [0.001, 0.01, 0.1, 1.0, 10.0]


# Damage


@pytest.mark.parametrize("which", ["light_model", "esm_model"])
def test_a_missing_file_is_named(which, request, tmp_path):
    whole = request.getfixturevalue(which)
    for name in files_of(whole):
        model = shutil.copytree(whole, tmp_path / "copy")
        (model / name).unlink()
        message = refusal(model)
        assert name in message and "missing" in message
        shutil.rmtree(model)


@pytest.mark.parametrize("which", ["light_model", "esm_model"])
def test_a_flipped_byte_is_noticed_wherever_it_is(which, request, tmp_path):
    model = shutil.copytree(request.getfixturevalue(which), tmp_path / "copy")
    rng = np.random.default_rng(0)
    for name in files_of(model):
        path = model / name
        data = path.read_bytes()
        places = {0, 1, len(data) // 2, len(data) - 1, *rng.integers(0, len(data), 3).tolist()}
        for place in places:
            for mask in (0x01, 0x20, 0x80):
                damaged = bytearray(data)
                damaged[place] ^= mask
                path.write_bytes(damaged)
                assert name in refusal(model)
        path.write_bytes(data)
    open_model(model)


def test_no_byte_of_model_json_can_be_another(copy):
    """Not even white space, or the case of a letter in a number."""
    path = copy / "model.json"
    data = path.read_bytes()
    # the digests of the other files take time; only those bytes count here
    for place in range(0, len(data), 5):
        for mask in (0x20, 0x04, 0x29):
            damaged = bytearray(data)
            damaged[place] ^= mask
            path.write_bytes(damaged)
            assert "model.json" in refusal(copy) or "format" in refusal(copy)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "17", '{"digest": 3}', "\xff", '{"digest": "00"} x', "[" * 5000]
)
def test_rubbish_in_model_json_is_damage(copy, text):
    (copy / "model.json").write_bytes(text.encode("latin-1"))
    assert "model.json is damaged" in refusal(copy)


@pytest.mark.parametrize("name", ["profiles.h3z", "light.safetensors", "model.json"])
def test_a_file_cut_short_is_noticed(copy, name):
    data = (copy / name).read_bytes()
    for size in (0, len(data) // 2, len(data) - 1):
        (copy / name).write_bytes(data[:size])
        assert name in refusal(copy)


def test_a_directory_in_the_place_of_a_file_is_damage(copy):
    for name in ("families.tsv", "model.json"):
        (copy / name).unlink()
        (copy / name).mkdir()
        assert name in refusal(copy)
        (copy / name).rmdir()


def test_another_format_is_named(copy):
    rewrite(copy, format=FORMAT + 1)
    assert refusal(copy) == f"a model of format {FORMAT + 1}; this pfamnet reads format {FORMAT}"


SOUND = {"residues": 64.0, "scores": [3.0], "log_p": [-3.9], "scale": 1.5}
UNSOUND = SOUND | {"residues": 0.0}
SENSITIVITY = {"threshold": 0.0, "candidates": 9, "most": 9, "passing": 9}


@pytest.mark.parametrize(
    "change",
    (
        {"calibration": {"tails": [UNSOUND], "baselines": {}}},
        {"calibration": {"tails": [], "baselines": {}}},
        {"calibration": {"tails": [SOUND]}},
        {"calibration": {"tails": [SOUND], "baselines": {"x": 1.0}}},
        {"calibration": {"tails": [SOUND], "baselines": {"-1": 1.0}}},
        {"calibration": {"tails": [SOUND], "baselines": {"0": -1.0}}},
        {"calibration": {"tails": [SOUND], "baselines": [3.0]}},
        {"block": 0},
        {"block": 24},
        *(
            {"sensitivities": dict.fromkeys(("fast", "default", "sensitive"), SENSITIVITY | change)}
            for change in ({"threshold": float("nan")}, {"candidates": 0})
        ),
    ),
)
def test_numbers_by_which_nothing_can_be_scanned_are_refused(tmp_path, change):
    untrained.write_model(tmp_path / "model")
    light = json.loads((tmp_path / "model/model.json").read_text())["networks"]["light"]
    rewrite(tmp_path / "model", networks={"light": light})
    open_model(tmp_path / "model")
    rewrite(tmp_path / "model", networks={"light": light | change})
    assert "lacks what a model needs" in refusal(tmp_path / "model")


def test_files_that_do_not_belong_to_a_model_do_no_harm(copy):
    (copy / "notes.txt").write_text("mine")
    open_model(copy)


def test_what_is_no_model_directory_is_refused(tmp_path, light_model):
    assert "no such file or directory" in refusal(tmp_path / "none")
    assert "model.json is missing" in refusal(tmp_path)
    assert "not a directory" in refusal(light_model / "model.json")


@pytest.mark.parametrize("damage", ["missing", "flipped", "empty"])
def test_the_program_refuses_damage_in_one_line(copy, tmp_path, damage):
    path = copy / "profiles.h3z"
    if damage == "missing":
        path.unlink()
    if damage == "flipped":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    if damage == "empty":
        for name in files_of(copy):
            (copy / name).unlink()
    (tmp_path / "q.fa").write_text(">q\nACDEFGHIKL\n")
    message = refused(scan(copy, tmp_path / "q.fa", check=False))
    assert str(copy) in message


# The writer


def test_a_model_has_its_name_only_when_it_is_whole(tmp_path):
    out = tmp_path / "deep" / "model"
    with ModelWriter(out) as writer:
        (writer.folder / "part").write_text("x")
        assert not out.exists()
        writer.finish({"made": "for a test"})
    assert files_of(out) == ["model.json", "part"]
    assert [path.name for path in out.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("mask", (0o022, 0o077, 0o007))
def test_modes_are_those_that_the_user_wants(mask, tmp_path):
    before = os.umask(mask)
    try:
        with ModelWriter(tmp_path / "model") as writer:
            (writer.folder / "sub").mkdir()
            for file in ("part", "sub/part"):
                (writer.folder / file).write_text("x")
                (writer.folder / file).chmod(0o600)
            writer.finish({})
    finally:
        os.umask(before)
    for path in (tmp_path / "model").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o777 & ~mask


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), ModelWriter(tmp_path / "model") as writer:
        (writer.folder / "part").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_came_to_stand_there_meanwhile_is_kept(tmp_path):
    with pytest.raises(PfamnetError, match="exists already"), ModelWriter(tmp_path / "model") as writer:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "precious").write_text("x")
        writer.finish({})
    assert files_of(tmp_path) == ["model/precious"]


def test_a_model_is_made_in_the_directory_that_is_given(tmp_path):
    work = tmp_path / "work"
    with ModelWriter(tmp_path / "model", work) as writer:
        assert writer.folder.parent == work
        writer.finish({})
    assert (tmp_path / "model" / "model.json").exists() and list(work.iterdir()) == []


def test_numbers_survive_the_description(tmp_path):
    value = {"bins": [(0.1 + 0.2, 1e-300, np.pi, 5e20)]}
    with ModelWriter(tmp_path / "model") as writer:
        writer.finish(value)
    assert json.loads((tmp_path / "model" / "model.json").read_text())["bins"] == [list(value["bins"][0])]


def test_the_model_that_ships_is_sound():
    shipped = sorted((ROOT / "data").glob("*/model.json"))
    if not shipped:
        pytest.skip("no model in data/")
    for path in shipped:
        assert len(open_model(path.parent).families) >= 1000


# Models of others: every digest fits, the parts do not


@pytest.fixture
def foreign(tmp_path):
    return untrained.write_model(tmp_path / "foreign")


def sign(model):
    """Make model.json's digests fit the files."""
    files = json.loads((model / "model.json").read_text())["files"]
    rewrite(model, files={name: file_digest(model / name) for name in files})


def test_a_file_that_model_json_does_not_list_is_refused(foreign):
    files = json.loads((foreign / "model.json").read_text())["files"]
    rewrite(foreign, profiles="/dev/zero")
    assert refusal(foreign) == "model.json does not list /dev/zero"
    rewrite(foreign, profiles="profiles.h3z", files={n: d for n, d in files.items() if n != "light.onnx"})
    assert refusal(foreign) == "model.json does not list light.onnx"


@pytest.mark.parametrize("name", ["model.json", "families.tsv", "light.onnx", "profiles.h3z"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(foreign, name):
    (foreign / name).unlink()
    os.mkfifo(foreign / name)
    assert name in refusal(foreign)


def test_the_profiles_of_other_families_are_refused(foreign, tmp_path):
    families = read_families(foreign / "families.tsv")
    first, second = families[:2]
    swapped = [replace(second, offset=first.offset), replace(first, offset=second.offset), *families[2:]]
    write_families(foreign / "families.tsv", swapped)
    sign(foreign)
    with pytest.raises(PfamnetError, match=f"profile 1: not the one of family '{second.name}'"):
        open_model(foreign).store.hmm(0)
    write_families(foreign / "families.tsv", [replace(first, length=first.length + 1), *families[1:]])
    sign(foreign)
    with pytest.raises(PfamnetError, match=f"profile 1: not the one of family '{first.name}'"):
        open_model(foreign).store.hmm(0)


def test_the_network_of_other_families_is_refused(foreign):
    families = read_families(foreign / "families.tsv")
    write_families(foreign / "families.tsv", families[:-1])
    rewrite(foreign, families=len(families) - 1)
    sign(foreign)
    with pytest.raises(PfamnetError, match=f"logits of {len(families)} families; the model has"):
        open_model(foreign).runtime("light")


def test_a_table_of_families_that_unpacks_to_much_is_not_unpacked(foreign):
    path = foreign / "families.tsv"
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(1 << 20)))
    sign(foreign)
    assert refusal(foreign) == "families.tsv is damaged (compressed)"


@pytest.mark.parametrize(
    "rule", [{"bits": 8.5, "letters": n} for n in (0, 21, 4.0, "4", None)] + [{"bits": 2, "letters": 4}]
)
def test_words_that_no_profile_has_are_refused(rule, tmp_path):
    model = untrained.write_model(tmp_path / "model")
    description = json.loads((model / "model.json").read_text())
    description["words"] = rule
    del description["digest"]
    description["digest"] = description_digest(description)
    (model / "model.json").write_text(json.dumps(description, indent=1) + "\n")
    with pytest.raises(PfamnetError, match="lacks what a model needs"):
        open_model(model)
