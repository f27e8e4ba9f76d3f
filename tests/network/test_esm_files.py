"""Files of the esm network: any Hugging Face directory of an ESM-2 is read, and what is written is one."""

import json
import subprocess
import sys

import pytest
import torch
import transformers
from encoders import random_rows, tiny_encoder
from safetensors.torch import load_file, save_file

from pfamnet.errors import PfamnetError
from pfamnet.network import esm_files, tokens
from pfamnet.network.esm import EsmNetwork, embed

FREQUENCIES = "rotary_embeddings.inv_freq"


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return tiny_encoder()


@pytest.fixture
def saved(encoder, tmp_path):
    esm_files.save_encoder(encoder, tmp_path / "base")
    return tmp_path / "base"


def edit_config(directory, **changes):
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(values | changes))


def edit_weights(directory, edit):
    """Write the weights again; `edit` changes the tensors in place."""
    tensors = load_file(directory / "model.safetensors")
    edit(tensors)
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_saved_encoder_comes_back_the_same(encoder, saved):
    encoder.rotary_embeddings.inv_freq += 0.001
    esm_files.save_encoder(encoder, saved)
    names = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    assert sorted(path.name for path in saved.iterdir()) == names
    loaded = esm_files.load_encoder(saved)
    assert not loaded.training
    assert equal(loaded.state_dict(), encoder.state_dict())


def test_rotary_frequencies_are_stored_for_each_layer_as_in_the_published_models(saved):
    names = load_file(saved / "model.safetensors").keys()
    assert [name for name in names if FREQUENCIES in name] == [
        f"encoder.layer.{layer}.attention.self.{FREQUENCIES}" for layer in range(2)
    ]


def test_keys_may_have_the_prefix_and_the_old_names_of_norms(encoder, saved):
    def rename(tensors):
        for name in list(tensors):
            new = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            )
            tensors["esm." + new] = tensors.pop(name)
        tensors["lm_head.bias"] = torch.zeros(33)

    edit_weights(saved, rename)
    assert equal(esm_files.load_encoder(saved).state_dict(), encoder.state_dict())


def test_weights_without_rotary_frequencies_have_those_of_the_formula(encoder, saved):
    def remove(tensors):
        for name in [name for name in tensors if FREQUENCIES in name]:
            del tensors[name]

    edit_weights(saved, remove)
    assert equal(esm_files.load_encoder(saved).state_dict(), encoder.state_dict())


