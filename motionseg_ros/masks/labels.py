"""Which object each moving pixel belongs to. Pure functions on label images (0 background)."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.flow import pixel_grid


def carry(labels: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Labels (h, w) int32 of the frame before, moved to the newest frame along `flow` (newest to before) px."""
    h, w = labels.shape
    source = pixel_grid(h, w) + flow
    moved = cv2.remap(
        labels.astype(np.float32), source, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )
    return moved.astype(np.int32)


def regions_of(foreground: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which moving pixels belong to the only object of their region, and which are contested.

    Args:
        foreground: (h, w) bool, pixels that move.
        seeds: (h, w) int32, ids where an object is known to be, 0 elsewhere; seeds off the foreground do not count.

    Returns:
        (h, w) int32: the pixels of a connected foreground region with one seeded id have that id; the others are
        left 0 (without a seed, nothing but a flicker says that they move); and (h, w) bool: regions with several.
    """
    count, region = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
    seeds = np.where(foreground, seeds, 0)
    row, column = np.nonzero(seeds)
    if len(row) == 0:
        return np.zeros(foreground.shape, np.int32), np.zeros(foreground.shape, bool)
    ids, order = np.unique(seeds[row, column], return_inverse=True)
    present = (
        np.bincount(region[row, column] * len(ids) + order, minlength=count * len(ids)).reshape(count, -1) > 0
    )
    number = present.sum(1)
    sole = np.where(number == 1, ids[present.argmax(1)], 0).astype(np.int32)
    return sole[region], (number > 1)[region]


def free_regions(foreground: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """(h, w) int32: numbers of the connected regions of `foreground` (h, w) bool without any seed, 0 elsewhere."""
    count, region = cv2.connectedComponents(foreground.view(np.uint8), connectivity=8)
    free = np.ones(count, bool)
    free[region[seeds > 0]] = False
    free[0] = False
    return region * free[region]


def ids_in(labels: np.ndarray) -> np.ndarray:
    """Ascending ids in a label image, without the background."""
    ids = np.flatnonzero(np.bincount(labels.ravel()))
    return ids[ids > 0]


def drop_fragments(labels: np.ndarray, min_area: int, min_share: float = 0.1) -> np.ndarray:
    """Remove pieces of an object smaller than `min_area` px or `min_share` of its largest piece."""
    kept = np.zeros_like(labels)
    for object_id in ids_in(labels):
        mine = (labels == object_id).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mine)
        box = np.s_[y : y + height, x : x + width]
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(mine[box])
        area = stats[:, cv2.CC_STAT_AREA]
        area[0] = 0
        keep = area >= max(min_area, min_share * area.max())
        keep[0] = False
        kept[box][keep[pieces]] = object_id
    return kept
