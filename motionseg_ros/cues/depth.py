"""Where the depth of a frame comes from: a depth camera. The network is in `depth_anything`. This needs no torch."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from ..core.types import Frame

# What a sensor says to be nearer is none, m; and its inverse must stay a number.
_NEAREST = 1e-3


class DepthSource(Protocol):
    """Knows the depth of a stream's newest frame, as relative inverse depth (see `core.depth`)."""

    def reset(self) -> None:
        """Forget all frames."""

    def push(self, frame: Frame) -> bool:
        """Take the next frame; whether its own depth is known now, not only that of an earlier one."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The least and the largest value in the whole image; None while nothing is known."""

    def at(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) float32 at pixels of the image, (N,) int64 each."""


class SensorDepth:
    """The robot's own depth camera, registered to the image: 1 / distance, holes filled by the nearest pixel.

    A frame without a measurement has that of the frame before: a message that is lost must not switch the cue off.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._depth: np.ndarray | None = None
        self._span: tuple[float, float] | None = None

    def push(self, frame: Frame) -> bool:
        """Take the next frame.

        As ROS has depth (REP 117 and 118), infinite is beyond the sensor's reach; NaN, 0, and all below 1 mm, is not
        known. No depth image, or one in which nothing is known, is no measurement.
        """
        if self._depth is not None and self._depth.shape != frame.size:
            self.reset()
        if frame.depth is None:
            return False
        known = frame.depth > _NEAREST  # NaN is not
        if not known.any():
            return False
        inverse = np.divide(1, frame.depth, np.zeros_like(frame.depth), where=known)
        self._depth = fill_holes(inverse, known)
        self._span = float(self._depth.min()), float(self._depth.max())
        return True

    @property
    def span(self) -> tuple[float, float] | None:
        """The least and the largest 1 / distance, 1/m; None before the first measurement."""
        return self._span

    def at(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) float32 1 / distance, 1/m, at pixels of the newest measurement, (N,) int64 each."""
        return self._depth[row, column]


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
