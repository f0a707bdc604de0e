"""Which object each moving pixel belongs to, where objects touch.

Four things speak for an object at a pixel: its trajectories near by, its mask carried along the flow, that the pixel
moves as the object does, and that it has the object's colours. They are spread along image edges, object by object;
the strongest has the pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .labels import regions_of
from .smoothing import EdgeAwareSmoother

# What a trajectory counts against a pixel of the carried mask.
ANCHOR_WEIGHT = 10.0
# What an object that no trajectory carries loses against those that touch it.
UNANCHORED = 1.0
# Squared reach of the spreading, working px.
REACH = 60.0
# Support below which an object has no say in a pixel.
LEAST_SUPPORT = 0.05
# Accuracy of the dense flow, working px, and the share of the motion by which parts of an object differ.
FLOW_NOISE = 1.0
FLOW_SLACK = 0.2
# Largest log-likelihood ratio of the flow between two objects.
FLOW_LIMIT = 3.0
# Limit of the log-likelihood ratio of colours.
LOOK_LIMIT = 3.0
# Trajectories from which an object's motion is fitted as affine in the position, fewer give a mean.
AFFINE_COUNT = 8


@dataclass(frozen=True, eq=False)
class Anchors:
    """Trajectories that carry objects: (K, 2) int px, (K,) ids, (K, 2) motion beside the background, px per frame."""

    points: np.ndarray
    owners: np.ndarray
    motions: np.ndarray

    def seeds(self, size: tuple[int, int]) -> np.ndarray:
        """(h, w) int32: ids at the anchors, 0 elsewhere."""
        seeds = np.zeros(size, np.int32)
        seeds[self.points[:, 1], self.points[:, 0]] = self.owners
        return seeds

    def of(self, ids: list[int]) -> Anchors:
        """Those of the objects `ids`."""
        keep = np.isin(self.owners, ids)
        return Anchors(self.points[keep], self.owners[keep], self.motions[keep])


def share_out(
    foreground: np.ndarray,
    carried: np.ndarray,
    anchors: Anchors,
    beside: np.ndarray | None,
    gap: int,
    smoother: EdgeAwareSmoother,
    look: Callable[[int, tuple[slice, slice]], np.ndarray],
) -> np.ndarray:
    """Give the moving pixels to objects.

    Args:
        foreground: (h, w) bool, pixels that move.
        carried: (h, w) int32, the labels of the frame before, carried along the flow.
        anchors: trajectories of the objects.
        beside: (h, w, 2) px per frame, how each pixel moves beside the background over `gap` frames, or None.
        smoother: of this image.
        look: object id and part of the image (slices) -> log-likelihood of the colours there.

    Returns:
        (h, w) int32 labels; regions in which no object has a seed are 0.
    """
    seeds = anchors.seeds(foreground.shape)
    claims = np.where(seeds > 0, seeds, carried)
    labels, contested = regions_of(foreground, claims)
    if not contested.any():
        return labels
    x, y, width, height = cv2.boundingRect(contested.view(np.uint8))
    box = np.s_[y : y + height, x : x + width]
    contested, claims, seeds, carried = contested[box], claims[box], seeds[box], carried[box]
    smoother = smoother.crop(box)
    ids = np.unique(claims[contested])
    ids = ids[ids > 0]
    support = (carried == ids[:, None, None]).astype(np.float32)
    support += ANCHOR_WEIGHT * (seeds == ids[:, None, None])
    support[:, seeds > 0] *= seeds[seeds > 0] == ids[:, None]
    looks = np.stack([look(int(i), box) for i in ids])
    looks = np.clip(looks - looks.mean(0), -LOOK_LIMIT, LOOK_LIMIT)
    support, looks = np.split(smoother(np.concatenate([support, looks]), REACH, passes=1), 2)
    support = np.log(np.maximum(support, 0) + LEAST_SUPPORT) + looks
    support -= UNANCHORED * ~np.isin(ids, anchors.owners)[:, None, None]
    # Dense flow that misses the objects' own trajectories (it loses small things that are fast) has no say.
    if beside is not None and all(_flow_holds(anchors.of([int(i)]), beside, gap) for i in ids):
        support += np.stack([_flow_fit(anchors, int(i), beside[box], gap, (x, y)) for i in ids])
    labels[box][contested] = ids[support.argmax(0)][contested]
    return labels


def _flow_noise(motion: np.ndarray, gap: int) -> float:
    """Accuracy of the dense motion, px per frame, of something that moves by `motion` (2,) px per frame."""
    return FLOW_NOISE / gap + FLOW_SLACK * float(np.linalg.norm(motion))


def _flow_holds(anchors: Anchors, beside: np.ndarray, gap: int) -> bool:
    """Whether the dense motion (h, w, 2) agrees with most of one object's trajectories."""
    known = ~np.isnan(anchors.motions).any(1)
    points, motions = anchors.points[known], anchors.motions[known]
    if len(points) == 0:
        return True
    miss = np.linalg.norm(beside[points[:, 1], points[:, 0]] - motions, axis=1)
    return bool(np.median(miss) < 2 * _flow_noise(np.median(motions, axis=0), gap))


def _flow_fit(
    anchors: Anchors, object_id: int, beside: np.ndarray, gap: int, corner: tuple[int, int]
) -> np.ndarray:
    """(h, w) float32 log-likelihood, up to a constant, of the dense motion if a pixel is the object's.

    `beside` (h, w, 2) is the part of the image that begins at `corner` (x, y).
    """
    mine = (anchors.owners == object_id) & ~np.isnan(anchors.motions).any(1)
    points, motions = anchors.points[mine].astype(np.float64), anchors.motions[mine]
    h, w = beside.shape[:2]
    if len(points) == 0:
        return np.full((h, w), -0.5 * FLOW_LIMIT, np.float32)
    centre = np.median(motions, axis=0)
    noise = _flow_noise(centre, gap)
    expected = centre.astype(np.float32)
    if len(points) >= AFFINE_COUNT:
        middle = points.mean(0)
        design = np.column_stack([np.ones(len(points)), points - middle])
        # A ridge keeps the gradients at zero where the points do not tell.
        ridge = np.diag([0.0, 100.0, 100.0])
        weights = 1.0 / (1.0 + (np.linalg.norm(motions - centre, axis=1) / (2 * noise)) ** 2)
        normal = design.T @ (design * weights[:, None]) + ridge
        fit = np.linalg.solve(normal, design.T @ (motions * weights[:, None])).astype(np.float32)
        x = np.arange(w, dtype=np.float32) + corner[0]
        y = np.arange(h, dtype=np.float32)[:, None] + corner[1]
        x, y = x - np.float32(middle[0]), y - np.float32(middle[1])
        expected = [fit[0, k] + x * fit[1, k] + y * fit[2, k] for k in (0, 1)]
    away = (beside[..., 0] - expected[0]) ** 2 + (beside[..., 1] - expected[1]) ** 2
    return -np.minimum(away / np.float32(2 * noise**2), FLOW_LIMIT)
