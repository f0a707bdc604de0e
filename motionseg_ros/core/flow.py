"""Dense optical flow between two working images."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .image import WorkingImage

# DIS optical flow cannot take smaller images (OpenCV 5 crashes on some).
LEAST_SIDE = 32


def make_flow() -> cv2.DISOpticalFlow:
    """DIS optical flow as this package uses it; one estimator keeps buffers and serves one thread at a time."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(0)
    dis.setVariationalRefinementIterations(2)
    return dis


class FlowEstimator:
    """Flow from one frame to another, found at half the working size: all that DIS resolves."""

    def __init__(self) -> None:
        self._dis = make_flow()

    def __call__(self, source: WorkingImage, target: WorkingImage) -> np.ndarray:
        """(h, w, 2) float32 px of the working image: where each pixel of `source` goes to in `target`; 0 where the
        images are too small to tell."""
        h, w = source.size
        if min(source.half.size) < LEAST_SIDE:
            return np.zeros((h, w, 2), np.float32)
        flow = self._dis.calc(source.half.gray, target.half.gray, None)
        return cv2.resize(flow * (source.scale / source.half.scale), (w, h), interpolation=cv2.INTER_LINEAR)


@lru_cache(maxsize=4)
def pixel_grid(h: int, w: int) -> np.ndarray:
    """(h, w, 2) float32: the x and y of every pixel; shared, so not to be written to."""
    grid = np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), axis=-1)
    grid.flags.writeable = False
    return grid
