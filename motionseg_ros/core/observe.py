"""From mask logits and trajectories to a label image and one observation per object. Pure functions."""

from __future__ import annotations

import cv2
import numpy as np

from .beliefs import log_odds
from .objects import Observation
from .types import MaskLogits


def compose(masks: dict[int, MaskLogits], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One label per pixel: the object with the largest positive logit.

    Args:
        masks: of each object id.
        size: (H, W) of the image.

    Returns:
        labels (H, W) uint16, and the winning logits (H, W) float32 (0 on the background).
    """
    labels = np.zeros(size, np.uint16)
    best = np.zeros(size, np.float32)
    for object_id, mask in sorted(masks.items()):
        there = best[mask.box]
        labels[mask.box][mask.logits > there] = object_id
        np.maximum(there, mask.logits, out=there)
    return labels, best


def compress(field: np.ndarray | None) -> np.ndarray | None:
    """Logits as int8, 16 to the unit and clipped to about 8."""
    return None if field is None else np.rint(np.clip(16 * field, -127, 127)).astype(np.int8)


def sample(labels: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(N,) int64: the label (H, W) under each position (N, 2) px, the nearest one for positions outside."""
    height, width = labels.shape
    column = np.clip(np.rint(positions[:, 0]), 0, width - 1).astype(np.int64)
    row = np.clip(np.rint(positions[:, 1]), 0, height - 1).astype(np.int64)
    return labels[row, column].astype(np.int64)


def touching(labels: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of ids, the smaller first, that are neighbours somewhere in a label image (H, W)."""
    pairs = set()
    for one, other in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        border = (one != other) & (one > 0) & (other > 0)
        found = np.unique(np.sort(np.column_stack([one[border], other[border]]), axis=1), axis=0)
        pairs.update((int(a), int(b)) for a, b in found)
    return pairs


def observe(
    labels: np.ndarray,
    logits: np.ndarray,
    boxes: dict[int, tuple[slice, slice]],
    under: np.ndarray,
    moving: np.ndarray,
    known: np.ndarray,
    velocities: np.ndarray,
    relative: np.ndarray,
) -> dict[int, Observation]:
    """What the frame shows of each object in the label image.

    Args:
        labels: (H, W) uint16.
        logits: (H, W) float32, the objects' winning logits.
        boxes: rows and columns of the image in which each object may lie.
        under: (N,) int64, label under each trajectory.
        moving: (N,) belief that each trajectory moves.
        known: (N,) bool, False for trajectories too young to have been classified.
        velocities: (N, 2) px per frame in the image, NaN where unknown.
        relative: (N, 2) px per frame beside the background, NaN where unknown.
    """
    found = {}
    for object_id, (rows, columns) in boxes.items():
        mine = labels[rows, columns] == object_id
        x, y, width, height = cv2.boundingRect(mine.view(np.uint8))
        if width == 0:  # others lie before all of it
            continue
        mask = mine[y : y + height, x : x + width].copy()
        x, y = x + columns.start, y + rows.start
        certainty = 1.0 / (1.0 + np.exp(-logits[y : y + height, x : x + width][mask]))
        on = under == object_id
        found[object_id] = Observation(
            mask=mask,
            roi=(x, y, width, height),
            motion_score=float(moving[on].mean()) if on.any() else 0.0,
            evidence=float(log_odds(moving[on & known]).sum()),
            mask_score=float(certainty.mean()),
            velocity=_median(velocities[on]),
            speed=_median_length(relative[on]),
            num_trajectories=int(on.sum()),
        )
    return found


def _median(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors[~np.isnan(vectors).any(1)]
    return np.median(vectors, axis=0) if len(vectors) else np.zeros(2)


def _median_length(vectors: np.ndarray) -> float:
    vectors = vectors[~np.isnan(vectors).any(1)]
    return float(np.median(np.linalg.norm(vectors, axis=1))) if len(vectors) else float("nan")
