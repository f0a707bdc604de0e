"""Dense evidence of motion: what of the image does not go where the background goes.

Two tests per pixel and frame gap, both against the background's alignment with an earlier frame: does the optical
flow part from it (residual, relative to the spread of all trajectories' residuals), and does the aligned earlier
image explain the pixel's colour? The second removes what flow leaves around objects: what the background explains
over any gap is probably background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from ..core.background import BackgroundMotion
from ..core.flow import LEAST_SIDE, make_flow, pixel_grid
from ..core.image import WorkingImage
from ..core.threads import map_in_threads
from ..core.window import SlidingWindow

# Frame gaps, of those over which the background is aligned. A fourth costs a tenth of a frame's time.
GAPS = (1, 2, 8)
# Logits are clipped so that no single cue outvotes the others.
MOTION_LIMIT = 1.5
EXPLAINED_LIMIT = -4.0
UNEXPLAINED_LIMIT = 1.0
# The photometric test says nothing below this residual (working px): everything explains a pixel that rests.
MIN_RESIDUAL = 1.0
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


@dataclass(frozen=True, eq=False)
class _Comparison:
    """The newest frame against one earlier frame; all but `error` at the size of the flow.

    `flow` and `residual` (h, w, 2) px of the working image, `length` of the residual plus noise, `inside` where the
    aligned pixel lies in the earlier frame; `log_spread` of all trajectories' residuals plus noise; `error` of the
    colours at working size.
    """

    gap: int
    flow: np.ndarray
    residual: np.ndarray
    length: np.ndarray
    inside: np.ndarray
    log_spread: float
    error: np.ndarray


class DenseMotionEstimator:
    """Optical flow (DIS) over several gaps against the background's motion. State: the running threshold."""

    def __init__(self, steepness: float, threshold: float, colour_tolerance: float) -> None:
        """`steepness`, `threshold`: of the logistic in excess; `colour_tolerance`: in summed Lab levels."""
        self._steepness = steepness
        self._least_threshold = threshold
        self._tolerance = colour_tolerance
        self._dis: dict[int, cv2.DISOpticalFlow] = {}
        self.reset()

    def reset(self) -> None:
        """Forget the running threshold."""
        self._threshold: float | None = None

    def __call__(self, window: SlidingWindow, background: BackgroundMotion) -> DenseMotion:
        """Evidence for the window's newest frame."""
        image = window.newest
        size = image.size
        gaps = [gap for gap in GAPS if gap in background.gaps and window.back(gap) is not None]
        if min(size) < LEAST_SIDE:
            gaps = []
        _ = image.half.gray, image.lab  # made once, before two threads ask for them
        seen = map_in_threads(lambda gap: self._compare(image, window.back(gap), background, gap), gaps)
        flow = next((_enlarge(one.flow, size) for one in seen if one.gap == 1), None)
        steps = [one for one in seen if one.gap <= LONGEST_STEP]
        beside, beside_gap = None, 0
        if steps:
            beside_gap = steps[-1].gap
            beside = _enlarge(steps[-1].residual / -beside_gap, size)
        counts = sum((one.inside for one in seen), np.zeros((1, 1), np.float32))
        inside = counts > 0
        if not inside.any():
            nothing = np.zeros(size, np.float32)
            return DenseMotion(nothing, nothing, np.zeros(size, bool), flow, beside, beside_gap)
        # The mean of the logarithms over the gaps is the logarithm of a product.
        log_length = np.log(math.prod(np.where(one.inside, one.length, 1) for one in seen))
        log_spread = sum(one.inside * np.float32(one.log_spread) for one in seen)
        counts = np.maximum(counts, 1)
        excess = (log_length - log_spread) / counts
        threshold = self._adapt(excess[inside])
        known = _enlarge(inside, size)
        logit = self._steepness * (_enlarge(excess, size) - threshold)
        logit = np.clip(logit, -MOTION_LIMIT, MOTION_LIMIT) * known
        error = reduce(np.minimum, (one.error for one in seen))
        explained = np.minimum(EXPLAINED_LIMIT * (1.0 - error / self._tolerance), UNEXPLAINED_LIMIT)
        moved = _enlarge(inside & (log_length / counts > math.log(MIN_RESIDUAL)), size)
        return DenseMotion(logit, explained * moved, known, flow, beside, beside_gap)

    def _compare(
        self, image: WorkingImage, earlier: WorkingImage, background: BackgroundMotion, gap: int
    ) -> _Comparison:
        if min(image.half.size) >= LEAST_SIDE:
            here, there = image.half, earlier.half
        else:
            here, there = image, earlier
        h, w = here.size
        grid = pixel_grid(h, w)
        source = cv2.perspectiveTransform(
            grid.reshape(1, -1, 2), here.homography(background.homographies[gap])
        ).reshape(h, w, 2)
        # The search begins at the background's motion, so that a fast pan costs no accuracy.
        flow = self._flow(gap).calc(here.gray, there.gray, source - grid)
        to_working = image.scale / here.scale
        residual = (grid + flow - source) * to_working
        scale = float(image.scale.mean())
        noise = background.noise * scale
        inside = cv2.inRange(source, (0.5, 0.5, 0, 0), (w - 1.5, h - 1.5, 0, 0)) > 0
        error = photometric_error(image.lab, earlier.lab, image.homography(background.homographies[gap]))
        error[~_enlarge(inside, image.size)] = np.inf
        return _Comparison(
            gap=gap,
            flow=flow * to_working,
            residual=residual,
            length=cv2.magnitude(residual[..., 0], residual[..., 1]) + np.float32(noise),
            inside=inside,
            log_spread=math.log(background.spread(gap) * scale + noise),
            error=error,
        )

    def _flow(self, gap: int) -> cv2.DISOpticalFlow:
        """A flow estimator keeps buffers that no two gaps may share at a time."""
        if gap not in self._dis:
            self._dis[gap] = make_flow()
        return self._dis[gap]

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


def _enlarge(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A field at the flow's size, (h, w) or (h, w, 2), at another size; a bool field stays one."""
    if field.dtype == bool:
        return cv2.resize(field.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).view(bool)
    return cv2.resize(field, size[::-1], interpolation=cv2.INTER_LINEAR)


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
    total = cv2.transform(cv2.add(above, below), np.ones((1, 3), np.float32))
    return cv2.boxFilter(total, cv2.CV_32F, (5, 5))
