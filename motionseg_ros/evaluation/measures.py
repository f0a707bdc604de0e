"""Region similarity J, boundary measure F and their statistics over a sequence, as DAVIS defines them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016;
Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

BOUNDARY_TOLERANCE = 0.008
"""How far two boundaries may lie apart and still match, as a share of the image's diagonal."""
RECALL_THRESHOLD = 0.5
"""A frame counts for the recall where its score is above this."""


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """J: intersection over union of two (H, W) bool masks; 1 where both are empty."""
    union = np.count_nonzero(truth | prediction)
    return 1.0 if union == 0 else np.count_nonzero(truth & prediction) / union


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """The mask's boundary, one pixel wide, half a pixel towards the origin from where the mask ends.

    A pixel is on it where it differs from its right, lower or lower-right neighbour. In the last row only the
    right and in the last column only the lower neighbour exists; the last corner is never on it.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool.
    """
    boundary = np.zeros_like(mask)
    boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def tolerance_px(size: tuple[int, int], tolerance: float = BOUNDARY_TOLERANCE) -> int:
    """The tolerance in whole pixels, rounded up, for an image of (height, width) `size`."""
    return math.ceil(tolerance * np.linalg.norm(size))


@dataclass(frozen=True, eq=False)
class Boundary:
    """A mask's boundary, prepared for comparison with any number of others.

    Args:
        at: (K,) int64, flat indices of the boundary's pixels.
        near: (H * W,) bool, True within the tolerance of the boundary.
    """

    at: np.ndarray
    near: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, tolerance: float = BOUNDARY_TOLERANCE) -> Boundary:
        """The boundary of an (H, W) bool mask."""
        boundary = boundary_map(mask)
        near = cv2.dilate(boundary.view(np.uint8), _disk(tolerance_px(mask.shape, tolerance)))
        return cls(np.flatnonzero(boundary), near.view(bool).ravel())


def boundary_agreement(truth: Boundary, prediction: Boundary) -> float:
    """F: harmonic mean of precision and recall of the predicted boundary; 1 where both are empty."""
    if not len(truth.at) or not len(prediction.at):
        return float(len(truth.at) == len(prediction.at))
    precision = np.count_nonzero(truth.near[prediction.at]) / len(prediction.at)
    recall = np.count_nonzero(prediction.near[truth.at]) / len(truth.at)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def boundary_measure(
    truth: np.ndarray, prediction: np.ndarray, tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """F of two (H, W) bool masks; `tolerance` is a share of the image's diagonal."""
    return boundary_agreement(Boundary.of(truth, tolerance), Boundary.of(prediction, tolerance))


@dataclass(frozen=True)
class Statistics:
    """Of one score over the frames of a sequence.

    Args:
        mean: over all frames.
        recall: share of frames whose score is above 0.5.
        decay: mean of the first quarter of the frames less that of the last.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: Sequence[float] | np.ndarray) -> Statistics:
    """Mean, recall and decay of a sequence's per-frame scores.

    The quarters share their end frames, as in the official evaluation.

    Raises:
        ValueError: no values.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must be (T,) with T > 0, but got {values.shape}")
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[ends[0] : ends[1] + 1], values[ends[3] : ends[4] + 1]
    return Statistics(
        float(values.mean()),
        float((values > RECALL_THRESHOLD).mean()),
        float(first.mean() - last.mean()),
    )


@cache
def _disk(radius: int) -> np.ndarray:
    """(2 r + 1, 2 r + 1) uint8, 1 where the distance to the centre is at most `radius`."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius).astype(np.uint8)
