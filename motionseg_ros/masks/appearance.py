"""Colour models learned on the fly from the masker's own answers.

A global one for moving against static (fine Lab histograms), and one per object that also knows where on the
object a colour is found (coarse colours by position relative to the object's centre).
"""

from __future__ import annotations

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
        return np.clip(ratio, -GLOBAL_LIMIT, GLOBAL_LIMIT)[colour_index(lab, GLOBAL_BITS)]

    def learn(self, lab: np.ndarray, moving: np.ndarray, static: np.ndarray) -> None:
        """Add a frame by its probabilities (h, w) of moving and of static; squares let sure pixels count more."""
        index = colour_index(lab, GLOBAL_BITS).ravel()
        for histogram, weight in ((self._moving, moving), (self._static, static)):
            histogram *= GLOBAL_DECAY
            histogram += np.bincount(index, (weight**2).ravel(), len(histogram))


class LocalColourModel:
    """One object's colours by place on the object, against what surrounds it."""

    def __init__(self) -> None:
        bins = (1 << (3 * LOCAL_BITS)) * LOCAL_CELLS * LOCAL_CELLS
        self._object = np.zeros(bins, np.float32)
        self._around = np.zeros(bins, np.float32)
        self._centre: tuple[float, float] | None = None

    def __call__(self, lab: np.ndarray, shift: tuple[float, float]) -> np.ndarray | None:
        """(h, w) float32 logits, the object moved by `shift` (x, y) px since it was learned; None before that."""
        if self._centre is None:
            return None
        index = self._index(lab, (self._centre[0] + shift[0], self._centre[1] + shift[1]))
        ratio = np.log((self._object[index] + 0.5) / (self._around[index] + 0.5))
        return np.clip(ratio, -LOCAL_LIMIT, LOCAL_LIMIT)

    def learn(self, lab: np.ndarray, mask: np.ndarray, moving: np.ndarray, static: np.ndarray) -> None:
        """Add a frame: `mask` (h, w) bool is the object; `moving`, `static` (h, w) are probabilities."""
        y, x = np.nonzero(mask)
        if len(x) == 0:
            return
        self._centre = (float(x.mean()), float(y.mean()))
        index = self._index(lab, self._centre).ravel()
        for histogram, weight in ((self._object, np.where(mask, moving, 0)), (self._around, static)):
            histogram *= LOCAL_DECAY
            histogram += np.bincount(index, (weight**2).ravel(), len(histogram)).astype(np.float32)

    @staticmethod
    def _index(lab: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
        h, w = lab.shape[:2]
        half = LOCAL_CELLS // 2
        column = np.clip((np.arange(w) - centre[0]) / LOCAL_CELL + half, 0, LOCAL_CELLS - 1).astype(np.int32)
        row = np.clip((np.arange(h) - centre[1]) / LOCAL_CELL + half, 0, LOCAL_CELLS - 1).astype(np.int32)
        place = row[:, None] * LOCAL_CELLS + column
        return colour_index(lab, LOCAL_BITS) * (LOCAL_CELLS * LOCAL_CELLS) + place


def colour_index(lab: np.ndarray, bits: int) -> np.ndarray:
    """(h, w) int32: the bin of each pixel of a Lab image (h, w, 3) uint8 in a histogram of `bits` per channel."""
    channels = (lab >> (8 - bits)).astype(np.int32)
    return (channels[..., 0] << (2 * bits)) | (channels[..., 1] << bits) | channels[..., 2]
