"""The ESM-2 encoder in plain torch, without transformers.

Architecture: Lin et al. 2023, Science 379:1123 (pre-layer-norm transformer
with rotary positions, Su et al. 2021, arXiv:2104.09864). Numbers agree with
``transformers.EsmModel`` on the same weights.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .tokens import MASK, PAD, VOCABULARY

# ESM-2 was trained with 15 % of the residues chosen, 80 % of them masked.
MASKED_IN_TRAINING = 0.15 * 0.8


@dataclass(frozen=True)
class EncoderConfig:
    """The sizes of an ESM-2 encoder, named as in Hugging Face's config.json."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    layer_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    token_dropout: bool = True

    @property
    def head_size(self) -> int:
        """Dimensions of one attention head."""
        return self.hidden_size // self.num_attention_heads


class EsmEncoder(nn.Module):
    """Residues in, one vector for each residue out.

    With `checkpointing` a layer's inner values are not kept for the gradients
    but computed again: memory for time (Chen et al. 2016, arXiv:1604.06174).
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.checkpointing = False
        self.embedding = nn.Embedding(len(VOCABULARY), config.hidden_size, padding_idx=PAD)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        exponents = torch.arange(0, config.head_size, 2) / config.head_size
        # Saved with the weights: the published ones were rounded to half
        # precision before training, which matters at position 1,000.
        self.register_buffer("inverse_frequencies", config.rope_theta**-exponents)
        self.apply(_initialise)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Embed a padded batch.

        Args:
            tokens: ids (B, L), int64, start and end tokens included.
            lengths: tokens that count in each row (B,), start and end included.

        Returns:
            Vectors (B, L, hidden_size), after the last layer norm. What
            stands past a row's length has no meaning; what stands before
            does not depend on the padding.
        """
        width = tokens.shape[1]
        inside = torch.arange(width, device=tokens.device) < lengths[:, None]
        hidden = self._embed(tokens, inside)
        # No mask where all rows are full: attention is quicker without.
        mask = None if bool(inside.all()) else inside[:, None, None, :]
        rotation = self._rotation(width)
        again = self.checkpointing and torch.is_grad_enabled()
        for layer in self.layers:
            # Layers draw nothing at random, so no generator's state is kept.
            hidden = (
                checkpoint(layer, hidden, rotation, mask, use_reentrant=False, preserve_rng_state=False)
                if again
                else layer(hidden, rotation, mask)
            )
        return self.norm(hidden)

    def _embed(self, tokens: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Look tokens up, and scale them as ESM-2 does for the masked share."""
        hidden = self.embedding(tokens)
        if self.config.token_dropout:
            masked = (tokens == MASK) & inside
            share = masked.sum(1) / inside.sum(1)
            scale = (1 - MASKED_IN_TRAINING) / (1 - share)
            hidden = hidden.masked_fill(masked[..., None], 0.0) * scale[:, None, None].to(hidden.dtype)
        return hidden * inside[..., None].to(hidden.dtype)

    def _rotation(self, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of the rotary angles, each (L, 1, head_size / 2)."""
        positions = torch.arange(width, device=self.inverse_frequencies.device)
        angles = positions[:, None].float() * self.inverse_frequencies
        return angles.cos()[:, None], angles.sin()[:, None]

    def _apply(self, fn, recurse=True):
        """Move or cast the module, but keep the frequencies in single precision."""
        kept = self.inverse_frequencies
        super()._apply(fn, recurse)
        self.inverse_frequencies = kept.to(self.inverse_frequencies.device)
        return self


class _Layer(nn.Module):
    """Self-attention and feed-forward, each behind a layer norm of its own."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.head_size = config.head_size
        self.attention_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        # Query, key and value in one product: one cast under autocast, not three.
        self.qkv = nn.Linear(size, 3 * size)
        self.attention_out = nn.Linear(size, size)
        self.feed_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.feed_in = nn.Linear(size, inner)
        self.feed_out = nn.Linear(inner, size)

    def forward(self, hidden, rotation, mask):
        hidden = hidden + self.attention_out(self._attend(self.attention_norm(hidden), rotation, mask))
        return hidden + self.feed_out(F.gelu(self.feed_in(self.feed_norm(hidden))))

    def _attend(self, hidden, rotation, mask):
        batch, width, size = hidden.shape
        qkv = self.qkv(hidden).view(batch, width, -1, self.head_size)
        heads = qkv.shape[2] // 3
        turned = rotate(qkv[:, :, : 2 * heads], *rotation).transpose(1, 2)
        value = qkv[:, :, 2 * heads :].transpose(1, 2)
        mixed = attend(*turned.split(heads, dim=1), value, mask)
        return mixed.transpose(1, 2).reshape(batch, width, size)


def rotate(vectors: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Turn each vector (..., L, heads, size) by its position's angles.

    Element ``i`` is paired with element ``i + size / 2``. Single precision,
    whatever the vectors come in: angles grow with the position.
    """
    first, second = vectors.float().chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


def attend(query, key, value, mask):
    """Scaled dot-product attention (B, heads, L, size), in the precision of ``value``.

    On a CPU it is computed in single precision: torch's backward pass in
    bfloat16 takes three to four times longer there, its forward pass as long.
    """
    device = value.device.type
    precision = torch.float32 if device == "cpu" else value.dtype
    with torch.autocast(device, enabled=False):
        parts = (part.to(precision) for part in (query, key, value))
        return F.scaled_dot_product_attention(*parts, attn_mask=mask).to(value.dtype)


def _initialise(module: nn.Module) -> None:
    """Draw weights as BERT does; loaded weights replace them."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        nn.init.zeros_(module.weight[PAD].data)
