"""What a user may ask of a build."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildOptions:
    """All that the model depends on; it is stored in model.json. `pfamnet-build -h` describes each field."""

    trainsets: tuple[str, ...] = ()
    domains: str | None = None
    families: str | None = None
    hmm: str | None = None
    proteins: str | None = None
    base: str | None = None
    max_families: int | None = None
    recipe: str | None = None
    cut_domains: bool = False
    holdout: float = 0.1
    aligner: str = "hmmalign"
    emit: int = 50
    light_from: str | None = None
    light_width: int | None = None
    light_residues: int = 150_000_000
    light_lr: float = 3e-3
    esm_residues: int = 40_000_000
    lr: float = 4e-4
    head_lr: float = 1e-3
    batch: int = 4096
    crop: int = 256
    accumulate: int = 1
    precision: str = "auto"
    optimizer: str = "adamw"
    lora: int = 0
    freeze: int = 0
    cache: int = 0
    balance: str = "none"
    power: float = 0.6
    recall: float = 0.995
    candidates: int = 512
    license: str | None = None
    seed: int = 42

    @property
    def emitted_only(self) -> bool:
        """Whether profiles emit all that is learnt from."""
        return not (self.trainsets or self.proteins)
