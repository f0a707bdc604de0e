"""Masks of the objects that the user has chosen, for the guided masker: carried on whether they move or not.

One of which most moves on its own is found by that, as all others are, for the flow drags background along behind what
moves. The others are held where the flow has carried them.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..core.background import BackgroundMotion
from ..core.flow import pixel_grid
from ..core.image import WorkingImage

# Share of an object's pixels that must move on their own for it not to be held.
MOVES = 0.5
# Logit that a held object's pixels get at least.
HELD_LOGIT = 4.0
# By what a mask is steepened per frame, against the blur of carrying it on.
STEEPEN = 1.1
# Side of the square by which what passes in front is widened, working px.
PASSING = 15


class ChosenMasks:
    """See the module's text. Memory: one field of the working image's size per object.

    The masks are soft, (h, w) float32 from -1 off the object to 1 on it, so that they move by parts of a pixel, too:
    nothing finds anew what rests, and slow ones would be left behind.
    """

    def __init__(self) -> None:
        self._soft: dict[int, np.ndarray] = {}
        self.held: set[int] = set()
        """Ids of the objects that are held in the newest frame."""

    def add(self, object_id: int, share: np.ndarray, carried: np.ndarray, logit: np.ndarray) -> None:
        """Take an object: `share` (h, w) float32 of each pixel that it has, 0..1; for the others see `hold`."""
        self._soft[object_id] = 2 * share - 1
        carried[share > 0.5] = object_id
        self._hold(object_id, carried, logit)

    def remove(self, object_id: int) -> None:
        """Forget an object; one that is not known is no error."""
        self._soft.pop(object_id, None)
        self.held.discard(object_id)

    def carry(
        self, image: WorkingImage, flow: np.ndarray | None, background: BackgroundMotion, carried: np.ndarray
    ) -> None:
        """Move the masks to the newest frame.

        Args:
            flow: (h, w, 2) working px, from the newest frame to the one before; None leaves them where they are.
            carried: (h, w) int32, all objects' labels as carried to this frame; the masks' pixels are put in, but
                not over those of others.
        """
        if not self._soft:
            return
        chosen = np.isin(carried, list(self._soft))
        source = None if flow is None else _source(image, flow, background, (carried > 0) & ~chosen)
        carried[chosen] = 0
        for object_id, soft in self._soft.items():
            if source is not None:
                border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": -1}
                soft = np.clip(STEEPEN * cv2.remap(soft, source, None, cv2.INTER_LINEAR, **border), -1, 1)
            self._soft[object_id] = soft
            carried[(soft > 0) & (carried == 0)] = object_id

    def hold(self, moves: np.ndarray, carried: np.ndarray, logit: np.ndarray) -> None:
        """Hold the objects of which most does not move.

        Args:
            moves: (h, w) bool, what moves on its own.
            carried: (h, w) int32 labels, of `carry`.
            logit: (h, w) float32 that each pixel is an object's; raised, in place, where one is held.
        """
        self.held = set()
        for object_id in self._soft:
            mine = carried == object_id
            if mine.any() and moves[mine].mean() < MOVES:
                self._hold(object_id, carried, logit)

    def note(self, labels: np.ndarray) -> None:
        """Take what was shown in the end, labels (h, w), for the masks of the objects that are not held."""
        for object_id in self._soft.keys() - self.held:
            self._soft[object_id] = np.where(labels == object_id, np.float32(1), np.float32(-1))

    def _hold(self, object_id: int, carried: np.ndarray, logit: np.ndarray) -> None:
        self.held.add(object_id)
        mine = carried == object_id
        logit[mine] = np.maximum(logit[mine], HELD_LOGIT * self._soft[object_id][mine])


def _source(
    image: WorkingImage, flow: np.ndarray, background: BackgroundMotion, others: np.ndarray
) -> np.ndarray:
    """(h, w, 2) working px: where each pixel was in the frame before; behind `others` (h, w) bool, the background's
    motion says so: they are not to take along what they pass."""
    grid = pixel_grid(*others.shape)
    source = grid + flow
    near = cv2.dilate(others.view(np.uint8), np.ones((PASSING, PASSING), np.uint8)) > 0
    if near.any() and 1 in background.gaps:
        behind = image.homography(background.homographies[1])
        source[near] = cv2.perspectiveTransform(grid[near][None], behind)[0]
    return source
