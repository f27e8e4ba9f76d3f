"""The esm network: padding, pooling, learning rates and Hugging Face's files."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from pfamnet.errors import PfamnetError
from pfamnet.network import esm, tokens
from pfamnet.training.lora import add_adapters

CONFIG = esm.EncoderConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return esm.EsmEncoder(CONFIG).eval()


@pytest.fixture
def saved(encoder, tmp_path):
    esm.save_encoder(encoder, tmp_path / "base")
    return tmp_path / "base"


def random_rows(lengths, width):
    """Tokens (B, width) of random residues, padded, and the lengths as a tensor."""
    generator = torch.Generator().manual_seed(7)
    rows = torch.full((len(lengths), width), tokens.PAD)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.randint(4, 24, (length,), generator=generator)
    return rows, torch.tensor(lengths)


def edit_config(directory, **changes):
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(values | changes))


# The network


def test_logits_have_the_shape_of_the_contract(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    for width, blocks in [(1, 1), (16, 1), (17, 2), (64, 4)]:
        assert network(*random_rows([width, 1], width)).shape == (2, blocks, 6)


def test_results_do_not_depend_on_the_padding(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    lengths = [50, 33, 16, 1]
    together = network(*random_rows(lengths, 90))
    rows, _ = random_rows(lengths, 90)
    for number, length in enumerate(lengths):
        alone = network(rows[number : number + 1, :length], torch.tensor([length]))[0]
        torch.testing.assert_close(together[number, : len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_what_stands_in_the_padding_does_not_matter(encoder):
    network = esm.EsmNetwork(encoder, families=5, block=16).eval()
    rows, lengths = random_rows([20, 40], 40)
    dirty = rows.clone()
    dirty[0, 20:] = tokens.MASK
    torch.testing.assert_close(network(dirty, lengths)[0, :2], network(rows, lengths)[0, :2])


def test_a_row_without_residues_leaves_the_others_finite(encoder):
    network = esm.EsmNetwork(encoder, families=5).eval()
    assert network(*random_rows([0, 20], 20)).isfinite().all()


def test_ends_are_set_after_each_rows_last_residue():
    framed, inside = esm.add_ends(torch.tensor([[5, 6, 7], [8, 9, 9]]), torch.tensor([3, 1]))
    assert framed.tolist() == [[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]
    assert inside.tolist() == [[True, True, True], [True, False, False]]


def test_a_partial_block_averages_the_residues_that_exist():
    hidden = torch.arange(10.0).view(1, 5, 2)
    pooled = esm.pool_blocks(hidden, torch.tensor([[True, True, True, False, False]]), 2)
    assert pooled.tolist() == [[[1.0, 2.0], [4.0, 5.0], [0.0, 0.0]]]


def test_bfloat16_autocast_is_near_to_single_precision_and_trains(encoder):
    rows, lengths = random_rows([60, 30], 60)
    network = esm.EsmNetwork(encoder, families=5).eval()
    exact = network(rows, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(rows, lengths)
    assert (logits.float() - exact)[0].abs().max() < 0.05
    logits.float().logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_network_learns_to_tell_two_families_apart():
    torch.manual_seed(0)
    network = esm.EsmNetwork(esm.EsmEncoder(CONFIG), families=2, block=16)
    optimizer = torch.optim.AdamW(esm.parameter_groups(network, lr=3e-3, head_lr=1e-2))
    rows, lengths = random_rows([20] * 8, 20)
    classes = torch.tensor([1, 2] * 4)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(rows, lengths).mean(1), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(rows, lengths).mean(1).argmax(-1) == classes).all()


def test_a_cast_network_keeps_its_rotary_frequencies(encoder):
    exact = encoder.inverse_frequencies.clone()
    assert torch.equal(encoder.bfloat16().inverse_frequencies, exact)
    assert encoder.norm.weight.dtype == torch.bfloat16
    assert encoder(*random_rows([20, 9], 20)).dtype == torch.bfloat16


def with_gradients(network, rows, lengths, precision):
    """The loss of some targets, and what each parameter gets of it."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        logits = network(rows, lengths)
    loss = logits.float().logsumexp(-1).square().mean()
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("precision, rank", [("fp32", 0), ("bf16", 0), ("fp32", 2)])
def test_checkpointed_activations_give_the_same_loss_and_gradients(encoder, precision, rank):
    if rank:
        add_adapters(encoder, rank)
    network, calls = esm.EsmNetwork(encoder, families=5, dropout=0), []
    encoder.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    rows, lengths = random_rows([60, 30], 60)
    loss, gradients = with_gradients(network, rows, lengths, precision)
    assert len(calls) == 1
    encoder.checkpointing = True
    again, recomputed = with_gradients(network, rows, lengths, precision)
    assert len(calls) == 3  # once more for the gradients
    assert again == loss and recomputed.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(recomputed[name], gradient)
    with torch.no_grad():
        network(rows, lengths)
    assert len(calls) == 4


