"""The background's motion between frames, seen through trajectories.

Every earlier frame is aligned to the newest one by a homography (MAGSAC over trajectories). What a trajectory
moves beside that alignment is its residual. A residual is judged relative to the spread of all residuals, not in
absolute pixels: in a scene with depth, static things part from the homography too, by a continuous range of
amounts, and only what stands out of that range moves on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .threads import map_in_threads
from .types import Tracks

# Both are shares of the image's longer side: 0.3 px and 2 px at 854 px.
NOISE = 3.5e-4
INLIER = 2.3e-3
MIN_TRAJECTORIES = 12
# Point pairs that the search for the majority looks at; the fit takes all that agree with it.
SEARCHED = 200


@dataclass(frozen=True, eq=False)
class BackgroundMotion:
    """Alignments of earlier frames with the newest one, and what N trajectories do beside them.

    Args:
        homographies: frame gap -> (3, 3) float64, from the newest frame to the frame `gap` earlier, full-image px.
        residuals: frame gap -> (N, 2) float32 px, position in the earlier frame less the aligned newest position;
            NaN where a trajectory is not visible in both frames.
        noise: px, the accuracy of a tracked position.
    """

    homographies: dict[int, np.ndarray]
    residuals: dict[int, np.ndarray]
    noise: float

    @property
    def gaps(self) -> tuple[int, ...]:
        """The frame gaps that could be aligned, ascending."""
        return tuple(sorted(self.homographies))

    def spread(self, gap: int) -> float:
        """Median length of the residuals over a gap, px: noise, plus parallax where the scene has depth."""
        return float(np.nanmedian(np.linalg.norm(self.residuals[gap], axis=1)))

    def excess(self, n: int) -> np.ndarray:
        """(n,) float32: mean over the gaps of log((residual + noise) / (spread + noise)); NaN without any gap.

        The mean of logarithms (a geometric mean) is what makes one threshold fit fast and slow scenes.
        """
        if not self.homographies:
            return np.full(n, np.nan, np.float32)
        ratios = np.stack(
            [relative_log(self._length(gap), self.spread(gap), self.noise) for gap in self.gaps]
        )
        known = ~np.isnan(ratios)
        total = np.where(known, ratios, 0).sum(0)
        return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan).astype(np.float32)

    def motions(self, n: int) -> np.ndarray:
        """(n, gaps, 2) float32, px per frame: motion beside the background over each gap; NaN unknown."""
        if not self.homographies:
            return np.full((n, 0, 2), np.nan, np.float32)
        return np.stack([-self.residuals[gap] / gap for gap in self.gaps], axis=1)

    def velocity(self, n: int) -> np.ndarray:
        """(n, 2) float32, px per frame: motion beside the background, over the longest gap up to 4; NaN unknown."""
        velocity = np.full((n, 2), np.nan, np.float32)
        for gap in (g for g in self.gaps if g <= 4):
            step = -self.residuals[gap] / gap
            velocity = np.where(np.isnan(step), velocity, step)
        return velocity

    def step(self, n: int, gap: int) -> np.ndarray:
        """(n, 2) float32, px per frame: motion beside the background over one gap; NaN unknown."""
        if gap not in self.residuals:
            return np.full((n, 2), np.nan, np.float32)
        return -self.residuals[gap] / gap

    def _length(self, gap: int) -> np.ndarray:
        return np.linalg.norm(self.residuals[gap], axis=1)


def relative_log(residual: np.ndarray, spread: float, noise: float) -> np.ndarray:
    """log((residual + noise) / (spread + noise)), elementwise; all in the same pixels."""
    return np.log((residual + noise) / (spread + noise))


def fit_background(
    tracks: Tracks, size: tuple[int, int], gaps: tuple[int, ...], static: np.ndarray | None = None
) -> BackgroundMotion:
    """Align the newest frame with the frames `gaps` earlier.

    Args:
        tracks: the window's trajectories.
        size: (height, width) of the image, px.
        gaps: frame gaps; those longer than the window, or with fewer than 12 common trajectories, are left out.
        static: (N,) bool, trajectories to fit; without it, or where too few are left, all are used.

    Returns:
        the alignments with residuals for all N trajectories.
    """
    unit = max(size)
    newest = tracks.num_frames - 1

    def fit(gap: int) -> tuple[np.ndarray, np.ndarray] | None:
        common = tracks.visible[:, newest] & tracks.visible[:, newest - gap]
        fitted = common if static is None else common & static
        if fitted.sum() < 2 * MIN_TRAJECTORIES:
            fitted = common
        if fitted.sum() < MIN_TRAJECTORIES:
            return None
        start, end = tracks.positions[:, newest], tracks.positions[:, newest - gap]
        homography = _robust_homography(start[fitted], end[fitted], INLIER * unit)
        if homography is None:
            return None
        aligned = cv2.perspectiveTransform(start[None], homography)[0]
        return homography, np.where(common[:, None], end - aligned, np.nan).astype(np.float32)

    gaps = [gap for gap in gaps if 0 < gap <= newest]
    fits = {gap: found for gap, found in zip(gaps, map_in_threads(fit, gaps), strict=True) if found}
    return BackgroundMotion(
        {gap: homography for gap, (homography, _) in fits.items()},
        {gap: residuals for gap, (_, residuals) in fits.items()},
        NOISE * unit,
    )


def agreement(tracks: Tracks, size: tuple[int, int]) -> float | None:
    """Share of the trajectories that one homography takes from the frame before to the newest one.

    Of points that were really followed most agree, also in a fast pan; what was found again by chance in another
    scene does not.

    Returns:
        0..1, or None where fewer than 12 trajectories go on.
    """
    if tracks.num_frames < 2:
        return None
    common = tracks.visible[:, -1] & tracks.visible[:, -2]
    if common.sum() < MIN_TRAJECTORIES:
        return None
    start, end = tracks.positions[common, -2], tracks.positions[common, -1]
    homography = _robust_homography(start, end, INLIER * max(size))
    if homography is None:
        return 0.0
    aligned = cv2.perspectiveTransform(start[None], homography)[0]
    return float((np.linalg.norm(end - aligned, axis=1) < 2 * INLIER * max(size)).mean())


def _robust_homography(start: np.ndarray, end: np.ndarray, tolerance: float) -> np.ndarray | None:
    """(3, 3) homography of the majority of point pairs (N, 2), or None where there is none.

    MAGSAC's answer is a minimal sample's; the least-squares fit to its inliers is many times as accurate.
    """
    some = np.s_[:: max(1, len(start) // SEARCHED)]
    try:
        rough, _ = cv2.findHomography(
            start[some], end[some], cv2.USAC_MAGSAC, tolerance, maxIters=500, confidence=0.999
        )
    except cv2.error:  # some degenerate point sets trip an assertion instead of giving no model
        return None
    if rough is None or not np.isfinite(rough).all():
        return None
    aligned = cv2.perspectiveTransform(start[None], rough)[0]
    inlier = np.linalg.norm(end - aligned, axis=1) < tolerance
    if inlier.sum() < MIN_TRAJECTORIES:
        return rough
    fine, _ = cv2.findHomography(start[inlier], end[inlier], 0)
    return rough if fine is None or not np.isfinite(fine).all() else fine
