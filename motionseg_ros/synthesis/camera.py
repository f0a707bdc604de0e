"""Pinhole camera without distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics in pixels; (u, v) = (0, 0) is the centre of the top left pixel.

    Raises ValueError where a focal length or a size is not positive.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self):
        if not (self.fx > 0 and self.fy > 0 and math.isfinite(self.fx) and math.isfinite(self.fy)):
            raise ValueError(f"focal lengths must be positive and finite but got fx={self.fx}, fy={self.fy}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image size must be positive but got {self.width}x{self.height}")

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov: float = 65.0) -> PinholeCamera:
        """Camera with square pixels and its principal point in the middle; `horizontal_fov` in degrees."""
        if not 0 < horizontal_fov < 180:
            raise ValueError(f"horizontal_fov must be in (0, 180) degrees but got {horizontal_fov}")
        focal = 0.5 * width / math.tan(math.radians(horizontal_fov) / 2)
        return cls(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)

    @property
    def matrix(self) -> np.ndarray:
        """Calibration matrix K (3, 3) float64."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) and depths (...,) in metres of points (..., 3) in the optical frame.

        Depths may be negative (behind the camera); the pixels of points with depth <= 0 are NaN.
        """
        points = np.asarray(points, np.float64)
        depth = points[..., 2]
        safe = np.where(depth > 0, depth, np.nan)
        pixels = np.stack(
            (self.fx * points[..., 0] / safe + self.cx, self.fy * points[..., 1] / safe + self.cy), -1
        )
        return pixels, depth

    def back_project(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points (..., 3) in the optical frame of pixels (..., 2) at `depth` (...,) metres."""
        pixels, depth = np.asarray(pixels, np.float64), np.asarray(depth, np.float64)
        x = (pixels[..., 0] - self.cx) / self.fx
        y = (pixels[..., 1] - self.cy) / self.fy
        return np.stack((x * depth, y * depth, depth), -1)
