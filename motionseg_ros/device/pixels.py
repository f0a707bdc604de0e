"""Bytes to what vision models want: channels first, and normalised as ImageNet is."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

# Of ImageNet, which all released weights were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def to_planes(rgb: Tensor) -> Tensor:
    """(1, 3, H, W) float32, 0..255, of (H, W, 3) uint8."""
    return rgb.permute(2, 0, 1)[None].float()


def normalise(planes: Tensor) -> Tensor:
    """(1, 3, H, W) of the same shape, 0..255: to mean 0 and deviation 1 over ImageNet."""
    mean, deviation = _statistics(planes.device)
    return (planes / 255.0 - mean) / deviation


@lru_cache(maxsize=16)
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Kept on the device: to bring them there in every frame would make it wait."""
    with torch.inference_mode(False):  # for use in any mode
        mean, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    return mean, deviation
