"""What the pixels of a camera look at (pinhole camera with lens distortion, as ``sensor_msgs/CameraInfo`` has it)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MODELS = ("plumb_bob", "rational_polynomial", "equidistant")


@dataclass(frozen=True, eq=False)
class CameraModel:
    """A calibrated camera.

    Args:
        matrix: (3, 3) float64, focal lengths and principal point, px.
        distortion: (D,) float64 in OpenCV's order; all 0, or none, for an image that is rectified.
        size: (height, width) of the images that it was calibrated with, px.
        model: one of `MODELS`; "equidistant" is OpenCV's fish-eye model.

    Raises:
        ValueError: it is no camera.
    """

    matrix: np.ndarray
    distortion: np.ndarray
    size: tuple[int, int]
    model: str = "plumb_bob"

    def __post_init__(self) -> None:
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise ValueError(f"matrix must be (3, 3) and finite, but got {self.matrix.tolist()}")
        if not (self.matrix[0, 0] > 0 and self.matrix[1, 1] > 0):
            raise ValueError("focal lengths must be positive: the camera is not calibrated")
        if not np.isfinite(self.distortion).all():
            raise ValueError(f"distortion must be finite, but got {self.distortion.tolist()}")
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}, but got {self.model!r}")
        lengths = (4,) if self.model == "equidistant" else (4, 5, 8, 12, 14)
        if np.any(self.distortion) and len(self.distortion) not in lengths:
            raise ValueError(
                f"distortion of {self.model} must have {' or '.join(map(str, lengths))} values, "
                f"but got {len(self.distortion)}"
            )

    def rays(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Directions in which pixels look.

        Args:
            points: (N, 2) px, in an image of `size` (height, width), which may be scaled.

        Returns:
            (N, 3) float64 in the optical frame, z = 1.
        """
        scale = np.array(self.size[::-1], np.float64) / size[::-1]
        points = (points + 0.5) * scale - 0.5  # pixel centres stay pixel centres
        if not np.any(self.distortion):
            flat = (points - self.matrix[:2, 2]) / self.matrix[[0, 1], [0, 1]]
        elif not len(points):
            flat = np.zeros((0, 2))
        else:
            undistort = cv2.fisheye.undistortPoints if self.model == "equidistant" else cv2.undistortPoints
            flat = undistort(points[:, None], self.matrix, self.distortion)[:, 0]
        return np.column_stack([flat, np.ones(len(points))])
