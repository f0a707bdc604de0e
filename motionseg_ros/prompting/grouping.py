"""Moving trajectories that lie near each other and move alike are one object.

Segment Any Motion groups by prompting SAM 2 again and again (Algorithm 1); without a mask model at hand, nearness
and common motion do it: connected components of the graph that links such trajectories.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..core.config import GroupingConfig

# Difference of motions that is noise, px per frame as a share of the longer side.
SLACK = 5e-4


class ProximityGrouper:
    """See the module's text."""

    def __init__(self, config: GroupingConfig) -> None:
        self._config = config

    def __call__(self, positions: np.ndarray, motions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Group number per trajectory.

        Args:
            positions: (N, 2) px.
            motions: (N, G, 2) px per frame beside the background, over several gaps; NaN where unknown.
            size: (height, width) of the image, px.

        Returns:
            (N,) int64, numbered from 0 by falling size; -1 for groups below `min_trajectories`.
        """
        n = len(positions)
        if n == 0:
            return np.zeros(0, np.int64)
        unit = max(size)
        pairs = cKDTree(positions).query_pairs(self._config.reach * unit, output_type="ndarray")
        a, b = motions[pairs[:, 0]], motions[pairs[:, 1]]
        speed = np.maximum(np.linalg.norm(a, axis=2), np.linalg.norm(b, axis=2))
        apart = np.linalg.norm(a - b, axis=2) > self._config.max_difference * speed + SLACK * unit
        alike = ~apart.any(axis=1)  # comparisons with NaN are False: what is unknown does not part them
        rows, columns = pairs[alike].T
        graph = coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
        _, component = connected_components(graph, directed=False)
        counts = np.bincount(component)
        order = np.argsort(-counts, kind="stable")
        number = np.full(len(counts), -1, np.int64)
        large = order[counts[order] >= self._config.min_trajectories]
        number[large] = np.arange(len(large))
        return number[component]
