"""Edge-aware smoothing by weighted least squares, solved row by row and column by column.

The separable scheme of Min et al., "Fast Global Image Smoothing Based on Weighted Least Squares" (TIP 2014): each
pass is one tridiagonal system per row (or column), here solved for all of them at once.
"""

from __future__ import annotations

import cv2
import numpy as np


class EdgeAwareSmoother:
    """Smooths fields over one image; edges are computed once and shared by all calls."""

    def __init__(self, lab: np.ndarray, edge: float) -> None:
        """`lab` (h, w, 3) uint8; `edge` is the colour difference (0..255) across which smoothing falls to 1/e."""
        fall = np.exp(np.arange(256, dtype=np.float32) / -edge)
        self._right = np.ascontiguousarray(fall[_largest_difference(lab[:, 1:], lab[:, :-1])].T)
        self._down = fall[_largest_difference(lab[1:], lab[:-1])]

    def crop(self, box: tuple[slice, slice]) -> EdgeAwareSmoother:
        """A smoother for a part of the image, rows and columns with given ends."""
        rows, columns = box
        part = object.__new__(EdgeAwareSmoother)
        part._right = self._right[columns.start : columns.stop - 1, rows]
        part._down = self._down[rows.start : rows.stop - 1, columns]
        return part

    def __call__(self, fields: np.ndarray, strength: float, passes: int = 2) -> np.ndarray:
        """Smooth `fields` (k, h, w) float32; `strength` is the square of the reach in px in flat regions."""
        out = np.asarray(fields, np.float32)
        for done in range(passes):
            weight = np.float32(1.5 * strength * 4.0 ** (passes - 1 - done) / (4.0**passes - 1))
            out = _transposed(_smooth_columns(_transposed(out), self._right, weight))
            out = _smooth_columns(out, self._down, weight)
        return out


def _transposed(fields: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(fields.transpose(0, 2, 1))


def _largest_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the largest absolute difference over the three channels of two (h, w, 3) uint8 images."""
    if one.size == 0:  # along a side of one pixel; OpenCV takes no empty images
        return np.zeros(one.shape[:2], np.uint8)
    first, second, third = cv2.split(cv2.absdiff(one, other))
    return cv2.max(cv2.max(first, second), third).reshape(one.shape[:2])


def _smooth_columns(fields: np.ndarray, coupling: np.ndarray, weight: np.float32) -> np.ndarray:
    """Minimise (x - f)^2 + weight * coupling * (difference of neighbours)^2 down the columns of (k, n, m).

    `coupling` (n - 1, m) is between a row and the next.
    """
    off = -weight * coupling
    diagonal = np.ones(fields.shape[1:], np.float32)
    diagonal[:-1] -= off
    diagonal[1:] -= off
    return _solve_columns(diagonal, off, fields)


def _solve_columns(diagonal: np.ndarray, off: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Solve a symmetric tridiagonal system per column, by odd-even reduction.

    Every second unknown is put in terms of its neighbours, which leaves a system of half the size. That does more
    arithmetic than elimination from one end to the other, but on whole rows at a time, in less time than LAPACK's
    `sptsv`.

    Args:
        diagonal: (n, m), dominant.
        off: (n - 1, m), between a row and the next.
        fields: (k, n, m) right-hand sides, not changed.
    """
    n = len(diagonal)
    if n == 1:
        return fields / diagonal
    odd = (
        n // 2
    )  # rows 1, 3, 5... go; each has an even one before it, and the last one may have none behind it
    behind = (n - 1) // 2
    inverse = 1.0 / diagonal[1::2]
    before = off[0::2] * inverse
    after = off[1::2] * inverse[:behind]
    rest = diagonal[0::2].copy()
    rest[:odd] -= off[0::2] * before
    rest[1 : behind + 1] -= off[1::2] * after
    fold = fields[:, 0::2].copy()
    fold[:, :odd] -= before * fields[:, 1::2]
    fold[:, 1 : behind + 1] -= after * fields[:, 1 : 2 * behind : 2]
    solution = np.empty_like(fields)
    even = _solve_columns(rest, -off[0 : 2 * behind : 2] * after, fold)
    solution[:, 0::2] = even
    gone = inverse * fields[:, 1::2]
    gone -= before * even[:, :odd]
    gone[:, :behind] -= after * even[:, 1 : behind + 1]
    solution[:, 1::2] = gone
    return solution
