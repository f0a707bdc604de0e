"""Which device a stage runs on, and in which precision."""

from __future__ import annotations

import torch

from ..core.errors import ModelError


def find_device(name: str) -> torch.device:
    """The device of that name, tried out; "auto" is a CUDA device where there is one, else the CPU.

    Raises:
        ModelError: there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # What torch raises depends on the device and on how torch was built.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"device {name!r} cannot be used ({line}); try 'cpu'") from error
    if device.type == "cuda" and device.index is None:  # so that equal devices compare equal
        return torch.device("cuda", torch.cuda.current_device())
    return device


def is_half(precision: str, device: torch.device) -> bool:
    """Whether "auto", "float32" or "bfloat16" means bfloat16 on that device: auto does wherever it is fast."""
    return precision == "bfloat16" or (precision == "auto" and device.type != "cpu")
