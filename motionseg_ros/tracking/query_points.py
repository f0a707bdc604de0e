"""Follows points of the caller's choice (Lucas-Kanade), as SAM-PT wants it: a lost one stays, as occluded.

The trajectories of `lucas_kanade.py` cover the image evenly and come and go as that asks for; these are the user's.
Being lost is for good: the tracker has nothing to find a point by that was out of sight. New points are sampled for
that (`prompting/reinitialisation.py`).
"""

from __future__ import annotations

import numpy as np

from ..core.image import WorkingImage
from ..core.window import SlidingWindow
from .lucas_kanade import lucas_kanade


class QueryPoints:
    """See the module's text. State: the place of each point in the newest frame, in working pixels."""

    def __init__(self, max_round_trip: float) -> None:
        """`max_round_trip`: largest forward-backward error, px of the working image."""
        self._limit = max_round_trip
        self.reset()

    def reset(self) -> None:
        """Forget all points."""
        self._next_id = 0
        self._points: dict[int, np.ndarray] = {}
        self._visible: dict[int, bool] = {}

    def add(self, window: SlidingWindow, points: np.ndarray, back: int = 0) -> list[int]:
        """Take points into the newest frame.

        Args:
            points: (K, 2) px of the full image, in the frame `back` frames before the newest one of the window; they
                are followed from there.

        Returns:
            an id per point.

        Raises:
            ValueError: the window does not reach back that far.
        """
        image = window.back(back)
        if image is None:
            raise ValueError(f"back must be less than {len(window)}, but got {back}")
        places = image.to_working(np.asarray(points, np.float32)).astype(np.float32)
        visible = np.ones(len(places), bool)
        for gap in range(back, 0, -1):
            places, visible = self._follow(window.back(gap), window.back(gap - 1), places, visible)
        ids = list(range(self._next_id, self._next_id + len(places)))
        self._next_id += len(places)
        self._points |= zip(ids, places, strict=True)
        self._visible |= zip(ids, visible.tolist(), strict=True)
        return ids

    def push(self, window: SlidingWindow) -> None:
        """Follow all points into the window's newest frame; nothing in its first one."""
        before = window.back(1)
        if before is None or not self._points:
            return
        ids = list(self._points)
        visible = np.array([self._visible[i] for i in ids])
        places, visible = self._follow(before, window.newest, np.stack(list(self._points.values())), visible)
        self._points = dict(zip(ids, places, strict=True))
        self._visible = dict(zip(ids, visible.tolist(), strict=True))

    def remove(self, ids: list[int]) -> None:
        """Forget points."""
        for point_id in ids:
            self._points.pop(point_id, None)
            self._visible.pop(point_id, None)

    def at(self, ids: list[int], image: WorkingImage) -> tuple[np.ndarray, np.ndarray]:
        """Positions (K, 2) float32 in px of the full image, and whether each is visible (K,) bool.

        `image`: the newest frame.
        """
        places = np.array([self._points[i] for i in ids], np.float32).reshape(-1, 2)
        height, width = image.full_size
        # One on the border comes back from working pixels a rounding error outside.
        positions = np.clip(image.to_full(places), 0, np.array([width - 1, height - 1]))
        return positions.astype(np.float32), np.array([self._visible[i] for i in ids], bool)

    def _follow(
        self, source: WorkingImage, target: WorkingImage, points: np.ndarray, visible: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places and visibility in `target`; what was lost before stays where it was lost."""
        end, ok = lucas_kanade(source.pyramid, target.pyramid, points, points)
        back, ok_back = lucas_kanade(target.pyramid, source.pyramid, end, points)
        h, w = target.size
        good = visible & ok & ok_back & (np.linalg.norm(back - points, axis=1) <= self._limit)
        good &= (end >= 0).all(1) & (end[:, 0] <= w - 1) & (end[:, 1] <= h - 1)
        return np.where(good[:, None], end, points).astype(np.float32), good
