"""What colours each object has: what tells objects apart when they touch, and that one is back."""

from __future__ import annotations

import numpy as np

# Bits per Lab channel: lightness changes with light and shade more than hue does.
BITS = (3, 4, 4)
# Share of the former histogram that is kept per frame: an object's look lasts longer than a mistake of its mask.
DECAY = 0.95
# Share of all colours that an object may show without ever having shown it.
SURPRISE = 1e-3
# Pixels around a point that are looked at, each way.
PATCH = 2
# Mean log-likelihood ratio against the whole image from which points look like an object.
LIKENESS = 0.5


class ObjectColours:
    """One normalised colour histogram per object, and one of the whole image. Memory: 8 KB per object."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all objects."""
        self._objects: dict[int, np.ndarray] = {}
        self._image: np.ndarray | None = None

    def keep(self, ids: frozenset[int]) -> None:
        """Forget all other objects."""
        self._objects = {i: histogram for i, histogram in self._objects.items() if i in ids}

    def learn(self, lab: np.ndarray, labels: np.ndarray) -> None:
        """Take the objects' looks in a frame: Lab image (h, w, 3) uint8, ids (h, w)."""
        bins = _bins(lab)
        size = 1 << sum(BITS)
        self._image = _blend(self._image, np.bincount(bins.ravel(), minlength=size))
        for object_id in np.flatnonzero(np.bincount(labels.ravel())).tolist():
            if object_id:
                seen = np.bincount(bins[labels == object_id], minlength=size)
                self._objects[object_id] = _blend(self._objects.get(object_id), seen)

    def log_likelihood(self, lab: np.ndarray, object_id: int) -> np.ndarray:
        """(h, w) float32: of each pixel's colour if it is the object's; 0 for an object without a look."""
        histogram = self._objects.get(object_id)
        if histogram is None or self._image is None:
            return np.zeros(lab.shape[:2], np.float32)
        ratio = np.log((histogram + SURPRISE * (self._image + 1e-4)) / (self._image + 1e-4))
        return ratio.astype(np.float32)[_bins(lab)]

    def at(self, lab: np.ndarray, points: np.ndarray, ids: list[int]) -> np.ndarray:
        """(M, K): mean log-likelihood of the patches around points (M, 2) px (x, y) for each object."""
        h, w = lab.shape[:2]
        offsets = np.mgrid[-PATCH : PATCH + 1, -PATCH : PATCH + 1].reshape(2, -1)
        x = np.clip(np.rint(points[:, :1]).astype(int) + offsets[1], 0, w - 1)
        y = np.clip(np.rint(points[:, 1:]).astype(int) + offsets[0], 0, h - 1)
        patches = lab[y, x]
        return np.stack([self.log_likelihood(patches, i).mean(1) for i in ids], axis=1)

    def resembles(self, lab: np.ndarray, points: np.ndarray, object_id: int) -> bool:
        """Whether the patches around points (M, 2) px look like the object; True where nothing is known."""
        if object_id not in self._objects or len(points) == 0:
            return True
        return bool(self.at(lab, points, [object_id]).mean() > LIKENESS)


def _bins(lab: np.ndarray) -> np.ndarray:
    index = np.zeros(lab.shape[:2], np.int32)
    for channel, bits in enumerate(BITS):
        index = (index << bits) | (lab[..., channel] >> (8 - bits))
    return index


def _blend(before: np.ndarray | None, counts: np.ndarray) -> np.ndarray:
    share = counts / max(counts.sum(), 1)
    return share if before is None else DECAY * before + (1 - DECAY) * share
