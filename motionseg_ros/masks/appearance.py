"""Colour models learned on the fly from the masker's own answers.

A global one for moving against static (fine Lab histograms), and one per object that also knows where on the
object a colour is found (coarse colours by position relative to the object's centre).
"""

from __future__ import annotations

import cv2
import numpy as np

GLOBAL_BITS = 5
GLOBAL_DECAY = 0.98
GLOBAL_LIMIT = 2.0
# Pixels (weighted) that a side must have been taught before the ratio means anything.
LEAST_PIXELS = 20.0
LOCAL_BITS = 3
LOCAL_DECAY = 0.8
LOCAL_LIMIT = 2.0
LOCAL_CELLS = 16
LOCAL_CELL = 24.0
# Histograms are taught with every second pixel each way, which is as good and takes a quarter of the time.
LEARN_STEP = 2


class ColourModel:
    """Log-likelihood ratio of moving against static by colour alone, over all objects."""

    def __init__(self) -> None:
        self._moving = np.zeros(1 << (3 * GLOBAL_BITS))
        self._static = np.zeros_like(self._moving)

    def __call__(self, lab: np.ndarray) -> np.ndarray | None:
        """(h, w) float32 logits for a Lab image (h, w, 3) uint8; None until something has been seen to move."""
        moving, static = self._moving.sum(), self._static.sum()
        if moving < LEAST_PIXELS or static < LEAST_PIXELS:
            return None
        ratio = np.log((self._moving / moving + 1e-5) / (self._static / static + 1e-5)).astype(np.float32)
        ratio = np.clip(ratio, -GLOBAL_LIMIT, GLOBAL_LIMIT)
        return ratio.take(colour_index(lab, GLOBAL_BITS), mode="clip")

    def learn(self, lab: np.ndarray, moving: np.ndarray, static: np.ndarray) -> None:
        """Add a frame by its probabilities (h, w) of moving and of static; squares let sure pixels count more."""
        index = colour_index(_sparse(lab), GLOBAL_BITS).ravel()
        for histogram, weight in ((self._moving, moving), (self._static, static)):
            histogram *= GLOBAL_DECAY
            histogram += LEARN_STEP**2 * np.bincount(index, (_sparse(weight) ** 2).ravel(), len(histogram))


class LocalColourModel:
    """One object's colours by place on the object, against what surrounds it."""

    def __init__(self) -> None:
        bins = (1 << (3 * LOCAL_BITS)) * LOCAL_CELLS * LOCAL_CELLS
        self._object = np.zeros(bins, np.float32)
        self._around = np.zeros(bins, np.float32)
        self.taught = False

    def __call__(
        self, lab: np.ndarray, centre: tuple[float, float], corner: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """(h, w) float32 logits, the object's centre being at (x, y) px now; 0 before anything was learned.

        `lab` may be the part of the image that begins at `corner` (x, y).
        """
        index = _local_index(lab, (centre[0] - corner[0], centre[1] - corner[1]))
        ratio = np.log(
            (self._object.take(index, mode="clip") + 0.5) / (self._around.take(index, mode="clip") + 0.5)
        )
        return np.clip(ratio, -LOCAL_LIMIT, LOCAL_LIMIT)

    def learn(self, lab: np.ndarray, mask: np.ndarray, moving: np.ndarray, static: np.ndarray) -> None:
        """Add a frame: `mask` (h, w) bool is the object; `moving`, `static` (h, w) are probabilities."""
        middle = centre_of(mask)
        if middle is None:
            return
        self.taught = True
        middle = middle[0] / LEARN_STEP, middle[1] / LEARN_STEP
        index = _local_index(_sparse(lab), middle, LOCAL_CELL / LEARN_STEP).astype(np.intp)
        mine = _sparse(mask)
        for histogram, where, weight in (
            (self._object, index[mine], _sparse(moving)[mine]),
            (self._around, index, _sparse(static)),
        ):
            histogram *= LOCAL_DECAY
            np.add.at(histogram, where.ravel(), (LEARN_STEP * weight).ravel().astype(np.float32) ** 2)


def centre_of(mask: np.ndarray) -> tuple[float, float] | None:
    """Mean x and y of a mask (h, w) bool, px; None for an empty one."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    if moments["m00"] == 0:
        return None
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def _sparse(field: np.ndarray) -> np.ndarray:
    return field[::LEARN_STEP, ::LEARN_STEP]


def _local_index(lab: np.ndarray, centre: tuple[float, float], cell: float = LOCAL_CELL) -> np.ndarray:
    """(h, w) int32 bins of colour and of place relative to `centre` (x, y) px, in cells of `cell` px."""
    h, w = lab.shape[:2]
    half = LOCAL_CELLS // 2
    column = np.clip((np.arange(w) - centre[0]) / cell + half, 0, LOCAL_CELLS - 1).astype(np.int32)
    row = np.clip((np.arange(h) - centre[1]) / cell + half, 0, LOCAL_CELLS - 1).astype(np.int32)
    place = row[:, None] * LOCAL_CELLS + column
    return colour_index(lab, LOCAL_BITS) * (LOCAL_CELLS * LOCAL_CELLS) + place


def colour_index(lab: np.ndarray, bits: int) -> np.ndarray:
    """(h, w) int32: the bin of each pixel of a Lab image (h, w, 3) uint8 in a histogram of `bits` per channel."""
    first, second, third = (channel >> (8 - bits) for channel in cv2.split(lab))
    index = first.astype(np.int32)
    for channel in (second, third):
        index <<= bits
        index |= channel
    return index
