"""How a model came to be, as model.json keeps it: options, plan, inputs, versions, machine."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from ..model.directory import WEIGHTS, file_digest

PACKAGES = ("torch", "pyhmmer", "numpy", "onnx")


def input_digests(options) -> dict[str, str]:
    """The SHA-256 of every input file of a build; `options` are a `build.BuildOptions`."""
    given = [*options.trainsets, options.domains, options.families, options.hmm]
    files = [
        file
        for path in map(Path, filter(None, given))
        for file in (
            [shard for fold in ("train", "dev") for shard in sorted(path.glob(f"{fold}/data-*"))]
            if path.is_dir()
            else [path]
        )
    ]
    if options.light_from:
        files.append(Path(options.light_from) / WEIGHTS)
    return {str(file): file_digest(file) for file in files}


def provenance(
    options, plan, gathering, warnings: list[str], digests: dict[str, str], device: torch.device, cpus: int
) -> dict:
    """All of it; `plan` is a `sampling.Plan`, or None without a recipe."""
    base = options.base
    return {
        "options": asdict(options),
        "plan": plan and plan.as_dict(),
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
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
