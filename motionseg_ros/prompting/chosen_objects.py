"""Objects that the user has pointed at, kept by points that are tracked (SAM-PT, section 3.2).

Query points come from a mask or are given by hand; every frame those in sight prompt the mask model; from time to
time they are sampled anew from a predicted mask, because points are lost and slip. The paper prompts SAM, which knows
of one image; SAM 2 remembers the object as well, so that the prompts correct rather than carry the mask.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..core.config import PointsConfig
from ..core.errors import PromptError
from ..core.flow import FlowEstimator, pixel_grid
from ..core.protocols import QueryTracker, VideoMasker
from ..core.types import MaskLogits, Prompts
from ..core.window import SlidingWindow
from .point_prompts import point_prompts
from .reinitialisation import Reinitialiser
from .sampling import sample_negatives, sample_points


@dataclass
class _Chosen:
    """The query points of one object, and its last masks (h, w) bool at working size, the newest last."""

    queries: list[int]
    labels: np.ndarray
    masks: deque[np.ndarray] = field(default_factory=deque)


class ChosenObjects:
    """See the module's text. Memory: the points and `horizon` small masks per object."""

    def __init__(self, config: PointsConfig, tracker: QueryTracker) -> None:
        self._config = config
        self._tracker = tracker
        self.reset()

    def reset(self) -> None:
        """Forget all objects."""
        config = self._config
        self._tracker.reset()
        self._reinitialiser = Reinitialiser(config.reinitialise, config.horizon, config.tolerance)
        self._objects: dict[int, _Chosen] = {}

    def keep(self, ids: frozenset[int]) -> None:
        """Forget all objects but these."""
        for object_id in self._objects.keys() - ids:
            self._tracker.remove(self._objects.pop(object_id).queries)
            self._reinitialiser.forget(object_id)

    def begin(
        self, object_id: int, prompts: Prompts, window: SlidingWindow, masker: VideoMasker, back: int = 0
    ) -> np.ndarray:
        """Let the masker take an object, and choose the points that keep it.

        Args:
            prompts: a mask, points by hand, or both; px of the frame `back` frames before the newest, to which they
                are carried: points tracked, a mask along the optical flow.

        Returns:
            (H, W) bool: the mask, or what the masker makes of points, in the newest frame.

        Raises:
            PromptError: nothing of them is left in the newest frame, or the masker cannot use them.
        """
        labels = prompts.labels
        queries = self._tracker.add(window, prompts.points, back)
        points, visible = self._tracker.at(queries, window.newest)
        if prompts.mask is None and not (visible & (labels == 1)).any():
            self._tracker.remove(queries)
            raise PromptError(
                "the points on the object were lost on the way to the newest image: choose newer ones"
            )
        mask = None
        if prompts.mask is not None:
            mask = carry_mask(prompts.mask, window, back)
            if not mask.any():
                self._tracker.remove(queries)
                raise PromptError("the mask has left the image since: choose a newer one")
            sampled, of = self._sample(mask, window.frame.image)
            queries += self._tracker.add(window, sampled)
            labels = np.concatenate([labels, of])
        try:
            masker.choose(object_id, Prompts(points[visible], prompts.labels[visible], prompts.box, mask))
        except Exception:  # whatever it is, nothing is left of it
            self._tracker.remove(queries)
            raise
        self._objects[object_id] = _Chosen(queries, labels)
        return _whole(masker.masks().get(object_id), window) if mask is None else mask

    def step(self, window: SlidingWindow, masker: VideoMasker) -> None:
        """Follow the points into the window's newest frame and prompt the masker with those in sight."""
        self._tracker.push(window)
        for object_id, record in self._objects.items():
            positions, visible = self._tracker.at(record.queries, window.newest)
            for prompts in point_prompts(positions, visible, record.labels, self._config.refinements):
                masker.add(object_id, prompts)

    def note(self, masks: dict[int, MaskLogits], window: SlidingWindow) -> None:
        """Take the newest frame's masks, and sample new points from one where it is time for that."""
        size, image = window.newest.size, window.frame.image
        areas = {}
        for object_id, record in self._objects.items():
            full = _whole(masks.get(object_id), window)
            areas[object_id] = int(np.count_nonzero(full))
            small = cv2.resize(full.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
            record.masks.append(small)
            while len(record.masks) > min(self._config.horizon, len(window)):
                record.masks.popleft()
        for object_id, back in self._reinitialiser.update(areas).items():
            record = self._objects[object_id]
            if back >= len(record.masks) or not record.masks[-1 - back].any():
                continue
            small = record.masks[-1 - back].view(np.uint8)
            mask = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(bool)
            earlier = window.back(back)
            pixels = image if back == 0 else cv2.resize(earlier.bgr, image.shape[1::-1])
            points, labels = self._sample(mask, pixels)
            self._tracker.remove(record.queries)
            record.queries, record.labels = self._tracker.add(window, points, back), labels

    def _sample(self, mask: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Query points (K, 2) px on and off a mask (H, W), and their labels (K,)."""
        config = self._config
        on = sample_points(mask, config.positives, config.sampling, image)
        off = sample_negatives(mask, config.negatives, image) if config.negatives else on[:0]
        return np.concatenate([on, off]), np.repeat(np.array([1, 0], np.int8), [len(on), len(off)])


def _whole(mask: MaskLogits | None, window: SlidingWindow) -> np.ndarray:
    """A mask as (H, W) bool of the whole image."""
    full = np.zeros(window.frame.size, bool)
    if mask is not None:
        full[mask.box] = mask.logits > 0
    return full


def carry_mask(mask: np.ndarray, window: SlidingWindow, back: int) -> np.ndarray:
    """A mask (H, W) bool of the frame `back` frames before the newest, in the newest one.

    Raises:
        ValueError: the window does not reach back that far.
    """
    if back == 0:
        return mask
    if window.back(back) is None:
        raise ValueError(f"back must be less than {len(window)}, but got {back}")
    flow = FlowEstimator()
    h, w = window.newest.size
    small = cv2.resize(mask.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    for gap in range(back - 1, -1, -1):
        source = pixel_grid(h, w) + flow(window.back(gap), window.back(gap + 1))
        small = cv2.remap(small, source, None, cv2.INTER_LINEAR)
    return cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
