"""ESM-2 encoders as files, in the layout of Hugging Face.

A directory holds ``config.json``, ``model.safetensors`` and the tokenizer's
``vocab.txt``; `transformers.EsmModel.from_pretrained` opens what is written.
"""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import PfamnetError
from .encoder import EncoderConfig, EsmEncoder
from .tokens import CLS, EOS, MASK, PAD, VOCABULARY

# Our names of a layer's modules and theirs; query, key and value follow below.
_LAYER_NAMES = {
    "attention_norm": "attention.LayerNorm",
    "attention_out": "attention.output.dense",
    "feed_norm": "LayerNorm",
    "feed_in": "intermediate.dense",
    "feed_out": "output.dense",
}
_QKV = ("query", "key", "value")
_FREQUENCIES = "rotary_embeddings.inv_freq"
_PREFIX = "esm."


def resolve_base(base: str) -> Path:
    """Find the directory of an encoder.

    Args:
        base: a local directory in Hugging Face layout, or a name on the
            Hugging Face hub such as ``facebook/esm2_t6_8M_UR50D``, which is
            fetched once and then taken from the hub's cache.

    Raises:
        PfamnetError: there is no such directory, or the name can neither be
            fetched nor found in the cache.
    """
    path = Path(base).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise PfamnetError(f"{base}: not a directory in Hugging Face layout")
    if base.startswith((".", "/", "~")) or base.count("/") != 1:
        raise PfamnetError(f"{base}: no such directory")
    return _fetch(base)


def _fetch(name: str) -> Path:
    """Take a model from the hub or its cache."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise PfamnetError(
            f"{name}: no such directory; to fetch it from the Hugging Face hub, install transformers"
        ) from None
    try:
        return Path(
            snapshot_download(name, allow_patterns=["config.json", "vocab.txt", "model*.safetensors*"])
        )
    except Exception as error:
        # The hub's client raises errors of many kinds; the remedy is the same.
        raise PfamnetError(
            f"{name}: not in the Hugging Face cache and not to be fetched from the hub"
            f" ({type(error).__name__}); check the name and the network, or give a local directory"
        ) from error


def load_encoder(directory: str | os.PathLike) -> EsmEncoder:
    """Read an encoder, in single precision and evaluation mode.

    Args:
        directory: has config.json and model.safetensors (or its shards and
            their index), the keys with or without the prefix ``esm.``.

    Raises:
        PfamnetError: a file is missing or damaged, or is not an ESM-2's.
    """
    directory = Path(directory)
    encoder = EsmEncoder(_read_config(directory / "config.json"))
    _check_vocabulary(directory / "vocab.txt")
    tensors = _read_tensors(directory)
    state = {}
    for name, parameter in encoder.state_dict().items():
        state[name] = _convert(name, parameter, tensors, directory / "model.safetensors")
    encoder.load_state_dict(state)
    return encoder.eval()


def _read_config(path: Path) -> EncoderConfig:
    """Read config.json, and refuse what is not an ESM-2."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PfamnetError(f"{path}: cannot be read as a model's configuration ({_reason(error)})") from error
    if not isinstance(values, dict) or values.get("model_type") != "esm":
        raise PfamnetError(f"{path}: model_type is not 'esm'; an ESM-2 encoder is needed")
    if values.get("position_embedding_type") != "rotary" or values.get("emb_layer_norm_before"):
        raise PfamnetError(f"{path}: an older ESM; an ESM-2 encoder (rotary positions) is needed")
    if values.get("vocab_size") != len(VOCABULARY):
        raise PfamnetError(f"{path}: vocab_size is not {len(VOCABULARY)}, that of ESM-2")
    return _make_config({f.name: values[f.name] for f in fields(EncoderConfig) if f.name in values}, path)


def _make_config(values: dict, path: Path) -> EncoderConfig:
    """Check the sizes of an encoder."""
    for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
        if type(values.get(name)) is not int or values[name] < 1:
            raise PfamnetError(f"{path}: {name} is not a positive whole number")
    if values["hidden_size"] % (2 * values["num_attention_heads"]):
        raise PfamnetError(f"{path}: hidden_size is not an even multiple of num_attention_heads")
    for name in ("layer_norm_eps", "rope_theta"):
        if name in values and not isinstance(values[name], (int, float)):
            raise PfamnetError(f"{path}: {name} is not a number")
    return EncoderConfig(**values)


def _check_vocabulary(path: Path) -> None:
    """Refuse tokens in another order than ours; no vocab.txt is no fault."""
    if path.exists() and tuple(path.read_text(encoding="utf-8", errors="replace").split()) != VOCABULARY:
        raise PfamnetError(f"{path}: not the vocabulary of ESM-2")


