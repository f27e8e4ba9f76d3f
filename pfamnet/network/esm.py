"""The `esm` network: an ESM-2 encoder with a head that names families."""

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from .encoder import EncoderConfig, EsmEncoder
from .encoder_files import load_encoder, resolve_base, save_encoder
from .tokens import CLS, EOS, PAD

__all__ = [
    "EncoderConfig",
    "EsmEncoder",
    "EsmNetwork",
    "load_encoder",
    "load_network",
    "parameter_groups",
    "resolve_base",
    "save_encoder",
    "save_head",
]


class EsmNetwork(nn.Module):
    """Family logits for each block of residues.

    The encoder's residue vectors are averaged over each block; layer norm,
    dropout and one linear layer follow. Context comes from the encoder, whose
    attention spans the whole sequence. The layer norm makes the head's
    learning rate mean the same for encoders of any size.

    Args:
        encoder: pretrained or random.
        families: F, the number of families.
        block: residues per block.
        dropout: share of the pooled features dropped in training.
    """

    def __init__(self, encoder: EsmEncoder, families: int, block: int = 16, dropout: float = 0.1):
        super().__init__()
        size = encoder.config.hidden_size
        self.encoder = encoder
        self.families = families
        self.block = block
        self.head = nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout), nn.Linear(size, families + 1))
        nn.init.normal_(self.head[-1].weight, std=0.02)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Classify every block of a padded batch.

        Args:
            tokens: residue ids (B, L), int64, without start and end tokens.
            lengths: residues in each row (B,), int64, at most L.

        Returns:
            Logits (B, ceil(L / block), families + 1), class 0 = no family.
            Blocks wholly past a row's end have no meaning.
        """
        return self.head(self.pooled(tokens, lengths))

    def pooled(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The encoder's vectors of every block, (B, ceil(L / block), H): what the head sees."""
        framed, inside = add_ends(tokens, lengths)
        hidden = self.encoder(framed, lengths + 2)[:, 1:-1]
        return pool_blocks(hidden, inside, self.block)


def save_head(network: EsmNetwork, path) -> None:
    """Write the head's weights and the block size; the encoder has files of its own."""
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in network.head.state_dict().items()},
        path,
        {"block": str(network.block)},
    )


def load_network(encoder, head) -> EsmNetwork:
    """The network of an encoder's directory and a head's file, in evaluation mode."""
    with safe_open(head, "pt") as file:
        block = int(file.metadata()["block"])
    tensors = load_file(head)
    network = EsmNetwork(load_encoder(encoder), len(tensors["2.bias"]) - 1, block)
    network.head.load_state_dict(tensors)
    return network.eval()


def add_ends(tokens: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Set start and end tokens round each row's residues.

    Returns:
        Tokens (B, L + 2), padded after the end token, and a bool mask (B, L)
        of the places in the input that hold residues.
    """
    width = tokens.shape[1]
    inside = torch.arange(width, device=tokens.device) < lengths[:, None]
    framed = F.pad(tokens.masked_fill(~inside, PAD), (1, 1), value=PAD)
    framed[:, 0] = CLS
    framed.scatter_(1, lengths[:, None] + 1, EOS)
    return framed, inside


def pool_blocks(hidden: torch.Tensor, inside: torch.Tensor, block: int) -> torch.Tensor:
    """Average vectors (B, L, H) over blocks of places where ``inside`` is true.

    Returns:
        (B, ceil(L / block), H) in single precision or better; zeros for a
        block without residues.
    """
    missing = -hidden.shape[1] % block
    masked = hidden.float().masked_fill(~inside[..., None], 0.0)
    sums = F.pad(masked, (0, 0, 0, missing)).unflatten(1, (-1, block)).sum(2)
    counts = F.pad(inside, (0, missing)).unflatten(1, (-1, block)).sum(2)
    return sums / counts.clamp(min=1)[..., None]


def parameter_groups(
    network: EsmNetwork, lr: float, head_lr: float, layer_decay: float = 0.8, weight_decay: float = 0.01
) -> list[dict]:
    """Sort a network's parameters into groups for an optimiser.

    The head learns at ``head_lr``, the encoder's last layer and final norm at
    ``lr``, each layer below ``layer_decay`` times slower than the one above,
    the embedding slowest. Norms and biases have no weight decay.

    Returns:
        Groups with keys params, lr, weight_decay and name; every parameter
        that needs a gradient is in exactly one.
    """
    depth = len(network.encoder.layers)
    parts = [("head", network.head, head_lr), ("norm", network.encoder.norm, lr)]
    for number, layer in enumerate(network.encoder.layers):
        parts.append((f"layer{number}", layer, lr * layer_decay ** (depth - 1 - number)))
    parts.append(("embedding", network.encoder.embedding, lr * layer_decay**depth))
    return [group for part in parts for group in _split(*part, weight_decay)]


def _split(name: str, module: nn.Module, lr: float, weight_decay: float) -> list[dict]:
    """Make one group of matrices and one of norms and biases, none empty."""
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.dim() > 1]
    others = [p for p in trained if p.dim() <= 1]
    groups = [
        {"params": matrices, "lr": lr, "weight_decay": weight_decay, "name": name},
        {"params": others, "lr": lr, "weight_decay": 0.0, "name": f"{name} (no decay)"},
    ]
    return [group for group in groups if group["params"]]
