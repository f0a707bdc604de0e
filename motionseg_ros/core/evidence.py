"""What the trajectories say about the newest frame, for the mask model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .appearance import ObjectColours
from .background import BackgroundMotion


@dataclass(frozen=True, eq=False)
class MotionEvidence:
    """The window's N trajectories, as of the newest frame.

    Args:
        positions: (N, 2) float32, full-image px.
        moving: (N,) float32, belief that each moves on its own, 0..1.
        known: (N,) bool, False for those too young to have been classified; their `moving` is a prior.
        owners: (N,) int64, id of the object that each carries, 0 for none.
        background: the background's motion from the newest frame to earlier ones.
        still: ids of the objects that stand still at the moment.
        colours: what the objects look like.
    """

    positions: np.ndarray
    moving: np.ndarray
    known: np.ndarray
    owners: np.ndarray
    background: BackgroundMotion
    still: frozenset[int] = frozenset()
    colours: ObjectColours = field(default_factory=ObjectColours)

    def __post_init__(self) -> None:
        n = len(self.positions)
        for name, array in (("moving", self.moving), ("known", self.known), ("owners", self.owners)):
            if array.shape != (n,):
                raise ValueError(f"{name} must be ({n},), but got {array.shape}")
