"""Depth of single images by Depth Anything V2 Small (arXiv 2406.09414), on key frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.config import DepthConfig
from ..core.types import Frame
from ..device.choice import find_device, is_half
from ..device.compute import Compute
from ..device.frames import upload
from ..device.pixels import normalise, to_planes
from .pretrained import import_transformers, load_pretrained

if TYPE_CHECKING:
    from transformers import DepthAnythingForDepthEstimation

RESOLUTION = 518
"""Side of the images that it was trained with, px."""

_PATCH = 14


def build_depth_anything(weights: Path | None, device: str = "cpu") -> DepthAnythingForDepthEstimation:
    """Depth Anything V2 Small, in evaluation mode, on its device.

    Args:
        weights: the released ``model.safetensors``; None leaves the random weights that torch's seed gives.
        device: as torch names it; "auto" is a CUDA device where there is one.

    Raises:
        ModelError: the device cannot be used, or the weights do not fit the model.
        ImportError: `transformers` is not installed.
    """
    transformers = import_transformers()
    target = find_device(device)
    backbone = transformers.Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=RESOLUTION,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    # The rest of the library's configuration is that of the small model.
    model = transformers.DepthAnythingForDepthEstimation(
        transformers.DepthAnythingConfig(backbone_config=backbone)
    )
    if weights is not None:
        load_pretrained(model, weights)
    return model.eval().requires_grad_(False).to(target)


def build_source(config: DepthConfig, weights: Path | None) -> DepthAnything:
    """What `config` describes.

    Args:
        weights: the model's file; None for random weights.

    Raises:
        ModelError, ImportError: see `build_depth_anything`.
    """
    model = build_depth_anything(weights, config.device)
    return DepthAnything(model, config.every, config.resolution, is_half(config.precision, model.device))


class DepthAnything:
    """Relative inverse depth of every n-th frame; the frames between have that of the last one. See `DepthSource`.

    The depth image stays on the device; only what is asked for leaves it.

    Args:
        model: see `build_depth_anything`.
        every: frames from one key frame to the next; 1 makes every frame one.
        resolution: side to which images are scaled, px, a multiple of 14; less than that of the training is faster.
        half: compute in bfloat16 where torch's autocast does.

    Raises:
        ValueError: `every` or `resolution` is out of range.
    """

    def __init__(
        self,
        model: DepthAnythingForDepthEstimation,
        every: int = 1,
        resolution: int = RESOLUTION,
        half: bool = False,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, but got {every}")
        if resolution < _PATCH or resolution % _PATCH:
            raise ValueError(f"resolution must be a multiple of {_PATCH}, but got {resolution}")
        self._model = model
        self._every = every
        self._resolution = resolution
        self._compute = Compute(next(model.parameters()).device, half)
        self._passes = 0
        self.reset()

    def reset(self) -> None:
        """Forget all frames; the next one is a key frame."""
        self._depth: Tensor | None = None
        self._span: tuple[float, float] | None = None
        self._age = 0

    @property
    def passes(self) -> int:
        """Frames that the network has seen so far."""
        return self._passes

    def push(self, frame: Frame) -> bool:
        """Take the next frame; the network runs if it is a key frame, or of another size than the last one.

        Raises:
            ModelError: the device has not enough memory.
        """
        self._age += 1
        if self._depth is not None and self._age < self._every and self._depth.shape == frame.size:
            return False
        with self._compute("choose a lower depth.resolution"):
            pixels = normalise(self._resize(to_planes(upload(frame, self._compute.device))))
            depth = self._model(pixels).predicted_depth[None].float()
            # The library's way back to the image's size.
            self._depth = F.interpolate(depth, frame.size, mode="bicubic", align_corners=False)[0, 0]
            self._span = tuple(torch.stack(self._depth.aminmax()).tolist())
        self._passes += 1
        self._age = 0
        return True

    @property
    def span(self) -> tuple[float, float] | None:
        """The least and the largest value of the last key frame, of no unit; None before the first."""
        return self._span

    def at(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) float32 relative inverse depth, of no unit, at pixels of the last key frame, (N,) int64 each."""
        with self._compute("track fewer points"):
            device = self._compute.device
            return (
                self._depth[torch.from_numpy(row).to(device), torch.from_numpy(column).to(device)]
                .cpu()
                .numpy()
            )

    def _resize(self, rgb: Tensor) -> Tensor:
        """(1, 3, h, w) at the network's size, in whole numbers as the library's own image processor has them."""
        size = input_size(rgb.shape[-2:], self._resolution)
        resized = F.interpolate(rgb, size, mode="bicubic", align_corners=False, antialias=True)
        return resized.round().clamp(0, 255)


def input_size(size: tuple[int, int], resolution: int) -> tuple[int, int]:
    """The size to which an image is scaled, as the released configuration has it.

    The aspect is kept but for rounding. That side becomes `resolution` which needs the smaller change; of an image
    that is larger it is the shorter one.

    Args:
        size: (height, width) of the image, px.
        resolution: px.

    Returns:
        (height, width), multiples of 14.
    """
    scale = min((resolution / side for side in size), key=lambda scale: abs(1 - scale))
    height, width = (max(1, round(scale * side / _PATCH)) * _PATCH for side in size)
    return height, width