# Learning rates


def test_every_parameter_is_in_one_group_and_layers_learn_slower_downwards(encoder):
    network = esm.EsmNetwork(encoder, families=5)
    groups = esm.parameter_groups(network, lr=1e-4, head_lr=1e-3, layer_decay=0.5, weight_decay=0.1)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["head"] == 1e-3
    assert rates["layer1"] == pytest.approx(1e-4)
    assert rates["layer0"] == pytest.approx(0.5e-4)
    assert rates["embedding"] == pytest.approx(0.25e-4)
    for group in groups:
        dimensions = {p.dim() > 1 for p in group["params"]}
        assert dimensions == {group["weight_decay"] > 0}


def test_a_frozen_encoder_leaves_only_the_heads_groups(encoder):
    network = esm.EsmNetwork(encoder.requires_grad_(False), families=5)
    names = {group["name"] for group in esm.parameter_groups(network, lr=1e-4, head_lr=1e-3)}
    assert names == {"head", "head (no decay)"}


# Files


def test_a_saved_encoder_comes_back_the_same(encoder, saved):
    encoder.inverse_frequencies += 0.001
    esm.save_encoder(encoder, saved)
    assert {p.name for p in saved.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    }
    loaded = esm.load_encoder(saved)
    assert loaded.config == encoder.config
    assert not loaded.training
    assert all(
        torch.equal(a, b)
        for a, b in zip(loaded.state_dict().values(), encoder.state_dict().values(), strict=True)
    )


def test_keys_may_have_the_prefix_and_the_old_names_of_norms(encoder, saved):
    tensors = load_file(saved / "model.safetensors")
    renamed = {
        "esm."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in tensors.items()
        if "inv_freq" not in name
    }
    save_file(renamed | {"lm_head.bias": torch.zeros(33)}, saved / "model.safetensors")
    rows, lengths = random_rows([30], 30)
    torch.testing.assert_close(esm.load_encoder(saved)(rows, lengths), encoder(rows, lengths))


def test_shards_are_read_through_their_index(encoder, saved):
    tensors = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"a.safetensors": names[:10], "b.safetensors": names[10:]}
    for shard, members in shards.items():
        save_file({name: tensors[name] for name in members}, saved / shard)
    weight_map = {name: shard for shard, members in shards.items() for name in members}
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert torch.equal(esm.load_encoder(saved).layers[1].qkv.weight, encoder.layers[1].qkv.weight)


