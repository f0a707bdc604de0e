"""From depth images of ``sensor_msgs/Image`` (REP 118) to metres. Works on messages of rclpy and of rosbags alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..core.errors import FrameError
from .image_messages import pixel_rows

_MILLIMETRES = ("16UC1", "mono16")
_METRES = "32FC1"


def message_to_metres(message: Any) -> np.ndarray:
    """The distances that a depth image carries, (H, W) float32 m; what is not known is 0 or NaN, as it came.

    Raises:
        FrameError: size, step, data and encoding do not fit together, or it is no depth image.
    """
    if hasattr(message, "format"):
        raise FrameError("a compressed depth image cannot be read; use the raw depth topic")
    if message.encoding not in (*_MILLIMETRES, _METRES):
        raise FrameError(
            f"encoding {message.encoding!r} is no depth: it must be 16UC1 (mm) or 32FC1 (m); "
            "check the depth topic"
        )
    kind = np.dtype(np.float32 if message.encoding == _METRES else np.uint16)
    order = kind.newbyteorder(">" if message.is_bigendian else "<")
    values = np.ascontiguousarray(pixel_rows(message, message.encoding)).view(order)
    if message.encoding == _METRES:
        return values.astype(np.float32)
    return values.astype(np.float32) * np.float32(1e-3)


def fit_to(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A depth image at the size of the image that it is registered to; drivers may give it smaller.

    Args:
        depth: (h, w) float32 m.
        size: (height, width) of the image, px.

    Returns:
        (height, width) float32 m: no values are mixed, as that would make depths where nothing is.

    Raises:
        FrameError: it has another aspect, so that it is not registered to the image.
    """
    height, width = size
    h, w = depth.shape
    if (h, w) == size:
        return depth
    if abs(h * width - w * height) > max(height, width):
        raise FrameError(
            f"the depth image is {w}x{h}, but the image {width}x{height}: depth must be registered to the image "
            "(of RealSense cameras it is aligned_depth_to_color)"
        )
    return cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
