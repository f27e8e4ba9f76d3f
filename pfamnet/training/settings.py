"""What a training depends on, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch

from ..errors import PfamnetError


@dataclass(frozen=True)
class TrainSettings:
    """What a training depends on, besides its network and its batches."""

    residues: int  # that the network sees in all
    batch: int = 16384  # residues, of all processes together
    accumulate: int = 1  # batches of a step
    pool: int = 1  # batches drawn together
    lr: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.05  # fraction of the steps
    evaluate: int = 500  # steps between two validations
    patience: int = 8  # validations without a gain, after which the training stops
    precision: str = "auto"  # auto | fp32 | bf16 | fp16
    optimizer: str = "adamw"  # adamw | adamw8bit
    balance: str = "none"  # none | inverse | logit

    @property
    def step_residues(self) -> int:
        return self.batch * self.accumulate

    @property
    def drawn(self) -> int:
        """Batches drawn together: those of whole steps."""
        return max(1, self.pool // self.accumulate) * self.accumulate

    @property
    def steps(self) -> int:
        return max(1, self.residues // self.step_residues)


@dataclass
class State:
    """How far a training is."""

    step: int = 0
    seconds: float = 0.0
    done: bool = False
    loss: float = 0.0  # sum since the last validation
    validations: list = field(default_factory=list)  # (step, accuracy, mean loss, seconds) of each

    @property
    def best(self) -> tuple[int, float]:
        """Step and accuracy of the best weights: of equals the first, but rather trained ones (step > 0)."""
        return max((tuple(v[:2]) for v in self.validations), key=lambda v: (v[1], v[0] > 0, -v[0]))

    @property
    def stale(self) -> int:
        """Validations since the best one after the start."""
        trained = [accuracy for step, accuracy, *_ in self.validations if step]
        return len(trained) - 1 - trained.index(max(trained))


def optimizer_class(optimizer: str, device: torch.device):
    """AdamW, or bitsandbytes' form of it with moments in 8 bits.

    Raises PfamnetError if that needs CUDA or bitsandbytes, which is not there.
    """
    if optimizer == "adamw":
        return partial(torch.optim.AdamW, fused=device.type == "cuda")
    if device.type != "cuda":
        raise PfamnetError("adamw8bit needs a CUDA device; this training runs on the CPU")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise PfamnetError("adamw8bit needs bitsandbytes: pip install 'pfamnet[gpu]'") from None
    return AdamW8bit
