"""Where networks run, and in which arithmetic."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from ..errors import PfamnetError


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one; a device that is not there is refused."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise PfamnetError(f"--device {name}: there is no such device here") from None
    return device


def autocast(device: torch.device, precision: str):
    """The autocast context for a device, and whether gradients need scaling (fp16)."""
    if precision == "auto":
        if device.type == "cuda":
            precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        else:
            fast = torch.backends.cpu.get_cpu_capability() == "AVX512" and cpu_has_bf16()
            precision = "bf16" if fast else "fp32"
    if precision == "fp32":
        return nullcontext(), False
    if precision == "fp16" and device.type != "cuda":
        raise PfamnetError("--precision fp16 needs a CUDA device; use bf16 or fp32 on a CPU")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype), precision == "fp16"


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX512_BF16 or AMX)."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
