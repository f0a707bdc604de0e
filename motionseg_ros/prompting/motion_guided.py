"""MoSAM's motion-guided prompts: where an object should be next, from where it was (MoSAM, section 3.2).

Sparse: five key points of the mask, moved on as they moved before, are positive points. Dense: the mask, moved on
along its optical flow, gives a box. The paper trains encoders to find key points and flow in feature maps; here both
come from the masks and images themselves. Coordinates are those of the masks given.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

# Masks whose key points are kept per object: the mean of two steps steadies the extrapolation.
HISTORY = 3


def key_points(mask: np.ndarray) -> np.ndarray | None:
    """The centroid and the points half-way from it to the mask's edge, up, down, left and right.

    Where the centroid is not on the mask (a ring, a crescent), the mask's pixel nearest to it takes its place, and
    edges are where the mask is left for the first time: all five points are on the object.

    Args:
        mask: (h, w) bool.

    Returns:
        (5, 2) float32 x, y, or None for an empty mask.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return None
    nearest = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    row, column = rows[nearest], columns[nearest]
    up, down = _run(mask[row::-1, column]), _run(mask[row:, column])
    left, right = _run(mask[row, column::-1]), _run(mask[row, column:])
    offsets = [(0, 0), (0, -up // 2), (0, down // 2), (-left // 2, 0), (right // 2, 0)]
    return np.array([(column + dx, row + dy) for dx, dy in offsets], np.float32)


def _run(line: np.ndarray) -> int:
    """How many pixels after the first one the mask goes on."""
    ends = np.flatnonzero(~line)
    return int(ends[0] if len(ends) else len(line)) - 1


def extrapolate(history: np.ndarray) -> np.ndarray:
    """(K, 2): key points (T, K, 2) of T >= 2 successive frames, moved on by their mean step."""
    return history[-1] + (history[-1] - history[0]) / (len(history) - 1)


def warped_box(mask: np.ndarray, motion: np.ndarray) -> np.ndarray | None:
    """Box around a mask that has moved on along its flow.

    Args:
        mask: (h, w) bool.
        motion: (h, w, 2) px, how far each pixel goes on to the next frame.

    Returns:
        (4,) float32 x0, y0, x1, y1 within the image, or None where nothing of it is left in the image.
    """
    pixels = np.argwhere(mask)[:, ::-1]
    if len(pixels) == 0:
        return None
    steps = motion[mask]
    moved = _paint(pixels + steps, mask.shape)
    # Pixels of the outline may have the background's flow: single ones far away do not make the box. What is so thin
    # that this filter would take it from the mask itself goes on with the whole.
    thin = cv2.medianBlur(mask.view(np.uint8), 3)[mask] == 0
    dense = cv2.medianBlur(moved, 3) | _paint(pixels[thin] + np.median(steps, axis=0), mask.shape)
    left, top, width, height = cv2.boundingRect(dense if dense.any() else moved)
    return np.array([left, top, left + width, top + height], np.float32) if width else None


def _paint(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint8, 1 at the pixels nearest to points (N, 2); those outside are left out."""
    x, y = np.rint(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0])
    painted = np.zeros(size, np.uint8)
    painted[y[inside], x[inside]] = 1
    return painted


class KeyPointHistory:
    """The key points of one object in its last frames. They must be in succession: an empty mask clears them."""

    def __init__(self) -> None:
        self._points: deque[np.ndarray] = deque(maxlen=HISTORY)

    def add(self, mask: np.ndarray) -> None:
        """Take the newest frame's mask, (h, w) bool."""
        points = key_points(mask)
        if points is None:
            self._points.clear()
        else:
            self._points.append(points)

    def ahead(self) -> np.ndarray | None:
        """(5, 2) where the points should be in the next frame; None before the second frame in succession."""
        return extrapolate(np.stack(self._points)) if len(self._points) > 1 else None
