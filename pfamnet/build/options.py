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
    max_families: int | None = None  # those with the most rows
    recipe: str | None = None
    cut_domains: bool = False
    holdout: float = 0.1  # fraction of the rows
    aligner: str = "hmmalign"
    emit: int = 50  # training rows to which families are filled up
    light_from: str | None = None
    light_residues: int = 150_000_000
    light_lr: float = 3e-3
    esm_residues: int = 40_000_000
    lr: float = 4e-4
    head_lr: float = 1e-3
    batch: int = 4096  # residues
    crop: int = 256  # residues of an example of ESM-2, at most
    accumulate: int = 1  # batches of a step
    precision: str = "auto"
    optimizer: str = "adamw"
    lora: int = 0  # rank; 0: no adapters
    freeze: int = 0  # lowest layers of ESM-2
    cache: int = 0  # residues
    balance: str = "none"
    power: float = 0.6  # a family is drawn as its rows ** power
    recall: float = 0.995  # of validation domains
    candidates: int = 512  # of a span of blocks, on average at most
    license: str | None = None
    seed: int = 42

    @property
    def emitted_only(self) -> bool:
        """Whether profiles emit all that is learnt from."""
        return not (self.trainsets or self.proteins)
