"""Files of the `esm` network: an ESM-2 encoder in Hugging Face layout and a head."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import PfamnetError
from .esm import EsmNetwork
from .tokens import VOCABULARY

ATTENTION = "pfamnet"  # the name of `attend` in transformers
FREQUENCIES = "rotary_embeddings.inv_freq"
STORED = {"config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"}
MOST_POSITIONS = 1 << 20
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # as ESM-2 was trained


def import_transformers():
    """Import transformers without its notices, with `attend` among its attention functions."""
    import transformers
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    transformers.AttentionInterface.register(ATTENTION, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, sdpa_mask)
    return transformers


def attend(module, query, key, value, attention_mask, **options):
    """Compute attention in single precision on a CPU, where the backward pass in bfloat16 is slow."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if value.device.type != "cpu":
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    with torch.autocast("cpu", enabled=False):
        parts = query.float(), key.float(), value.float()
        mixed, weights = sdpa_attention_forward(module, *parts, attention_mask, **options)
    return mixed.to(value.dtype), weights


def prepared(encoder: nn.Module) -> nn.Module:
    """Set an encoder to evaluation mode, remove its contact head, and give it torch's GELU.

    The contact head would never learn. GELU takes less time and memory as one operation than as five.
    """
    encoder.contact_head = None
    for layer in encoder.encoder.layer:
        layer.intermediate = nn.Sequential(OrderedDict(dense=layer.intermediate.dense, gelu=nn.GELU()))
    return encoder.eval()


def load_encoder(base: str | Path) -> nn.Module:
    """Read an ESM-2 encoder as a `transformers.EsmModel`, in single precision and evaluation mode.

    `base` is a directory in Hugging Face layout, or a name on the hub (``facebook/esm2_t6_8M_UR50D``), which
    is downloaded once. Raises PfamnetError if the files cannot be read or are not those of an ESM-2.
    """
    path = Path(base).expanduser()
    if not path.is_dir() and (str(base).startswith((".", "/", "~")) or str(base).count("/") != 1):
        raise PfamnetError(f"{base}: no such directory")
    source = str(path) if path.is_dir() else str(base)
    vocabulary = path / "vocab.txt"
    if vocabulary.exists() and tuple(vocabulary.read_text("utf-8", "replace").split()) != VOCABULARY:
        raise PfamnetError(f"{vocabulary}: not the vocabulary of ESM-2")
    transformers = import_transformers()
    try:
        values, _ = transformers.PreTrainedConfig.get_config_dict(source)
        check_config(base, values)
        encoder, report = transformers.EsmModel.from_pretrained(
            source,
            add_pooling_layer=False,
            attn_implementation=ATTENTION,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **NO_DROPOUT,
        )
    except PfamnetError:
        raise
    except Exception as error:  # transformers and safetensors have no common base for theirs
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PfamnetError(f"{base}: cannot be read as an ESM-2 encoder: {reason}") from error
    encoder = prepared(encoder)
    if missing := sorted(report["missing_keys"] & encoder.state_dict().keys() - {FREQUENCIES}):
        raise PfamnetError(f"{base}: no weights '{missing[0]}'")
    for name, parameter in encoder.named_parameters():
        if not parameter.isfinite().all():
            raise PfamnetError(f"{base}: '{name}' contains numbers that are not finite")
    return encoder


def check_config(base: str | Path, values: dict) -> None:
    """Raise PfamnetError if the fields of a config.json are not those of an ESM-2."""
    if not values:
        raise PfamnetError(f"{base}: no config.json; a directory in Hugging Face layout is needed")
    if values.get("model_type") != "esm":
        raise PfamnetError(f"{base}: model_type is not 'esm'; an ESM-2 encoder is needed")
    if values.get("position_embedding_type") != "rotary" or values.get("emb_layer_norm_before"):
        raise PfamnetError(f"{base}: an older ESM; an ESM-2 encoder (rotary positions) is needed")
    if values.get("vocab_size") != len(VOCABULARY):
        raise PfamnetError(f"{base}: vocab_size is not {len(VOCABULARY)}, that of ESM-2")


def save_encoder(encoder: nn.Module, directory: Path) -> None:
    """Write an encoder's configuration, weights and vocabulary into a directory, in Hugging Face layout.

    The rotary frequencies are written once for each layer, as the published models have them.
    """
    tensors = {name: tensor.cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    frequencies = tensors.pop(FREQUENCIES)
    for layer in range(encoder.config.num_hidden_layers):
        tensors[f"encoder.layer.{layer}.attention.self.{FREQUENCIES}"] = frequencies.clone()
    encoder.config.save_pretrained(directory)
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    specials = {f"{name}_token": f"<{name}>" for name in ("cls", "eos", "mask", "pad", "unk")}
    tokenizer = json.dumps({"tokenizer_class": "EsmTokenizer"} | specials, indent=2)
    (directory / "tokenizer_config.json").write_text(tokenizer + "\n", encoding="utf-8")


def save_head(network: EsmNetwork, path: Path) -> None:
    """Write the head's weights and the block size."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.head.state_dict().items()}
    save_file(tensors, path, {"block": str(network.block)})


def load_network(encoder: Path, head: Path) -> EsmNetwork:
    """Read a network, in evaluation mode, from an encoder's directory and a head's file, as saved here.

    Raises PfamnetError if they are not, or do not fit each other.
    """
    try:
        check_stored(encoder)
        with safe_open(head, "pt") as file:
            block = int(file.metadata()["block"])
        tensors = load_file(head)
        network = EsmNetwork(load_encoder(encoder), len(tensors["2.bias"]) - 1, block)
        network.head.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise PfamnetError(f"{head.parent}: its esm network cannot be read: {why}") from None
    return network.eval()


def check_stored(directory: Path) -> None:
    """Raise ValueError, KeyError or an error of reading unless an encoder's directory is as `save_encoder`
    writes it, and its weights have the sizes that it claims: transformers would follow other claims."""
    if others := sorted({path.name for path in directory.iterdir()} - STORED):
        raise ValueError(f"{directory.name} has other files, such as {others[0]!r}")
    config = json.loads((directory / "config.json").read_bytes())
    with safe_open(directory / "model.safetensors", "pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    layers = {name.split(".")[2] for name in shapes if name.startswith("encoder.layer.")}
    vocabulary, width = shapes["embeddings.word_embeddings.weight"]
    heads, positions = config["num_attention_heads"], config["max_position_embeddings"]
    claimed = [config[name] for name in ("vocab_size", "hidden_size", "num_hidden_layers")]
    inner = "encoder.layer.0.intermediate.dense.weight"
    sound = (
        claimed == [vocabulary, width, len(layers)]
        and shapes[inner] == (config["intermediate_size"], width)
        and 1 <= heads <= width
        and width % (2 * heads) == 0
        and 0 < positions <= MOST_POSITIONS
        and not {"quantization_config", "auto_map"} & config.keys()
    )
    if not sound:
        raise ValueError("config.json does not fit the weights")
