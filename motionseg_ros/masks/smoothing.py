"""Edge-aware smoothing by weighted least squares, solved row by row and column by column.

The separable scheme of Min et al., "Fast Global Image Smoothing Based on Weighted Least Squares" (TIP 2014): each
pass is one tridiagonal system, here for all rows (or columns) at once, with the coupling cut at their ends.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.linalg.lapack import sptsv


class EdgeAwareSmoother:
    """Smooths fields over one image; edges are computed once and shared by all calls."""

    def __init__(self, lab: np.ndarray, edge: float) -> None:
        """`lab` (h, w, 3) uint8; `edge` is the colour difference (0..255) across which smoothing falls to 1/e."""
        fall = np.exp(np.arange(256, dtype=np.float32) / -edge)
        self._right = fall[_largest_difference(lab[:, 1:], lab[:, :-1])]
        self._down = np.ascontiguousarray(fall[_largest_difference(lab[1:], lab[:-1])].T)

    def crop(self, box: tuple[slice, slice]) -> EdgeAwareSmoother:
        """A smoother for a part of the image, rows and columns with given ends."""
        rows, columns = box
        part = object.__new__(EdgeAwareSmoother)
        part._right = self._right[rows, columns.start : columns.stop - 1]
        part._down = self._down[columns, rows.start : rows.stop - 1]
        return part

    def __call__(self, fields: np.ndarray, strength: float, passes: int = 2) -> np.ndarray:
        """Smooth `fields` (k, h, w) float32; `strength` is the square of the reach in px in flat regions."""
        out = np.ascontiguousarray(fields, np.float32)
        for done in range(passes):
            weight = 1.5 * strength * 4.0 ** (passes - 1 - done) / (4.0**passes - 1)
            out = _solve_lines(out, self._right, weight)
            out = _solve_lines(out.transpose(0, 2, 1), self._down, weight).transpose(0, 2, 1)
        return out


def _largest_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the largest absolute difference over the three channels of two (h, w, 3) uint8 images."""
    if one.size == 0:  # along a side of one pixel; OpenCV takes no empty images
        return np.zeros(one.shape[:2], np.uint8)
    first, second, third = cv2.split(cv2.absdiff(one, other))
    return cv2.max(cv2.max(first, second), third).reshape(one.shape[:2])


def _solve_lines(fields: np.ndarray, coupling: np.ndarray, weight: float) -> np.ndarray:
    """Minimise (x - f)^2 + weight * coupling * (difference of neighbours)^2 along the last axis of (k, m, n)."""
    k, m, n = fields.shape
    if n == 1:  # a line of one pixel has no neighbours, and LAPACK takes no empty off-diagonal
        return fields
    off = np.zeros((m, n), np.float32)
    off[:, :-1] = -weight * coupling
    diagonal = 1.0 - off
    diagonal[:, 1:] -= off[:, :-1]
    _, _, solution, _ = sptsv(diagonal.ravel(), off.ravel()[:-1], fields.reshape(k, m * n).T)
    return solution.T.reshape(k, m, n)
