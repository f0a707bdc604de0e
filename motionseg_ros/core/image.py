"""One frame, prepared once for every stage: scaled, converted, and with its pyramid built."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from .types import Frame

PYRAMID_LEVELS = 5
# A panorama's shorter side is not scaled below this, or nothing could be matched in it.
LEAST_SIDE = 64


@dataclass(frozen=True, eq=False)
class WorkingImage:
    """A frame at working resolution; conversions are made on first use and kept.

    Args:
        bgr: (h, w, 3) uint8, the frame scaled down to working size (never up).
        full_size: (height, width) of the frame, px.
    """

    bgr: np.ndarray
    full_size: tuple[int, int]

    @classmethod
    def prepare(cls, frame: Frame, working_size: int) -> WorkingImage:
        """Scale a frame so that its longer side is at most `working_size` px, but a strip's shorter one not tiny."""
        height, width = frame.size
        scale = min(1.0, max(working_size / max(height, width), LEAST_SIDE / min(height, width)))
        if scale == 1.0:
            return cls(frame.image.copy(), frame.size)  # the caller may use its buffer again
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cls(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), frame.size)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the working image, px."""
        return self.bgr.shape[0], self.bgr.shape[1]

    @property
    def scale(self) -> np.ndarray:
        """(2,) float32: working pixels per full-image pixel in x and y."""
        (h, w), (height, width) = self.size, self.full_size
        return np.array([w / width, h / height], np.float32)

    @cached_property
    def half(self) -> WorkingImage:
        """The same frame at half the working size: for what needs no more, at a quarter of the effort."""
        size = max(1, round(self.size[1] / 2)), max(1, round(self.size[0] / 2))
        return WorkingImage(cv2.resize(self.bgr, size, interpolation=cv2.INTER_AREA), self.full_size)

    @cached_property
    def gray(self) -> np.ndarray:
        """(h, w) uint8."""
        return cv2.cvtColor(self.bgr, cv2.COLOR_BGR2GRAY)

    @cached_property
    def lab(self) -> np.ndarray:
        """(h, w, 3) uint8, CIE Lab scaled to 0..255."""
        return cv2.cvtColor(self.bgr, cv2.COLOR_BGR2LAB)

    @cached_property
    def pyramid(self) -> tuple[np.ndarray, ...]:
        """Gray images from fine (`gray`) to coarse, each half as large, until a side would be under 16 px."""
        levels = [self.gray]
        while len(levels) < PYRAMID_LEVELS and min(levels[-1].shape) >= 32:
            levels.append(cv2.pyrDown(levels[-1]))
        return tuple(levels)

    def to_full(self, points: np.ndarray) -> np.ndarray:
        """Working pixel positions (..., 2) to full-image pixels; pixel centres map to pixel centres."""
        return (points + 0.5) / self.scale - 0.5

    @property
    def from_full(self) -> np.ndarray:
        """(3, 3) float64: the homography from full-image to working pixels."""
        sx, sy = self.scale.astype(np.float64)
        return np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])

    def homography(self, full: np.ndarray) -> np.ndarray:
        """(3, 3) homography between working pixels for one between full-image pixels."""
        return self.from_full @ full @ np.linalg.inv(self.from_full)

    def to_working(self, points: np.ndarray) -> np.ndarray:
        """Full-image positions (..., 2) to working pixels."""
        return (points + 0.5) * self.scale - 0.5


def likeness(one: WorkingImage, other: WorkingImage) -> float:
    """Correlation, -1..1, of two images of one size seen from afar: 1 for the same view, also at another exposure."""
    first, second = _layout(one), _layout(other)
    return float((first * second).mean())


def _layout(image: WorkingImage) -> np.ndarray:
    """The coarse pattern of light and dark, (24, 32) float32, of mean 0 and variance 1."""
    small = cv2.resize(image.gray, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), 6)
    return (small - small.mean()) / (small.std() + 1e-3)
