"""Depth of every frame, from a depth camera or none; the network is in `depth_anything`. This needs no torch.

Depth is told as relative inverse depth: proportional to 1 / distance up to a factor and an offset, near = large. That
is what monocular networks estimate, and Segment Any Motion's classifier takes it, each frame scaled to 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    from ..trajectories.model import DepthMode

# What a sensor says to be nearer is none, m; and its inverse must stay a number.
_NEAREST = 1e-3


class DepthProvider(Protocol):
    """Tells the depth of a stream's frames."""

    def reset(self) -> None:
        """Forget all frames."""

    def push(self, image: np.ndarray, depth: np.ndarray | None = None) -> None:
        """Take the next frame.

        Args:
            image: (H, W, 3) uint8 BGR.
            depth: (H, W) float32, what a depth camera measured with it, m; None where there is none.
        """

    def depth(self) -> np.ndarray | None:
        """(H, W) float32 relative inverse depth of the newest frame, finite, near = large; None if not known.

        The array is the provider's own, not to be written to.
        """


class NoDepth:
    """Where there is no depth."""

    def reset(self) -> None:
        """Nothing to forget."""

    def push(self, image: np.ndarray, depth: np.ndarray | None = None) -> None:
        """Nothing to take."""

    def depth(self) -> None:
        """None."""


class SensorDepth:
    """The robot's own depth camera, registered to the image: 1 / distance, holes filled by the nearest pixel.

    A frame without a measurement has that of the frame before: a message that is lost must not switch the cue off.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._depth: np.ndarray | None = None
        self._age = 0

    @property
    def age(self) -> int:
        """Frames since the last measurement: 0 if the newest one has it."""
        return self._age

    def push(self, image: np.ndarray, depth: np.ndarray | None = None) -> None:
        """Take the next frame.

        Args:
            image: (H, W, 3) uint8 BGR.
            depth: (H, W) float32, m. As ROS has it (REP 117 and 118), infinite is beyond the sensor's reach; NaN,
                0, and all below 1 mm, is not known. None, or nothing known at all, is no measurement.

        Raises:
            ValueError: the depth image has another shape than the image, or another type.
        """
        size = image.shape[:2]
        if self._depth is not None and self._depth.shape != size:
            self.reset()
        self._age += 1
        if depth is None:
            return
        _check(depth, "float32 in metres")
        if depth.shape != size:
            raise ValueError(f"depth must be (H, W) = {size}, the image's size, but got {depth.shape}")
        known = depth > _NEAREST  # NaN is not
        if known.any():
            self._depth = fill_holes(np.divide(1, depth, np.zeros_like(depth), where=known), known)
            self._age = 0

    def depth(self) -> np.ndarray | None:
        """(H, W) float32 1 / distance, 1/m, in the newest frame; None before the first measurement."""
        return self._depth


def fill_holes(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give unknown pixels the value of the nearest known one.

    Args:
        values: (H, W).
        known: (H, W) bool, at least one True.

    Returns:
        (H, W), `values` itself where all are known.
    """
    if known.all():
        return values
    # Every known pixel has a label of its own, and every other one that of the nearest.
    _, labels = cv2.distanceTransformWithLabels(
        (~known).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros(labels.max() + 1, values.dtype)
    by_label[labels[known]] = values[known]
    return by_label[labels]


def normalise_depth(depth: np.ndarray, mode: DepthMode = "fixed") -> np.ndarray:
    """One frame's relative inverse depth in the form that the classifiers take.

    Segment Any Motion's release stores depth in 16 bits and reads it with Pillow's conversion to 8 bits, which does
    not scale but saturates: all but the farthest 1/257 of the range become 1. Its weights were trained on that.

    Args:
        depth: (H, W) float32, finite.
        mode: "fixed" scales the frame's least to its largest value to 0..1; "reference" does what the release does
            (to go with the `depth_mode` of the same name, in which it is sampled).

    Returns:
        (H, W) float32 in 0..1, near = 1; all 0 where depth is the same everywhere.

    Raises:
        ValueError: no such mode, or depth has another shape or type, or is not finite.
    """
    if mode not in _NORMALISATIONS:
        raise ValueError(f"mode must be one of {', '.join(_NORMALISATIONS)}, but got {mode!r}")
    _check(depth, "float32")
    low, high = depth.min(), depth.max()
    if not np.isfinite((low, high)).all():  # NaN anywhere makes both NaN
        raise ValueError("depth must be finite, but got NaN or infinite values")
    if low == high:
        return np.zeros_like(depth)
    return _NORMALISATIONS[mode]((depth - low) / (high - low))


def _saturated(share: np.ndarray) -> np.ndarray:
    """To 16 bits, of those to 8 by saturation, and back: 0..1."""
    return np.floor(np.minimum(np.float32(65535) * share, np.float32(255))) / np.float32(255)


_NORMALISATIONS = {"fixed": lambda share: share, "reference": _saturated}


def _check(depth: np.ndarray, kind: str) -> None:
    """Raises ValueError unless `depth` is (H, W) float32 and not empty."""
    if not isinstance(depth, np.ndarray) or depth.ndim != 2 or not depth.size:
        what = depth.shape if isinstance(depth, np.ndarray) else type(depth).__name__
        raise ValueError(f"depth must be (H, W), but got {what}")
    if depth.dtype != np.float32:
        raise ValueError(f"depth must be {kind}, but got {depth.dtype.name}")
