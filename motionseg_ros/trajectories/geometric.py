"""Classifier without weights: what stands out of the background's own residuals moves.

The window's frames are aligned with the newest one by homographies; a trajectory's excess over the spread of all
residuals, averaged over several gaps, becomes a probability. Two-view geometry enters where it is needed only: in
a scene whose residuals are not noise but parallax, what keeps to the epipolar geometry of the background is taken
back as far as it does. (In a scene without parallax that test would be wrong: a plane and one object that
translates fit one fundamental matrix.)
"""

from __future__ import annotations

import cv2
import numpy as np

from ..core.background import MIN_TRAJECTORIES, BackgroundMotion, fit_background, relative_log
from ..core.config import ClassifierConfig
from ..core.types import Tracks

GAPS = (1, 2, 4, 8)


class GeometricClassifier:
    """See the module's text."""

    def __init__(self, config: ClassifierConfig) -> None:
        self._config = config

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory, (N,) float32; 0 where the window is too short or too empty to tell.

        `depth` and `semantics` are accepted for the protocol's sake and not used.
        """
        background = fit_background(tracks, size, GAPS)
        if not background.gaps:
            return np.zeros(len(tracks), np.float32)
        excess = background.excess(len(tracks))
        excess += np.minimum(self._epipolar_excess(tracks, background, excess) - self._config.threshold, 0)
        logit = self._config.steepness * (excess - self._config.threshold)
        probability = 1.0 / (1.0 + np.exp(-np.clip(np.nan_to_num(logit, nan=-20.0), -20, 20)))
        return probability.astype(np.float32)

    def _epipolar_excess(
        self, tracks: Tracks, background: BackgroundMotion, excess: np.ndarray
    ) -> np.ndarray:
        """Like `BackgroundMotion.excess`, of Sampson distances to the background's epipolar geometry.

        Returns:
            (N,) float32; infinite where no gap shows parallax, or the trajectory is in none of those that do.
        """
        start = tracks.positions[:, -1]
        total = np.zeros(len(tracks), np.float32)
        count = np.zeros(len(tracks), np.float32)
        for gap in background.gaps[1:]:  # over one frame, parallax is hardly more than noise
            if background.spread(gap) < self._config.parallax * background.noise:
                continue
            end = tracks.positions[:, -1 - gap]
            common = ~np.isnan(background.residuals[gap][:, 0])
            static = common & (excess < self._config.threshold)
            if static.sum() < 2 * MIN_TRAJECTORIES:
                continue
            fundamental = _robust_fundamental(start[static], end[static], 2 * background.noise)
            if fundamental is None:
                continue
            distance = sampson_distance(start, end, fundamental)
            ratio = relative_log(distance, float(np.median(distance[static])), background.noise)
            total += np.where(common, ratio, 0)
            count += common
        return np.where(count > 0, total / np.maximum(count, 1), np.inf).astype(np.float32)


def _robust_fundamental(start: np.ndarray, end: np.ndarray, tolerance: float) -> np.ndarray | None:
    """(3, 3) fundamental matrix of the majority of point pairs (N, 2) px, or None where there is none."""
    try:
        fundamental, _ = cv2.findFundamentalMat(start, end, cv2.USAC_MAGSAC, tolerance, 0.999, 500)
    except cv2.error:  # some degenerate point sets trip an assertion instead of giving no model
        return None
    return fundamental if fundamental is not None and fundamental.shape == (3, 3) else None


def sampson_distance(start: np.ndarray, end: np.ndarray, fundamental: np.ndarray) -> np.ndarray:
    """First-order distance of point pairs to a fundamental matrix.

    Args:
        start, end: (N, 2) px; ``end^T F start = 0`` for a static point.
        fundamental: (3, 3).

    Returns:
        (N,) float64 px.
    """
    x = np.column_stack([start, np.ones(len(start))])
    y = np.column_stack([end, np.ones(len(end))])
    lines, back = x @ fundamental.T, y @ fundamental
    scale = np.sqrt((lines[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1))
    return np.abs((y * lines).sum(1)) / np.maximum(scale, 1e-12)