def _read_tensors(directory: Path) -> dict[str, torch.Tensor]:
    """Read the weights, under today's names and without the prefix."""
    tensors = {}
    for path in _weight_files(directory):
        try:
            tensors.update(load_file(path))
        except (OSError, SafetensorError) as error:
            raise PfamnetError(f"{path}: cannot be read as weights ({_reason(error)})") from error
    names = {name: name.removeprefix(_PREFIX) for name in tensors}
    # Some versions of transformers write a norm's weight and bias so.
    return {
        new.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): tensors[old]
        for old, new in names.items()
    }


def _weight_files(directory: Path) -> list[Path]:
    """Name the one weights file, or the shards of a large encoder."""
    index = directory / "model.safetensors.index.json"
    if not index.exists():
        return [directory / "model.safetensors"]
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PfamnetError(f"{index}: not an index of weights ({_reason(error)})") from error
    return [directory / name for name in sorted(names)]


def _convert(name: str, like: torch.Tensor, tensors: dict, path: Path) -> torch.Tensor:
    """Find the weights of one of our parameters, of the shape of ``like``."""
    if name == "inverse_frequencies":
        # The same in all layers; files that lack it mean the formula's.
        stored = [key for key in sorted(tensors) if key.endswith(_FREQUENCIES)]
        if not stored:
            return like
        sources = stored[:1]
    else:
        sources = _source_names(name)
    for source in sources:
        if source not in tensors:
            raise PfamnetError(f"{path}: no weights '{source}' (with or without '{_PREFIX}')")
    tensor = torch.cat([tensors[source].float() for source in sources])
    if tensor.shape != like.shape:
        raise PfamnetError(
            f"{path}: '{sources[0]}' has the shape {tuple(tensors[sources[0]].shape)}, not that of config.json"
        )
    if not tensor.isfinite().all():
        raise PfamnetError(f"{path}: '{sources[0]}' holds numbers that are not finite")
    return tensor


def _source_names(name: str) -> list[str]:
    """Translate our name of a parameter to those it is made of."""
    if name == "embedding.weight":
        return ["embeddings.word_embeddings.weight"]
    module, kind = name.rsplit(".", 1)
    if module == "norm":
        return [f"encoder.emb_layer_norm_after.{kind}"]
    _, number, part = module.split(".")
    layer = f"encoder.layer.{number}"
    if part == "qkv":
        return [f"{layer}.attention.self.{which}.{kind}" for which in _QKV]
    return [f"{layer}.{_LAYER_NAMES[part]}.{kind}"]


def _reason(error: Exception) -> str:
    """Say in one line what went wrong."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


def save_encoder(encoder: EsmEncoder, directory: str | os.PathLike) -> None:
    """Write an encoder to a directory, made if need be.

    Writes config.json, model.safetensors, vocab.txt and tokenizer_config.json
    with the keys of the published ESM-2 models, in single precision.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(_export(encoder), directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(_as_json(_config_values(encoder.config)), encoding="utf-8")
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(_as_json(_tokenizer_values()), encoding="utf-8")


def _export(encoder: EsmEncoder) -> dict[str, torch.Tensor]:
    """Give the weights the names of Hugging Face."""
    tensors = {}
    for name, tensor in encoder.state_dict().items():
        tensor = tensor.detach().cpu().float()
        if name == "inverse_frequencies":
            for number in range(encoder.config.num_hidden_layers):
                tensors[f"encoder.layer.{number}.attention.self.{_FREQUENCIES}"] = tensor.clone()
            continue
        sources = _source_names(name)
        for source, part in zip(sources, tensor.chunk(len(sources)), strict=True):
            tensors[source] = part.clone()
    return tensors


def _config_values(config: EncoderConfig) -> dict:
    """All that transformers needs to know to rebuild the encoder."""
    return {
        "architectures": ["EsmModel"],
        "model_type": "esm",
        **asdict(config),
        "vocab_size": len(VOCABULARY),
        "position_embedding_type": "rotary",
        "emb_layer_norm_before": False,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": 1026,
        "pad_token_id": PAD,
        "mask_token_id": MASK,
        "eos_token_id": EOS,
        "dtype": "float32",
        "torch_dtype": "float32",  # the same for transformers before version 5
    }


def _tokenizer_values() -> dict:
    """The tokenizer's settings; its tokens stand in vocab.txt."""
    specials = {"cls_token": CLS, "eos_token": EOS, "mask_token": MASK, "pad_token": PAD}
    return {
        "tokenizer_class": "EsmTokenizer",
        "unk_token": "<unk>",
        **{key: VOCABULARY[token] for key, token in specials.items()},
    }


def _as_json(values: dict) -> str:
    return json.dumps(values, indent=2, sort_keys=True) + "\n"
