"""A camera image as vision models want it: RGB, and normalised as ImageNet is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Of ImageNet, which all released weights were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def to_rgb(image: np.ndarray, device: torch.device) -> Tensor:
    """(1, 3, H, W) float32 on `device`, 0..255, of an (H, W, 3) uint8 BGR image.

    Raises:
        ValueError: it is something else, or empty.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        what = image.shape if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"image must be (H, W, 3), but got {what}")
    if image.dtype != np.uint8:
        raise ValueError(f"image must be uint8, but got {image.dtype.name}")
    # Bytes travel to the device, and become floats there.
    rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).to(device)
    return rgb.permute(2, 0, 1)[None].float()


def normalise(rgb: Tensor) -> Tensor:
    """(1, 3, H, W) of the same shape, 0..255: to mean 0 and deviation 1 over ImageNet."""
    mean = rgb.new_tensor(MEAN).view(1, 3, 1, 1)
    deviation = rgb.new_tensor(DEVIATION).view(1, 3, 1, 1)
    return (rgb / 255.0 - mean) / deviation
