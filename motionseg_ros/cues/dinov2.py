"""What is where in an image: the key vectors of DINOv2 (arXiv 2304.07193), as Segment Any Motion uses them.

Its release (arXiv 2503.22268) cuts patches at every 7th pixel instead of every 14th, and describes each by the key
vector of the last block's attention. Everything behind the keys is left out here: of that block only its first norm
and one projection are computed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.config import SemanticsConfig
from ..core.types import Frame
from ..device.choice import find_device, is_half
from ..device.compute import Compute
from ..device.frames import upload
from ..device.pixels import normalise, to_planes
from .pretrained import import_transformers, load_pretrained

if TYPE_CHECKING:
    from transformers import Dinov2Model

MODELS = {"dinov2_small": (384, 6), "dinov2_base": (768, 12)}
"""Channels and heads by name. The release's classifier was trained with `dinov2_base`."""

STRIDES = (7, 14)
"""Pixels from one patch to the next: as in Segment Any Motion, and as in DINOv2."""

MAX_SIDE = 1000
"""Longer side of the images that Segment Any Motion's release takes at most, px."""

# DINOv2 adds this to the size of the grid before it takes the scale of its position embeddings from it, and its
# weights have seen nothing else.
_OFFSET = 0.1
# Side of the images that DINOv2 was trained with last, px.
_TRAINED_SIDE = 518


def build_dinov2(name: str, weights: Path | None, device: str = "cpu") -> Dinov2Model:
    """DINOv2 with patches of 14 px and without registers, in evaluation mode, on its device.

    Args:
        name: one of `MODELS`.
        weights: the model's released ``model.safetensors``; None leaves the random weights that torch's seed gives.
        device: as torch names it; "auto" is a CUDA device where there is one.

    Raises:
        ModelError: the device cannot be used, or the weights do not fit the model.
        ImportError: `transformers` is not installed.
    """
    transformers = import_transformers()
    target = find_device(device)
    width, heads = MODELS[name]
    model = transformers.Dinov2Model(
        transformers.Dinov2Config(hidden_size=width, num_attention_heads=heads, image_size=_TRAINED_SIDE)
    )
    if weights is not None:
        load_pretrained(model, weights)
    return model.eval().requires_grad_(False).to(target)


def build_encoder(config: SemanticsConfig, weights: Path | None) -> DinoKeys:
    """What `config` describes, with ViT-B/14.

    Args:
        weights: its file; None for random weights.

    Raises:
        ModelError, ImportError: see `build_dinov2`.
    """
    model = build_dinov2("dinov2_base", weights, config.device)
    return DinoKeys(model, config.stride, is_half(config.precision, model.device), config.max_side)


