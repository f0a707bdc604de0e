"""What TAPIR says of points, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Probability above which the release calls a point visible, hidden, or neither.
SURE = 0.5


@dataclass(frozen=True, eq=False)
class SlotAnswers:
    """What TAPIR says of R points in one frame; or in the K newest, then with an axis (R, K) in each array.

    Args:
        positions: (R, 2) float32, x and y in pixels of TAPIR's square image.
        occlusion: (R,) float32, logit that the point is hidden.
        distance: (R,) float32, logit that the position is far off.
    """

    positions: np.ndarray
    occlusion: np.ndarray
    distance: np.ndarray


def read_answers(found: Mapping[str, list[Tensor]], iterations: int) -> SlotAnswers:
    """What `TAPIR.estimate_trajectories` found of R points in K frames, with an axis of frames.

    As TAPIR itself does with several resolutions: the mean of what each has come to in the end.

    Args:
        iterations: refinements per resolution.
    """
    positions, occlusion, distance = (
        torch.stack(found[name][iterations::iterations]).mean(0)[0]
        for name in ("tracks", "occlusion", "expected_dist")
    )
    packed = torch.cat([positions, occlusion[..., None], distance[..., None]], dim=-1).float().cpu().numpy()
    return SlotAnswers(packed[..., :2], packed[..., 2], packed[..., 3])


def gate(occlusion: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible (bool), visibility and gated confidence (float32) from TAPIR's logits of any one shape, as the release
    has them.

    A point is visible where visibility times confidence is above 1/2, hidden where (1 - visibility) times confidence
    is; where neither holds its confidence counts as 0.
    """
    visibility = 1.0 / (1.0 + np.exp(occlusion))
    confidence = 1.0 / (1.0 + np.exp(distance))
    visible = visibility * confidence > SURE
    sure = visible | ((1.0 - visibility) * confidence > SURE)
    return visible, visibility.astype(np.float32), np.where(sure, confidence, 0).astype(np.float32)


def to_raster(points: np.ndarray, resolution: int, size: tuple[int, int]) -> np.ndarray:
    """Image px (pixel centres at integers) to TAPIR's (corners at integers, image scaled to a square), (..., 2)."""
    return ((points + 0.5) * resolution / np.array(size[::-1])).astype(np.float32)


def to_image(points: np.ndarray, resolution: int, size: tuple[int, int]) -> np.ndarray:
    """The inverse of `to_raster`."""
    return (points * np.array(size[::-1]) / resolution - 0.5).astype(np.float32)
