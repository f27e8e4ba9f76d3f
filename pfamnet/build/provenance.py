"""How a model came to be, as model.json keeps it: options, plan, inputs, versions, machine."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from ..model.directory import WEIGHTS, file_digest
from ..model.hmm_database import dat_beside
from ..trainset.readers import FOLDS, SHARD_NAME
from ..trainset.sampling import Plan
from .options import BuildOptions
from .warm_start import model_to_begin_with

PACKAGES = ("torch", "pyhmmer", "numpy", "onnx")


def input_digests(options: BuildOptions) -> dict[str, str]:
    """The SHA-256 of every input file of a build."""
    files: list[Path] = []
    beside = dat_beside(Path(options.hmm)) if options.hmm else None
    given = (options.domains, options.families, options.hmm, beside, options.proteins)
    for path in map(Path, filter(None, (*options.trainsets, *given))):
        shards = [shard for fold in FOLDS for shard in sorted(path.glob(f"{fold}/data-*"))]
        shards = [shard for shard in shards if SHARD_NAME.fullmatch(shard.name)]
        files += shards if path.is_dir() else [path]
    digests = {str(file): file_digest(file) for file in files}
    if options.light_from:
        weights = model_to_begin_with(options.light_from) / WEIGHTS
        digests[f"{options.light_from}/{WEIGHTS}"] = file_digest(weights)
    if options.base and (folder := Path(options.base).expanduser()).is_dir():
        digests |= {str(file): file_digest(file) for file in sorted(folder.iterdir()) if file.is_file()}
    return digests


def provenance(
    options: BuildOptions,
    plan: Plan | None,
    gathering: dict,
    warnings: list[str],
    digests: dict[str, str],
    device: torch.device,
    cpus: int,
) -> dict:
    """The entry `provenance` of model.json."""
    base = options.base
    return {
        "options": asdict(options),
        "plan": plan and asdict(plan),
        "gathering": gathering,
        "base": base and ("local" if Path(base).expanduser().is_dir() else "hub"),
        "warnings": list(warnings),
        "digests": digests,
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": {
            "cpu": processor(),
            "threads": cpus,
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        },
    }


def processor() -> str:
    """The processor's name, as Linux gives it if it can."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
