"""Dense evidence of motion: what of the image does not go where the background goes.

Two tests per pixel and frame gap, both against the background's alignment with an earlier frame: does the optical
flow part from it (residual, relative to the spread of all trajectories' residuals), and does the aligned earlier
image explain the pixel's colour? The second removes what flow leaves around objects: what the background explains
over any gap is probably background.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..core.background import BackgroundMotion
from ..core.window import SlidingWindow

# Logits are clipped so that no single cue outvotes the others.
MOTION_LIMIT = 1.5
EXPLAINED_LIMIT = -6.0
UNEXPLAINED_LIMIT = 1.0
# The photometric test says nothing below this residual (working px): everything explains a pixel that rests.
MIN_RESIDUAL = 1.0
# DIS optical flow cannot take smaller images (OpenCV 5 crashes on some).
LEAST_SIDE = 32
# Frames over which objects are told apart by how fast they move: longer steps are more exact, but blur turns.
LONGEST_STEP = 4
_PIXEL = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class DenseMotion:
    """Evidence at working size.

    Args:
        logit: (h, w) float32, positive where the image moves on its own, 0 where nothing is known.
        explained: (h, w) float32, a second logit, negative where the aligned background explains the colour.
        known: (h, w) bool, False where the pixel's source lies outside every earlier frame.
        flow: (h, w, 2) float32 px, from the newest frame to the one before it, or None in the first frame.
        beside: (h, w, 2) float32 px per frame, what each pixel moved beside the background over `beside_gap`.
        beside_gap: frames; 0 in the first frame, where nothing is known.
    """

    logit: np.ndarray
    explained: np.ndarray
    known: np.ndarray
    flow: np.ndarray | None
    beside: np.ndarray | None = None
    beside_gap: int = 0


class DenseMotionEstimator:
    """Optical flow (DIS) over several gaps against the background's motion. State: the running threshold."""

    def __init__(self, steepness: float, threshold: float, colour_tolerance: float) -> None:
        """`steepness`, `threshold`: of the logistic in excess; `colour_tolerance`: in summed Lab levels."""
        self._steepness = steepness
        self._least_threshold = threshold
        self._tolerance = colour_tolerance
        # Down to half the working size like the medium preset, with the fast one's effort: masks as good, in about
        # 0.6 of the time.
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(1)
        self._dis.setVariationalRefinementIterations(2)
        self.reset()

    def reset(self) -> None:
        """Forget the running threshold."""
        self._threshold: float | None = None

    def __call__(self, window: SlidingWindow, background: BackgroundMotion) -> DenseMotion:
        """Evidence for the window's newest frame."""
        image = window.newest
        h, w = image.size
        grid = pixel_grid(h, w)
        excess = np.zeros((h, w), np.float32)
        log_residual = np.zeros((h, w), np.float32)
        explained = np.full((h, w), UNEXPLAINED_LIMIT, np.float32)
        gaps = np.zeros((h, w), np.float32)
        last_flow, beside, beside_gap = None, None, 0
        scale = float(image.scale.mean())
        noise = background.noise * scale
        for gap in background.gaps if min(h, w) >= LEAST_SIDE else ():
            earlier = window.back(gap)
            if earlier is None:
                continue
            homography = image.from_full @ background.homographies[gap] @ np.linalg.inv(image.from_full)
            source = cv2.perspectiveTransform(grid.reshape(1, -1, 2), homography)[0].reshape(h, w, 2)
            # The search begins at the background's motion, so that a fast pan costs no accuracy.
            flow = self._dis.calc(image.gray, earlier.gray, source - grid)
            if gap == 1:
                last_flow = flow
            inside = cv2.inRange(source, (1, 1, 0, 0), (w - 2, h - 2, 0, 0)) > 0
            residual = grid + flow - source
            if gap <= LONGEST_STEP:
                beside, beside_gap = residual / -gap, gap
            dx, dy = cv2.split(residual)
            log_length = np.where(inside, np.log(cv2.magnitude(dx, dy) + noise), 0)
            excess += log_length - inside * np.float32(np.log(background.spread(gap) * scale + noise))
            log_residual += log_length
            gaps += inside
            error = photometric_error(image.lab, earlier.lab, homography)
            verdict = np.clip(4.0 * (error / self._tolerance - 1.0), EXPLAINED_LIMIT, UNEXPLAINED_LIMIT)
            explained = np.where(inside, np.minimum(explained, verdict), explained)
        known = gaps > 0
        if not known.any():
            nothing = np.zeros((h, w), np.float32)
            return DenseMotion(nothing, nothing, known, last_flow, beside, beside_gap)
        excess /= np.maximum(gaps, 1)
        logit = self._steepness * (excess - self._adapt(excess[known]))
        logit = np.clip(logit, -MOTION_LIMIT, MOTION_LIMIT)
        moved = np.exp(log_residual / np.maximum(gaps, 1)) > MIN_RESIDUAL
        explained = np.where(moved & known, explained, 0)
        logit = np.where(known, logit, 0).astype(np.float32)
        return DenseMotion(logit, explained, known, last_flow, beside, beside_gap)

    def _adapt(self, excess: np.ndarray) -> float:
        """Otsu's threshold between the two populations, low-passed over frames, never under the least one.

        The least threshold keeps "nothing moves" an answer: Otsu finds two populations in any frame.
        """
        levels = np.clip((excess + 1.0) * 50.0, 0, 255).astype(np.uint8)
        otsu = (
            cv2.threshold(levels.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 50.0 - 1.0
        )
        self._threshold = otsu if self._threshold is None else 0.8 * self._threshold + 0.2 * otsu
        return max(self._threshold, self._least_threshold)


def pixel_grid(h: int, w: int) -> np.ndarray:
    """(h, w, 2) float32: the x and y of every pixel."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return np.stack([x, y], axis=-1)


def photometric_error(lab: np.ndarray, earlier: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """How far an aligned earlier image is from explaining each pixel's colour.

    Differences within the 3x3 neighbourhood's range are forgiven (misalignment up to one pixel); the rest is
    averaged over 5x5.

    Args:
        lab, earlier: (h, w, 3) uint8.
        homography: (3, 3), from `lab`'s pixels to `earlier`'s.

    Returns:
        (h, w) float32, summed Lab levels.
    """
    h, w = lab.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    aligned = cv2.warpPerspective(earlier, homography, (w, h), flags=flags, borderMode=cv2.BORDER_REFLECT)
    above = cv2.subtract(lab, cv2.dilate(aligned, _PIXEL))
    below = cv2.subtract(cv2.erode(aligned, _PIXEL), lab)
    total = cv2.transform(cv2.add(above, below), np.ones((1, 3), np.float32)).astype(np.float32)
    return cv2.blur(total, (5, 5))
