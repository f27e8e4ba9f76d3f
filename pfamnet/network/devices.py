"""The device and the arithmetic that networks run in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from ..errors import PfamnetError


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is CUDA if possible, else the CPU.

    Raises PfamnetError if it is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise PfamnetError(f"device '{name}' is not available") from None
    return device


def autocast(device: torch.device, precision: str) -> tuple[AbstractContextManager, bool]:
    """The autocast context for a device, and whether gradients need scaling.

    Raises PfamnetError if the device lacks the precision.
    """
    if precision == "auto":
        if device.type == "cuda":
            precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        else:  # bf16 if the processor multiplies bfloat16 in hardware (AVX512_BF16 or AMX)
            fast = torch.backends.cpu.get_cpu_capability() == "AVX512"
            fast = fast and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
            precision = "bf16" if fast else "fp32"
    if precision == "fp32":
        return nullcontext(), False
    if precision == "fp16" and device.type != "cuda":
        raise PfamnetError("precision fp16 needs a CUDA device; use bf16 or fp32 on a CPU")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype), precision == "fp16"
