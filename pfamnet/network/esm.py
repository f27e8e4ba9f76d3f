"""The `esm` network: an ESM-2 encoder with a head that predicts families.

Only this network needs torch and transformers to scan.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .tokens import CLS, EOS, PAD

LAYER_DECAY = 0.8  # learning rate of a layer, relative to that of the layer above
WEIGHT_DECAY = 0.01  # of matrices


class EsmNetwork(nn.Module):
    """Family logits for each block of residues.

    The vectors of the encoder, a `transformers.EsmModel`, are averaged over each block. Layer norm, dropout
    and one linear layer follow. The layer norm makes the head's learning rate independent of the encoder's
    size.
    """

    def __init__(self, encoder: nn.Module, families: int, block: int = 16, dropout: float = 0.1):
        super().__init__()
        size = encoder.config.hidden_size
        self.encoder, self.families, self.block = encoder, families, block
        self.head = nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout), nn.Linear(size, families + 1))
        nn.init.normal_(self.head[-1].weight, std=0.02)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Classify every block of a padded batch.

        Arguments:
            tokens: residues (B, L), int64, without start and end tokens.
            lengths: residues in each row (B,), int64, at most L.

        Returns:
            Logits (B, ceil(L / block), F + 1), class 0 = no family. Blocks past a row's end have no meaning.
        """
        return self.head(self.pooled(tokens, lengths))

    def pooled(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The encoder's mean vector in each block (B, ceil(L / block), H): the head's input."""
        return pool_blocks(*embed(self.encoder, tokens, lengths), self.block)

    def __setstate__(self, state: dict) -> None:
        """Register the encoder's attention function in a process that gets the network from another."""
        from .esm_files import import_transformers

        import_transformers()
        super().__setstate__(state)


def embed(
    encoder: nn.Module, tokens: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed a padded batch of residues (B, L) of which `lengths` (B,) count in each row.

    Returns:
        Vectors (B, L, H), which do not depend on the padding, and a bool mask (B, L) of the residues.
    """
    framed, inside = add_ends(tokens, lengths)
    hidden = encoder(framed, attention_mask=framed != PAD).last_hidden_state
    return hidden[:, 1:-1], inside


def add_ends(tokens: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (B, L + 2) with start and end tokens, and a bool mask (B, L) of the input's residues."""
    inside = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    framed = F.pad(tokens.masked_fill(~inside, PAD), (1, 1), value=PAD)
    framed[:, 0] = CLS
    framed.scatter_(1, lengths[:, None] + 1, EOS)
    return framed, inside


def pool_blocks(hidden: torch.Tensor, inside: torch.Tensor, block: int) -> torch.Tensor:
    """Mean vectors of the places `inside` (B, L) of each block: (B, L, H) -> (B, ceil(L / block), H) float32.

    Those of a block without residues are 0.
    """
    missing = -hidden.shape[1] % block
    masked = hidden.float().masked_fill(~inside[..., None], 0.0)
    sums = F.pad(masked, (0, 0, 0, missing)).unflatten(1, (-1, block)).sum(2)
    counts = F.pad(inside, (0, missing)).unflatten(1, (-1, block)).sum(2)
    return sums / counts.clamp(min=1)[..., None]


def parameter_groups(network: EsmNetwork, lr: float, head_lr: float) -> list[dict]:
    """Sort the trainable parameters into groups for an optimizer.

    The head learns at `head_lr`, the encoder's last layer and final norm at `lr`, each layer below at
    `LAYER_DECAY` times the rate of the one above, the embedding slowest. Norms and biases have no weight
    decay.

    Returns:
        Groups with keys params, lr, weight_decay and name; none is empty.
    """
    encoder = network.encoder.encoder
    parts = [("head", network.head, head_lr), ("norm", encoder.emb_layer_norm_after, lr)]
    for below, layer in enumerate(reversed(encoder.layer)):
        parts.append((f"layer{len(encoder.layer) - 1 - below}", layer, lr * LAYER_DECAY**below))
    parts.append(("embedding", network.encoder.embeddings, lr * LAYER_DECAY ** len(encoder.layer)))
    groups = []
    for name, module, rate in parts:
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        for matrices, decay in ((True, WEIGHT_DECAY), (False, 0.0)):
            if params := [parameter for parameter in trained if (parameter.dim() > 1) == matrices]:
                label = name if matrices else f"{name} (no decay)"
                groups.append({"params": params, "lr": rate, "weight_decay": decay, "name": label})
    return groups
