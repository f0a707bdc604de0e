"""When an object's query points are thrown away and sampled anew from a mask predicted for it.

The four variants of SAM-PT, section 3.2 (step 4) and appendix A, in the form a stream allows: a decision is
taken in the newest frame and changes no result that is out already. Where the paper restarts in an earlier
frame and tracks the frames since then once more, ours samples from that frame's mask and counts on from the
newest frame.

- ``horizon`` (A): every `horizon` frames, from the newest mask. "It may stumble if the mask is absent" then;
  ours keeps the points and tries again in the next frame.
- ``median_area`` (B): every `horizon` frames, from that of these frames' masks whose area is nearest to the
  median of the non-empty ones, the newest of equals. (The paper's title says median, its text mean; a mean
  follows one mask that leaks into the background.) Without any mask: as A.
- ``similar_area`` (C): once `horizon` frames have passed, from the first mask whose area is within
  `tolerance` of that of the mask the points are from; each object for itself. The paper gives no tolerance.
- ``similar_area_all`` (D): the same, all objects at once, in a frame in which it holds for each of them. The
  oldest points count: a new object is not waited for, but its area must fit as well. An object without a mask
  holds the others up until it is forgotten.
- ``off``: never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Variant = Literal["off", "horizon", "median_area", "similar_area", "similar_area_all"]

# Frames, section 3.2, step 4.
HORIZON = 8


@dataclass
class _Points:
    """The points of one object: the mask they are from, and what has become of it."""

    reference: int  # area of that mask, px; 0 until there is one
    areas: deque[int]  # of the masks since then, at most `horizon`, the newest last

    def add(self, area: int) -> None:
        self.areas.append(area)
        self.reference = self.reference or area

    def similar(self, tolerance: float) -> bool:
        area = self.areas[-1]
        return area > 0 and abs(area - self.reference) <= tolerance * self.reference


class Reinitialiser:
    """See the module's text. Memory: `horizon` numbers per object.

    Args:
        variant: which rule.
        horizon: frames that points are kept at least.
        tolerance: of areas, as a share of that of the mask the points are from (C and D).

    Raises:
        ValueError: an unknown variant, a horizon below 1 or a negative tolerance.
    """

    def __init__(self, variant: Variant = "horizon", horizon: int = HORIZON, tolerance: float = 0.1) -> None:
        if variant not in get_args(Variant):
            raise ValueError(f"variant must be one of {', '.join(get_args(Variant))}, but got {variant!r}")
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1, but got {horizon}")
        if not tolerance >= 0:  # nor NaN
            raise ValueError(f"tolerance must not be negative, but got {tolerance}")
        self._variant = variant
        self._horizon = horizon
        self._tolerance = tolerance
        self._objects: dict[int, _Points] = {}

    def restart(self, object_id: int, area: int) -> None:
        """The object's points were sampled in the newest frame, from a mask of `area` px: count from here.

        `update` does so itself for new objects and for those it names; this is for points from elsewhere.
        """
        self._objects[object_id] = _Points(int(area), deque(maxlen=self._horizon))

    def forget(self, object_id: int) -> None:
        """Let an object go; one that is not known is no error."""
        self._objects.pop(object_id, None)

    def update(self, areas: Mapping[int, int]) -> dict[int, int]:
        """Take the newest frame's masks.

        Args:
            areas: px per object, 0 without a mask. The first frame that has an id is taken for the one in
                which its points were sampled; a known object that is not among them has no mask.

        Returns:
            per object to be given new points: how many frames back the mask to sample from is, 0 the newest.

        Raises:
            ValueError: a negative area.
        """
        areas = {object_id: int(area) for object_id, area in areas.items()}  # numpy's may be unsigned
        for object_id, area in areas.items():
            if area < 0:
                raise ValueError(f"area of object {object_id} must not be negative, but got {area}")
        if self._variant == "off":
            return {}
        for object_id, points in self._objects.items():
            points.add(areas.get(object_id, 0))
        chosen = self._choose()
        for object_id, back in chosen.items():
            self.restart(object_id, self._objects[object_id].areas[-1 - back])
        for object_id in areas.keys() - self._objects.keys():
            self.restart(object_id, areas[object_id])
        return chosen

    def _choose(self) -> dict[int, int]:
        """What `update` returns."""
        objects = self._objects
        due = {i: points for i, points in objects.items() if len(points.areas) == self._horizon}
        if self._variant == "horizon":
            return {i: 0 for i, points in due.items() if points.areas[-1] > 0}
        if self._variant == "median_area":
            return {i: _median_frame(points.areas) for i, points in due.items() if any(points.areas)}
        if self._variant == "similar_area":
            return {i: 0 for i, points in due.items() if points.similar(self._tolerance)}
        together = due and all(points.similar(self._tolerance) for points in objects.values())
        return dict.fromkeys(objects, 0) if together else {}


def _median_frame(areas: deque[int]) -> int:
    """How many frames back the non-empty mask of the most median area is; the newest of equals."""
    newest_first = np.array(areas)[::-1]
    frames = np.flatnonzero(newest_first)
    off = np.abs(newest_first[frames] - np.median(newest_first[frames]))
    return int(frames[off.argmin()])