def test_shards_are_read_through_their_index(encoder, saved):
    tensors = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"a.safetensors": names[:10], "b.safetensors": names[10:]}
    for shard, members in shards.items():
        save_file({name: tensors[name] for name in members}, saved / shard, {"format": "pt"})
    weight_map = {name: shard for shard, members in shards.items() for name in members}
    (saved / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    assert equal(esm_files.load_encoder(saved).state_dict(), encoder.state_dict())


@pytest.mark.parametrize("token_dropout", [True, False])
def test_an_encoder_embeds_as_the_unchanged_model_of_transformers_does(tmp_path, token_dropout):
    torch.manual_seed(3)
    ours = tiny_encoder(32, 3, 4, 64, token_dropout=token_dropout, initializer_range=0.2)
    esm_files.save_encoder(ours, tmp_path)
    theirs = transformers.EsmModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    rows, lengths = random_rows([300, 40], 302)
    rows[0, 5:90] = tokens.VOCABULARY.index("<mask>")
    with torch.no_grad():
        vectors, inside = embed(esm_files.load_encoder(tmp_path), rows, lengths)
        for row, length in enumerate(lengths):
            framed = torch.cat((torch.tensor([tokens.CLS]), rows[row, :length], torch.tensor([tokens.EOS])))
            expected = theirs(framed[None]).last_hidden_state[0, 1:-1]
            torch.testing.assert_close(vectors[row][inside[row]], expected, atol=1e-4, rtol=0)


def test_the_encoder_of_a_model_opens_in_transformers_and_embeds_alike(esm_model):
    """As a build leaves it, against the very network that scans with it."""
    theirs = transformers.EsmModel.from_pretrained(esm_model / "encoder").eval()
    ours = esm_files.load_network(esm_model / "encoder", esm_model / "head.safetensors").encoder
    rows, lengths = random_rows([120, 40], 120)
    mask = torch.arange(120) < lengths[:, None]
    with torch.no_grad():
        expected = theirs(rows, attention_mask=mask.long()).last_hidden_state[mask]
        assert expected.std() > 0.1
        actual = ours(rows, attention_mask=mask).last_hidden_state[mask]
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_transformers_reads_the_vocabulary_that_we_write(saved):
    ids = transformers.AutoTokenizer.from_pretrained(saved)("MKVX")["input_ids"]
    assert ids == [tokens.CLS, *tokens.encode("MKVX").tolist(), tokens.EOS]


@pytest.mark.slow
def test_a_network_comes_back_the_same_and_nothing_is_printed(encoder, tmp_path):
    network = EsmNetwork(encoder, families=3, block=8).eval()
    esm_files.save_encoder(encoder, tmp_path / "encoder")
    esm_files.save_head(network, tmp_path / "head.safetensors")
    code = (
        "import sys, torch; from pathlib import Path; from pfamnet.network.esm_files import load_network;"
        "network = load_network(Path(sys.argv[1], 'encoder'), Path(sys.argv[1], 'head.safetensors'));"
        "torch.save(network(torch.full((1, 9), 5), torch.tensor([9])), sys.argv[1] + '/logits')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    assert done.stdout == done.stderr == b""
    torch.testing.assert_close(
        torch.load(tmp_path / "logits"), network(torch.full((1, 9), 5), torch.tensor([9]))
    )


@pytest.mark.slow
def test_a_network_runs_in_another_process(encoder, tmp_path):
    torch.save(EsmNetwork(encoder, families=3), tmp_path / "network")
    code = (
        "import sys, torch; network = torch.load(sys.argv[1], weights_only=False);"
        "network(torch.full((1, 9), 5), torch.tensor([9]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "network")], check=True)


def test_transformers_is_not_imported_before_an_encoder_is_loaded():
    code = "import sys; from pfamnet.network import esm, esm_files; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# What the user can get wrong


def load_fails(base, match):
    with pytest.raises(PfamnetError, match=match) as caught:
        esm_files.load_encoder(base)
    assert str(base) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_without_configuration_is_refused(tmp_path):
    load_fails(tmp_path, "no config.json")


@pytest.mark.parametrize("text", ["{", "", "\xff", "[1]"])
def test_a_configuration_that_is_none_is_refused(saved, text):
    (saved / "config.json").write_text(text, encoding="latin-1")
    load_fails(saved, "cannot be read as an ESM-2 encoder: ")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model_type": "bert"}, "model_type is not 'esm'"),
        ({"position_embedding_type": "absolute"}, "an older ESM"),
        ({"emb_layer_norm_before": True}, "an older ESM"),
        ({"vocab_size": 30}, "vocab_size"),
        ({"hidden_size": None}, "cannot be read"),
        ({"num_attention_heads": 5}, "cannot be read"),
        ({"layer_norm_eps": "small"}, "cannot be read"),
        ({"hidden_size": 64}, "cannot be read"),
        ({"num_hidden_layers": 3}, "no weights 'encoder.layer.2"),
    ],
)
def test_an_encoder_of_another_kind_is_refused(saved, changes, match):
    edit_config(saved, **changes)
    load_fails(saved, match)


def test_missing_and_damaged_weights_are_refused(saved):
    path = saved / "model.safetensors"
    complete = path.read_bytes()
    for damaged in (b"", complete[:100], complete[:-8], b"\x00" * 200):
        path.write_bytes(damaged)
        load_fails(saved, "cannot be read as an ESM-2 encoder")
    path.unlink()
    load_fails(saved, "cannot be read as an ESM-2 encoder: .*model.safetensors")


def test_weights_that_are_not_finite_are_refused(saved):
    edit_weights(saved, lambda tensors: tensors["embeddings.word_embeddings.weight"][4].fill_(float("nan")))
    load_fails(saved, "'embeddings.word_embeddings.weight' contains numbers that are not finite")


def test_a_vocabulary_in_another_order_is_refused(saved):
    (saved / "vocab.txt").write_text("\n".join(reversed(tokens.VOCABULARY)))
    load_fails(saved, "vocab.txt: not the vocabulary of ESM-2")


def test_a_broken_index_of_shards_is_refused(saved):
    (saved / "model.safetensors").unlink()
    (saved / "model.safetensors.index.json").write_text("{}")
    load_fails(saved, "cannot be read as an ESM-2 encoder")


def test_a_base_that_is_a_file_or_absent_is_refused(saved):
    for base in (saved / "config.json", saved / "absent", "esm2_t6_8M", "./facebook/esm2"):
        load_fails(base, "no such directory")


@pytest.mark.slow
def test_a_hub_name_that_is_not_cached_and_without_network_is_refused(tmp_path):
    """In a process of its own: the hub's client reads the environment when it is imported."""
    code = (
        "from pfamnet.errors import PfamnetError; from pfamnet.network.esm_files import load_encoder\n"
        "try: load_encoder('facebook/esm2_t6_8M_UR50D')\n"
        "except PfamnetError as error: print(error)"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("facebook/esm2_t6_8M_UR50D: cannot be read as an ESM-2 encoder: ")
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def test_a_hub_name_is_downloaded_without_pickles(monkeypatch, saved):
    asked = {}
    original = transformers.EsmModel.from_pretrained

    def download(name, **options):
        asked.update(options, name=name)
        return original(saved, **options)

    monkeypatch.setattr(transformers.EsmModel, "from_pretrained", download)
    config = transformers.PreTrainedConfig.get_config_dict
    get_config = lambda name, **options: config(saved, **options)
    monkeypatch.setattr(transformers.PreTrainedConfig, "get_config_dict", get_config)
    esm_files.load_encoder("facebook/esm2_t6_8M_UR50D")
    assert asked["name"] == "facebook/esm2_t6_8M_UR50D" and asked["use_safetensors"]


# What is not as it was saved


@pytest.fixture
def network(encoder, tmp_path):
    esm_files.save_encoder(encoder, tmp_path / "encoder")
    esm_files.save_head(EsmNetwork(encoder, 5), tmp_path / "head.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    "changes",
    (
        {"num_hidden_layers": 1_000_000},
        {"intermediate_size": 1 << 40},
        {"hidden_size": 0},
        {"num_attention_heads": 0},
        {"num_attention_heads": "4"},
        {"max_position_embeddings": 1 << 50},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
    ),
)
def test_a_configuration_that_claims_what_the_weights_are_not_is_refused(network, changes):
    edit_config(network / "encoder", **changes)
    with pytest.raises(PfamnetError, match="its esm network cannot be read: ") as refusal:
        esm_files.load_network(network / "encoder", network / "head.safetensors")
    assert "\n" not in str(refusal.value)


def test_further_files_beside_an_encoder_are_refused(network):
    (network / "encoder" / "adapter_config.json").write_text("{}")
    with pytest.raises(PfamnetError, match="encoder has other files, such as 'adapter_config.json'"):
        esm_files.load_network(network / "encoder", network / "head.safetensors")


@pytest.mark.parametrize("damage", ("no block", "no tensors", "other shape", "cut"))
def test_another_head_is_refused(network, damage):
    path = network / "head.safetensors"
    tensors, block = load_file(path), {"block": "16"}
    if damage == "no block":
        block = {}
    elif damage == "no tensors":
        tensors = {}
    elif damage == "other shape":
        tensors["2.weight"] = tensors["2.weight"][:, :5].contiguous()
    save_file(tensors, path, block)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(PfamnetError, match="its esm network cannot be read: ") as refusal:
        esm_files.load_network(network / "encoder", path)
    assert "\n" not in str(refusal.value)
