"""Moving trajectories that lie near each other and move alike are linked: they carry the same object.

Segment Any Motion groups by prompting SAM 2 again and again (Algorithm 1); without a mask model at hand, nearness
and common motion do it. Objects are what the links connect, over time: see `core.association`.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..core.config import GroupingConfig

# Difference of motions that is noise, px per frame as a share of the longer side.
SLACK = 5e-4


class ProximityGrouper:
    """See the module's text."""

    def __init__(self, config: GroupingConfig) -> None:
        self._config = config

    def links(self, positions: np.ndarray, motions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Pairs of trajectories that are near each other and move alike.

        Args:
            positions: (N, 2) px.
            motions: (N, G, 2) px per frame beside the background, over several gaps; NaN where unknown.
            size: (height, width) of the image, px.

        Returns:
            (L, 2) int64.
        """
        if len(positions) == 0:
            return np.zeros((0, 2), np.int64)
        reach = self._config.reach * max(size)
        pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray").astype(np.int64)
        return pairs[~self.differ(motions[pairs[:, 0]], motions[pairs[:, 1]], size)]

    def differ(
        self, one: np.ndarray, other: np.ndarray, size: tuple[int, int], tolerance: float = 1.0
    ) -> np.ndarray:
        """(K,) bool: whether motions (K, G, 2) differ over some gap; what is unknown does not part them."""
        speed = np.maximum(np.linalg.norm(one, axis=2), np.linalg.norm(other, axis=2))
        limit = self._config.max_difference * speed + SLACK * max(size)
        return (np.linalg.norm(one - other, axis=2) > tolerance * limit).any(
            axis=1
        )  # comparisons with NaN are False
