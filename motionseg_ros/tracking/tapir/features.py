"""What both kinds of slots make of a frame, and what they keep of a point.

Positions here are TAPIR's: pixels of its square image, the corner of the first pixel at (0, 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.types import Frame
from ...device.frames import upload
from ...device.pixels import to_planes

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR, FeatureGrids, QueryFeatures


def encode_frame(model: TAPIR, frame: Frame, resolution: int, half: bool) -> FeatureGrids:
    """The features of one frame scaled to a square, float32, on the model's device: one pass of the backbone for each
    resolution that TAPIR uses.

    Args:
        resolution: side of the square, px.
        half: compute them in bfloat16.
    """
    device = next(model.parameters()).device
    pixels = to_planes(upload(frame, device))
    side = (resolution, resolution)
    pixels = F.interpolate(pixels, size=side, mode="bilinear", antialias=True, align_corners=False)
    video = (pixels / 255.0 * 2.0 - 1.0).permute(0, 2, 3, 1)[None]
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        grids = model.get_feature_grids(video, is_training=False)
    return grids._replace(
        lowres=tuple(level.float() for level in grids.lowres),
        hires=tuple(level.float() for level in grids.hires),
    )


def describe_points(model: TAPIR, grids: FeatureGrids, points: Tensor, resolution: int) -> QueryFeatures:
    """The features of one frame at `points` (R, 2) float32, x and y; `grids` are those of `encode_frame`."""
    queries = torch.cat([torch.zeros_like(points[:, :1]), points.flip(1)], dim=1)[None]  # t, y, x
    shape = torch.empty(1, 1, resolution, resolution, 3, device="meta")
    return model.get_query_features(shape, is_training=False, query_points=queries, feature_grids=grids)


class QueryTable:
    """Query features with a row per slot. Memory: 3 kB per slot, 5 kB at 512 px."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._kept: QueryFeatures | None = None

    def put(self, index: Tensor, features: QueryFeatures) -> None:
        """Make `features` of R points those of slots `index` (R,) int64."""
        if self._kept is None:
            self._kept = features._replace(
                lowres=tuple(self._room(values) for values in features.lowres),
                hires=tuple(self._room(values) for values in features.hires),
            )
        for kept, new in ((self._kept.lowres, features.lowres), (self._kept.hires, features.hires)):
            for level, values in zip(kept, new, strict=True):
                level[:, index] = values

    def take(self, index: slice | Tensor) -> QueryFeatures:
        """The features of slots `index`, all of which have been put."""
        return self._kept._replace(
            lowres=tuple(level[:, index] for level in self._kept.lowres),
            hires=tuple(level[:, index] for level in self._kept.hires),
        )

    def _room(self, values: Tensor) -> Tensor:
        """For all slots what `values` are for some."""
        return values.new_zeros(1, self._slots, values.shape[-1])


def select_rows(rows: np.ndarray, slots: int, device: torch.device) -> slice | Tensor:
    """What picks `rows` (R,) int64 from tensors with a row per slot, without a copy where it is all of them."""
    if len(rows) == slots and np.array_equal(rows, np.arange(slots)):
        return slice(None)
    return torch.from_numpy(rows).to(device)
