"""ESM-2 encoders of random weights, small enough for tests, and batches for them."""

import numpy as np
import torch

from pfamnet.network import esm_files
from pfamnet.network.tokens import PAD, VOCABULARY
from pfamnet.training.corpus import Corpus
from pfamnet.training.examples import SamplerSettings
from pfamnet.training.packed import PackedSampler
from pfamnet.trainset.trainset import Fold


def tiny_encoder(size=32, layers=2, heads=4, inner=48, **fields):
    """An encoder `size` wide; draws from torch's generator."""
    transformers = esm_files.import_transformers()
    config = transformers.EsmConfig(
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        vocab_size=len(VOCABULARY),
        pad_token_id=PAD,
        mask_token_id=VOCABULARY.index("<mask>"),
        position_embedding_type="rotary",
        layer_norm_eps=1e-5,
        **{"token_dropout": True} | esm_files.NO_DROPOUT | fields,
    )
    config._attn_implementation = esm_files.ATTENTION
    return esm_files.prepared(transformers.EsmModel(config, add_pooling_layer=False))


def random_rows(lengths, width):
    """Tokens (B, width) of random residues, padded, and the lengths as a tensor."""
    generator = torch.Generator().manual_seed(7)
    rows = torch.full((len(lengths), width), PAD)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.randint(4, 24, (length,), generator=generator)
    return rows, torch.tensor(lengths)


def packed_sampler():
    """Batches of 40 random sequences of 5 families in crops of 64 residues, in blocks of 16."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 90, 40)
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), length)) for length in lengths]
    domains = np.array([(row, 0, length, row % 5) for row, length in enumerate(lengths)])
    fold = Fold(sequences, [str(row) for row in range(40)], domains, np.arange(40) % 4 == 0)
    return PackedSampler(Corpus(fold), 5, 16, SamplerSettings(64, alone=0.8), 7)