@pytest.mark.parametrize("token_dropout", [True, False])
def test_transformers_and_we_embed_alike(tmp_path, token_dropout):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    theirs = transformers.EsmModel(
        transformers.EsmConfig(
            vocab_size=33,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            position_embedding_type="rotary",
            token_dropout=token_dropout,
            mask_token_id=tokens.MASK,
            pad_token_id=tokens.PAD,
            layer_norm_eps=1e-5,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            emb_layer_norm_before=False,
            initializer_range=0.2,
        )
    ).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = esm.load_encoder(tmp_path / "theirs")
    esm.save_encoder(ours, tmp_path / "ours")
    again = transformers.EsmModel.from_pretrained(tmp_path / "ours").eval()

    rows, lengths = random_rows([300, 40], 300)
    rows[0, 5:90] = tokens.MASK
    inside = torch.arange(300) < lengths[:, None]
    with torch.no_grad():
        expected = theirs(rows, attention_mask=inside.long()).last_hidden_state[inside]
        read = ours(rows, lengths)[inside]
        written = again(rows, attention_mask=inside.long()).last_hidden_state[inside]
    torch.testing.assert_close(read, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(written, expected, atol=1e-4, rtol=0)


def test_the_encoder_of_a_model_opens_in_transformers_and_embeds_alike(esm_model):
    """As a build leaves it, against the very network that scans with it."""
    transformers = pytest.importorskip("transformers")
    theirs = transformers.EsmModel.from_pretrained(esm_model / "encoder").eval()
    ours = esm.load_network(esm_model / "encoder", esm_model / "head.safetensors").encoder
    rows, lengths = random_rows([120, 40], 120)
    inside = torch.arange(120) < lengths[:, None]
    with torch.no_grad():
        expected = theirs(rows, attention_mask=inside.long()).last_hidden_state[inside]
        assert expected.std() > 0.1
        torch.testing.assert_close(ours(rows, lengths)[inside], expected, atol=1e-4, rtol=0)


def test_transformers_reads_the_vocabulary_that_we_write(saved):
    transformers = pytest.importorskip("transformers")
    ids = transformers.AutoTokenizer.from_pretrained(saved)("MKVX")["input_ids"]
    assert ids == [tokens.CLS, *tokens.encode("MKVX").tolist(), tokens.EOS]


def test_transformers_is_not_imported_to_load_and_run(saved):
    code = (
        "import sys, torch; from pfamnet.network import esm;"
        "network = esm.EsmNetwork(esm.load_encoder(sys.argv[1]), 3);"
        "network(torch.full((1, 9), 5), torch.tensor([9]));"
        "assert not {'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True)


# What the user can get wrong


def load_fails(directory, match):
    with pytest.raises(PfamnetError, match=match) as caught:
        esm.load_encoder(directory)
    assert str(directory) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_without_configuration_is_refused(tmp_path):
    load_fails(tmp_path, "config.json: cannot be read.*No such file")


@pytest.mark.parametrize("text", ["{", "", "\xff", "[1]"])
def test_a_configuration_that_is_none_is_refused(saved, text):
    (saved / "config.json").write_text(text, encoding="latin-1")
    load_fails(saved, "config.json: ")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model_type": "bert"}, "model_type is not 'esm'"),
        ({"position_embedding_type": "absolute"}, "an older ESM"),
        ({"emb_layer_norm_before": True}, "an older ESM"),
        ({"vocab_size": 30}, "vocab_size"),
        ({"hidden_size": None}, "hidden_size is not a positive"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is not a positive"),
        ({"num_attention_heads": 5}, "even multiple"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps is not a number"),
        ({"hidden_size": 64}, "has the shape"),
        ({"num_hidden_layers": 3}, "no weights 'encoder.layer.2"),
    ],
)
def test_an_encoder_of_another_kind_is_refused(saved, changes, match):
    edit_config(saved, **changes)
    load_fails(saved, match)


def test_missing_and_damaged_weights_are_refused(saved):
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-8], b"\x00" * 200):
        path.write_bytes(damaged)
        load_fails(saved, "model.safetensors: cannot be read as weights")
    path.unlink()
    load_fails(saved, "model.safetensors: cannot be read as weights")


def test_weights_that_are_not_finite_are_refused(saved):
    tensors = load_file(saved / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][4] = float("nan")
    save_file(tensors, saved / "model.safetensors")
    load_fails(saved, "not finite")


def test_a_vocabulary_in_another_order_is_refused(saved):
    (saved / "vocab.txt").write_text("\n".join(reversed(tokens.VOCABULARY)))
    load_fails(saved, "not the vocabulary")


def test_a_broken_index_of_shards_is_refused(saved):
    (saved / "model.safetensors.index.json").write_text("{}")
    load_fails(saved, "not an index")


def test_a_local_directory_is_its_own_base(saved):
    assert esm.resolve_base(str(saved)) == saved


def test_a_base_that_is_a_file_or_absent_is_refused(saved):
    with pytest.raises(PfamnetError, match="not a directory"):
        esm.resolve_base(str(saved / "config.json"))
    with pytest.raises(PfamnetError, match="no such directory"):
        esm.resolve_base(str(saved / "absent"))
    with pytest.raises(PfamnetError, match="no such directory"):
        esm.resolve_base("esm2_t6_8M")


def test_a_hub_name_that_is_not_cached_and_without_network_is_refused(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        PfamnetError, match="facebook/esm2_t6_8M_UR50D: not in the Hugging Face cache"
    ) as caught:
        esm.resolve_base("facebook/esm2_t6_8M_UR50D")
    assert "local directory" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hub_name_without_the_hubs_client_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(PfamnetError, match="install transformers"):
        esm.resolve_base("facebook/esm2_t6_8M_UR50D")


def test_a_hub_name_is_fetched_without_pickles(monkeypatch, saved):
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def fetch(name, allow_patterns):
        asked.update(name=name, patterns=allow_patterns)
        return str(saved)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert esm.resolve_base("facebook/esm2_t6_8M_UR50D") == saved
    assert asked["name"] == "facebook/esm2_t6_8M_UR50D"
    assert not any("bin" in pattern for pattern in asked["patterns"])
