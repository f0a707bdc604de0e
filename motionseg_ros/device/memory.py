"""GPU memory of this process. Importing this does not import torch: where no stage has, there is none."""

from __future__ import annotations

import gc
import sys
from types import ModuleType


def release() -> None:
    """Give the memory of tensors that nobody holds any more back to the GPU, for other processes.

    What CUDA itself takes for a process that has used it (a few 100 MB) stays with it to its end.
    """
    gc.collect()  # models hold references in circles
    if (cuda := _cuda()) is not None:
        cuda.empty_cache()


def peak_mb() -> float | None:
    """Greatest memory held so far, on all GPUs together, MB; None where no GPU is in use."""
    cuda = _cuda()
    if cuda is None:
        return None
    return sum(cuda.max_memory_reserved(index) for index in range(cuda.device_count())) / 2**20


def used_mb() -> float | None:
    """Memory held now, on all GPUs together, MB; None where no GPU is in use."""
    cuda = _cuda()
    if cuda is None:
        return None
    return sum(cuda.memory_reserved(index) for index in range(cuda.device_count())) / 2**20


def gpu_names() -> list[str]:
    """What the GPUs are called; empty where none is in use."""
    cuda = _cuda()
    return [] if cuda is None else [cuda.get_device_name(index) for index in range(cuda.device_count())]


def _cuda() -> ModuleType | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return torch.cuda
