"""A camera image as SAM 2 wants it: a square of its own size, RGB, normalised."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ...device.pixels import normalise, to_planes

# Bits behind the point of the filter's weights, so that products with bytes and their sums fit into int32.
_PRECISION = 22


def to_input(rgb: Tensor, resolution: int) -> Tensor:
    """(1, 3, resolution, resolution) float32 on the same device, of an (H, W, 3) uint8 image.

    The aspect is not kept; SAM 2 was trained so.
    """
    # Along rows first, as Pillow does (but for images much higher than wide, of late).
    return normalise(to_planes(resize(resize(rgb, 1, resolution), 0, resolution)))


def resize(pixels: Tensor, axis: int, length: int) -> Tensor:
    """Scale bytes along one axis with the bicubic filter of Pillow, which `sam2` reads its images with.

    In whole numbers, as there, so that every device gives the same bytes: torch's own filters differ from Pillow's
    in a few pixels of a thousand, and a network's answers with them.
    """
    if pixels.shape[axis] == length:
        return pixels
    shape = [1] * pixels.ndim
    shape[axis] = length
    total = torch.full((1,) * pixels.ndim, 1 << (_PRECISION - 1), dtype=torch.int32, device=pixels.device)
    for source, weight in _taps(pixels.shape[axis], length, pixels.device):
        total = total + pixels.index_select(axis, source).int() * weight.view(shape)
    return (total >> _PRECISION).clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=16)
def _taps(before: int, after: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """What `_bicubic` says, on the device: all frames of a stream have one size."""
    arrays = zip(*_bicubic(before, after), strict=True)
    return [tuple(torch.from_numpy(array).to(device) for array in pair) for pair in arrays]


def _bicubic(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of K taps the source index and the weight of each output pixel: (K, after) int64 and int32."""
    step = before / after
    stretch = max(step, 1.0)  # when an image shrinks the filter grows with it, against aliasing
    centre = (np.arange(after) + 0.5) * step
    first = np.maximum((centre - 2 * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + 2 * stretch + 0.5).astype(np.int64), before)
    taps = first + np.arange((last - first).max())[:, None]
    weights = np.where(taps < last, _kernel((taps - centre + 0.5) / stretch), 0.0)
    weights = weights * (1.0 / weights.sum(0)) * (1 << _PRECISION)
    return np.minimum(taps, before - 1), np.trunc(weights + np.copysign(0.5, weights)).astype(np.int32)


def _kernel(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution with a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
