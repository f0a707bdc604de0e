"""What is kept of trajectories from frame to frame, row by row."""

from __future__ import annotations

import numpy as np


def find(ids: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where trajectories are in an earlier list.

    Args:
        ids: (N,) int64.
        among: (M,) int64, the list.

    Returns:
        (N,) bool, which of the `ids` are in it, and in which row each of these is, int64.
    """
    order = np.argsort(among)
    place = np.searchsorted(among, ids, sorter=order)
    known = np.isin(ids, among)
    return known, order[place[known]]
