"""Segment Any Motion's iterative prompting: which trajectories one mask explains, again and again.

Algorithm 1 of the paper's supplement and the prompts per object of its section 3.3, as pure functions. Constants are
options, with the paper's values: see `PromptingConfig`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.distance import cdist

from ..core.config import PromptingConfig
from ..core.observe import sample

Predict = Callable[[int, np.ndarray], np.ndarray]
"""The mask model: of a frame's number and a point (2,) px that is clicked, the mask (H, W) bool."""


@dataclass(frozen=True, eq=False)
class PromptedGroup:
    """Trajectories that one mask explains.

    Args:
        frame: in which the mask model was prompted.
        mask: (H, W) bool, its answer.
        members: (K,) int64, the trajectories in the mask.
    """

    frame: int
    mask: np.ndarray
    members: np.ndarray


def group_by_prompting(
    positions: np.ndarray,
    visible: np.ndarray,
    size: tuple[int, int],
    predict: Predict,
    config: PromptingConfig,
) -> list[PromptedGroup]:
    """Algorithm 1: click at the densest point, take what the mask explains, go on with the rest.

    In the frame with most visible trajectories (the first of equals) the densest of them is clicked. The dilated mask
    explains those in it; they make an object when they are enough and one of them lies in the mask itself. A mask
    that explains none explains the clicked one (in the release it is clicked again until the rounds are over).

    Args:
        positions: (N, T, 2) px, of moving trajectories; on a stream T = 1, the newest frame, which the mask model
            has the features of.
        visible: (N, T) bool, whether each can be used.
        size: (height, width) of the image, px.
        predict: the mask model.

    Returns:
        the groups in the order in which they were found; no trajectory is in two of them.
    """
    left = np.arange(len(positions))
    take_all = len(left) <= config.take_all
    groups: list[PromptedGroup] = []
    for _ in range(config.max_rounds):
        if not visible[left].any():
            break
        frame = int(visible[left].sum(0).argmax())
        candidates = left[visible[left, frame]]
        points = positions[candidates, frame].astype(np.float32)
        clicked = densest(points, config.density_radius * max(size))
        mask = predict(frame, points[clicked])
        explained = sample(dilate(mask, config).view(np.uint8), points) > 0
        inside = sample(mask.view(np.uint8), points) > 0
        if inside.any() and (take_all or explained.sum() >= config.min_points):
            groups.append(PromptedGroup(frame, mask, candidates[inside]))
        explained[clicked] = True
        left = np.setdiff1d(left, candidates[explained])
        if len(left) < config.min_points:
            break
    return groups


def dilate(mask: np.ndarray, config: PromptingConfig) -> np.ndarray:
    """A mask (H, W) bool grown by the reach in which it still explains a trajectory."""
    if config.dilation < 2 or config.dilations == 0:
        return mask
    square = np.ones((config.dilation, config.dilation), np.uint8)
    return cv2.dilate(mask.view(np.uint8), square, iterations=config.dilations).view(bool)


def densest(points: np.ndarray, radius: float) -> int:
    """Index of the point (N, 2) with most others near it, by a Gaussian of the distance; the first of equals."""
    return int(np.exp(-0.5 * (cdist(points, points) / radius) ** 2).sum(1).argmax())


def object_points(points: np.ndarray, radius: float) -> np.ndarray:
    """(K, 2) float32, K <= 3: where an object is clicked (section 3.3).

    The densest of its points (N, 2) px and the two farthest: that farthest from it, and that farthest from both, so
    that they are not neighbours.
    """
    points = np.asarray(points, np.float32)
    chosen = [densest(points, radius)]
    while len(chosen) < min(3, len(points)):
        distance = cdist(points, points[chosen]).min(1)
        if distance.max() == 0:  # the others lie on top of each other
            break
        chosen.append(int(distance.argmax()))
    return points[chosen]
