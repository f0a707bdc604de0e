"""From ``sensor_msgs/CameraInfo`` to a camera model. Works on messages of rclpy and of rosbags alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.camera import CameraModel
from ..core.errors import FrameError


def message_to_camera(message: Any, rectified: bool = False) -> CameraModel:
    """The camera that a CameraInfo message describes.

    Args:
        rectified: the images are rectified: the projection matrix P is theirs, and there is no distortion.

    Raises:
        FrameError: it is not calibrated, or describes no camera.
    """
    matrix = np.array(message.p if rectified else message.k, np.float64)
    matrix = matrix.reshape(3, -1)[:, :3]
    distortion = np.zeros(0) if rectified else np.array(message.d, np.float64)
    size = int(message.height), int(message.width)
    if min(size) < 1:
        raise FrameError(f"camera_info is of an image of {size[1]}x{size[0]}; mend the camera driver")
    try:
        return CameraModel(matrix, distortion, size, message.distortion_model or "plumb_bob")
    except ValueError as error:
        raise FrameError(f"camera_info cannot be used: {error}") from None
