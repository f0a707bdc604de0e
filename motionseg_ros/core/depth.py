"""How depth images are read at trajectories: each classifier has been trained with one way of it.

Depth is told as relative inverse depth: proportional to 1 / distance up to a factor and an offset, near = large. That
is what monocular networks estimate. Classifiers take it in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class DepthReading:
    """A way of reading.

    Args:
        pixels: (row, column, known) for positions (..., 2) px and a size (height, width): which pixel stands for each
            point, int64, and whether any does, bool.
        scale: values of one depth image, and its least and largest value, to float32 in 0..1.
    """

    pixels: Callable[[np.ndarray, tuple[int, int]], Pixels]
    scale: Callable[[np.ndarray, float, float], np.ndarray]

    def sample(self, images: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Scaled depth images at trajectories.

        Args:
            images: (T, H, W) float32 in 0..1.
            positions: (N, T, 2) px.

        Returns:
            (N, T) float32, NaN where no pixel stands for the point.
        """
        row, column, known = self.pixels(positions, images.shape[1:])
        return np.where(known, images[np.arange(len(images)), row, column], np.float32(np.nan))


def _pixel_inside(positions: np.ndarray, size: tuple[int, int]) -> Pixels:
    """The pixel in which the point lies; none outside the image."""
    height, width = size
    column, row = np.moveaxis(np.rint(positions), -1, 0)
    known = (column >= 0) & (column < width) & (row >= 0) & (row < height)  # NaN is not
    row, column = (np.where(known, place, 0).astype(np.int64) for place in (row, column))
    return row, column, known


def _pixel_clamped(positions: np.ndarray, size: tuple[int, int]) -> Pixels:
    """The pixel in which the point lies, for points outside that on the border.

    No blending: at an object's edge that would be a depth where nothing is.
    """
    unit, known = _to_unit(positions, size)
    # The centre of pixel 0 is at 0, its right edge at 0.5.
    cells = np.floor(np.float32(0.5) * (unit + 1) * np.float32(size[::-1]) + np.float32(0.5)).astype(np.int64)
    column, row = np.moveaxis(cells, -1, 0)
    return row.clip(0, size[0] - 1), column.clip(0, size[1] - 1), known


def _pixel_released(positions: np.ndarray, size: tuple[int, int]) -> Pixels:
    """The pixel that Segment Any Motion's release reads.

    It takes positions in -1..1 for positions in 0..1, so that half of the points read the first pixel; its weights
    were trained on what that gives.
    """
    height, width = size
    unit, known = _to_unit(positions, size)
    column, row = np.moveaxis(np.trunc(unit * np.float32(size[::-1])).astype(np.int64), -1, 0)
    row, column = np.divmod((row * width + column).clip(0, height * width - 1), width)
    return row, column, known


def _to_unit(positions: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The release's (..., 2) float32 in -1..1, and whether each position is finite, (...) bool."""
    known = np.isfinite(positions).all(-1)
    finite = np.where(known[..., None], positions, 0).astype(np.float32)
    return (2 * (finite / np.float32(size[::-1])) - 1).clip(-1, 1), known


def _of_largest(values: np.ndarray, least: float, largest: float) -> np.ndarray:
    """Share of the largest: ratios stay what they are."""
    return np.clip(values / np.float32(max(largest, 1e-12)), 0, 1).astype(np.float32)


def _of_range(values: np.ndarray, least: float, largest: float) -> np.ndarray:
    """The least is 0, the largest 1; all 0 where depth is the same everywhere."""
    span = np.float32(largest) - np.float32(least)
    return ((values - np.float32(least)) / span if span else np.zeros_like(values)).astype(np.float32)


def _saturated(values: np.ndarray, least: float, largest: float) -> np.ndarray:
    """As the release has it: all but the farthest 1/257 of the range become 1.

    It stores depth in 16 bits and reads it with Pillow's conversion to 8 bits, which does not scale but saturates.
    """
    levels = np.float32(65535) * _of_range(values, least, largest)
    return np.floor(np.minimum(levels, np.float32(255))) / np.float32(255)


OWN = DepthReading(_pixel_inside, _of_largest)
"""Of this package's network: the simulation that it was trained on has depth so."""
FIXED = DepthReading(_pixel_clamped, _of_range)
"""Segment Any Motion's, without the release's mistakes."""
REFERENCE = DepthReading(_pixel_released, _saturated)
"""Segment Any Motion's, bit for bit as its release does it."""
BY_MODE = {"fixed": FIXED, "reference": REFERENCE}