class DinoKeys:
    """Descriptors of all places of an image. One of 480x854 px has 8,349 at stride 7, and a quarter of that at 14.

    Args:
        model: see `build_dinov2`. What comes behind its last keys is not kept.
        stride: one of `STRIDES`.
        half: compute in bfloat16 where torch's autocast does.
        max_side: longer side to which larger images are scaled down, px; the effort goes with its fourth power.

    Raises:
        ValueError: no such stride.
    """

    def __init__(
        self, model: Dinov2Model, stride: int = 7, half: bool = False, max_side: int = MAX_SIDE
    ) -> None:
        if stride not in STRIDES:
            raise ValueError(f"stride must be one of {', '.join(map(str, STRIDES))}, but got {stride}")
        self._stride = stride
        self._max_side = max_side
        self._compute = Compute(model.embeddings.cls_token.device, half)
        self._heads: int = model.config.num_attention_heads
        self._patch: int = model.config.patch_size
        self._cut: nn.Conv2d = model.embeddings.patch_embeddings.projection
        self._class_token: Tensor = model.embeddings.cls_token
        self._table: Tensor = model.embeddings.position_embeddings
        *self._blocks, last = model.encoder.layer
        self._norm: nn.Module = last.norm1
        self._key = _key_projection(last)
        self._positions: tuple[tuple[int, int], Tensor] | None = None

    @property
    def width(self) -> int:
        """C, channels of a descriptor."""
        return self._key.out_features

    def encode(self, frame: Frame) -> Tensor:
        """The keys of all patches of an image; its sides are rounded up to whole patches of 14 px.

        Returns:
            (h, w, C) float32 on the device, not normalised, h = 1 + (H' - 14) // stride of the rounded height H' and
            w likewise: 480x854 px has 69x121 at stride 7. Channels go by dimension first and head last (channel
            d * heads + h), the order that the release's classifier was trained with.

        Raises:
            ModelError: the device has not enough memory.
        """
        with self._compute("choose semantics.stride = 14, or a smaller semantics.max_side"):
            pixels = self._pixels(frame)
            patches = F.conv2d(pixels, self._cut.weight, self._cut.bias, self._stride)
            h, w = patches.shape[-2:]
            tokens = torch.cat([self._class_token, patches.flatten(2).transpose(1, 2)], 1)
            tokens = tokens + self._positions_of((h, w))
            for block in self._blocks:
                tokens = block(tokens)
            keys = self._key(self._norm(tokens[:, 1:]))
            return keys.float().view(h, w, self._heads, -1).transpose(2, 3).reshape(h, w, -1)

    def sample(self, keys: Tensor, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The descriptors at points of an image, each that of the cell in which the point lies.

        Args:
            keys: (h, w, C) of `encode`.
            positions: (N, 2) px; those outside the image count as on its border.
            size: (height, width) of the image, px.

        Returns:
            (N, C) float32.

        Raises:
            ValueError: positions have another shape, or are not finite.
        """
        if positions.ndim != 2 or positions.shape[1] != 2:
            raise ValueError(f"positions must be (N, 2), but got {positions.shape}")
        if not np.isfinite(positions).all():
            raise ValueError("positions must be finite, but got NaN or infinite values")
        height, width = size
        h, w = keys.shape[:2]
        # In double precision, so that no rounding puts a point on the wrong side of a cell's edge.
        cells = np.floor(positions.astype(np.float64) * (w, h) / (width, height))
        column, row = np.clip(cells, 0, (w - 1, h - 1)).astype(np.int64).T
        with self._compute("track fewer points"):
            index = torch.from_numpy(row * w + column).to(keys.device)
            return keys.flatten(0, 1)[index].cpu().numpy()

    def _pixels(self, frame: Frame) -> Tensor:
        """(1, 3, H', W'), see `encode`."""
        planes = to_planes(upload(frame, self._compute.device))
        scale = min(1.0, self._max_side / max(frame.size))
        sides = [math.ceil(max(1, round(scale * side)) / self._patch) * self._patch for side in frame.size]
        return normalise(F.interpolate(planes, sides, mode="bilinear", align_corners=False, antialias=True))

    def _positions_of(self, grid: tuple[int, int]) -> Tensor:
        """The position embeddings of a grid, kept for the next image: all frames of a stream have one size."""
        if self._positions is None or self._positions[0] != grid:
            self._positions = grid, resize_positions(self._table, grid)
        return self._positions[1]


def resize_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Position embeddings for a grid of any size, bicubic, as DINOv2 takes them from those of its training.

    Args:
        table: (1, 1 + n * n, C): the class token's, then a square's row by row.
        grid: (h, w).

    Returns:
        (1, 1 + h * w, C).
    """
    side = math.isqrt(table.shape[1] - 1)
    if grid == (side, side):
        return table
    square = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
    # By scale, not by size: that steps through the square a little more slowly than its border would have it.
    scale = [(length + _OFFSET) / side for length in grid]
    resized = F.interpolate(square.float(), scale_factor=scale, mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], resized.flatten(2).transpose(1, 2)], 1)


def _key_projection(block: nn.Module) -> nn.Linear:
    """Of a block's attention; it has another name and place in version 4 of `transformers`."""
    attention = block.attention
    return attention.k_proj if hasattr(attention, "k_proj") else attention.attention.key
