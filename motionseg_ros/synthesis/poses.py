"""Rigid poses as 4x4 float64 matrices."""

from __future__ import annotations

import numpy as np

#: Optical frame (x right, y down, z forward) to a body frame (x forward, y left, z up), rotation only.
OPTICAL_TO_BODY = np.array(
    [[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)


def rotation(axis, angle: float) -> np.ndarray:
    """Rotation matrix (3, 3) about `axis` (3,), not zero, by `angle` in radians (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def pose(translation=(0.0, 0.0, 0.0), yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Pose (4, 4) of a body with x forward, y left, z up.

    `translation` in metres; angles in radians: `yaw` about z (left positive), `pitch` about y (nose down
    positive), `roll` about x, applied as Rz(yaw) Ry(pitch) Rx(roll).
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation((0, 0, 1), yaw) @ rotation((0, 1, 0), pitch) @ rotation((1, 0, 0), roll)
    matrix[:3, 3] = translation
    return matrix


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a rigid pose (4, 4), or of a stack of them (..., 4, 4)."""
    result = np.zeros_like(matrix, dtype=np.float64)
    transposed = np.swapaxes(matrix[..., :3, :3], -1, -2)
    result[..., :3, :3] = transposed
    result[..., :3, 3] = -np.einsum("...ij,...j->...i", transposed, matrix[..., :3, 3])
    result[..., 3, 3] = 1.0
    return result


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) of frame a in frame b, for one pose `matrix` (4, 4) a_to_b."""
    return np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3]
