"""Two passes over a recording, one in each direction of time, become one result. Pure functions on results.

The pass forward is what a live node would have said. Where it does not show an object, not yet or no longer, the
pass backward may: it has seen what comes later. Both passes have to find an object somewhere: what only one finds
is often a false alarm, because static things that mislead one direction seldom mislead the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from .types import MAX_OBJECT_ID, Frame, FrameResult, Instance

# Overlap (IoU over the frames in which both are seen) from which two objects are the same one.
SAME_OBJECT = 0.3
# Frames that an object must have been seen in by the pass backward, to be taken from there.
MIN_SEEN = 5
# Share of an object's pixels below which the fused logits are not asked.
LEAST_KEPT = 0.3
# Greatest share of an object that may lie under objects of the pass forward: it is shown already otherwise.
MAX_COVERED = 0.3


@dataclass(eq=False)
class Overlaps:
    """What the objects of both passes share over the whole recording; memory grows with the objects only.

    Args:
        shared: (forward id, backward id) -> pixels that are both, over all frames.
        united: (forward id, backward id) -> pixels that are either, over the frames that show both.
        seen: backward id -> frames that show it.
        together: pairs of backward ids that one frame shows, the smaller id first.
        forward_first: forward id -> earliest stamp, ns.
        backward_first: backward id -> earliest stamp, ns.
    """

    shared: Counter[tuple[int, int]] = field(default_factory=Counter)
    united: Counter[tuple[int, int]] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)
    together: set[tuple[int, int]] = field(default_factory=set)
    forward_first: dict[int, int] = field(default_factory=dict)
    backward_first: dict[int, int] = field(default_factory=dict)

    def add(self, forward: FrameResult, backward: FrameResult) -> None:
        """Count one frame; both results are its own, with its stamp."""
        for instance in forward.instances:
            first = self.forward_first.get(instance.id, instance.first_seen)
            self.forward_first[instance.id] = min(first, instance.first_seen)
        ones = {i.id: i.area for i in forward.instances if i.area}
        others = {i.id: i.area for i in backward.instances if i.area}
        for other in others:
            self.seen[other] += 1
            self.backward_first[other] = min(self.backward_first.get(other, backward.stamp), backward.stamp)
            self.together.update((other, third) for third in others if other < third)
        both = _count_pairs(forward.labels, backward.labels) if ones and others else {}
        for one, area in ones.items():
            for other, other_area in others.items():
                shared = both.get((one, other), 0)
                self.shared[one, other] += shared
                self.united[one, other] += area + other_area - shared


@dataclass(frozen=True, eq=False)
class Match:
    """Which objects are the same.

    Args:
        ids: backward id -> forward id; backward ids that are missing here are not to be shown.
        first_seen: forward id -> earliest stamp in either pass, ns.
    """

    ids: Mapping[int, int]
    first_seen: Mapping[int, int]


def match_objects(overlaps: Overlaps) -> Match:
    """Give the objects of the pass backward the ids of those of the pass forward that they are.

    The pairs that share most pixels come first. A pass may lose an object and find it again as another one:
    so several backward ids may be one forward id, if no frame shows them together. What is no forward object,
    or was hardly seen, is left out.
    """
    pairs = sorted(overlaps.shared.items(), key=lambda item: (-item[1], item[0]))
    ids: dict[int, int] = {}
    for (one, other), shared in pairs:
        if other in ids or shared < SAME_OBJECT * overlaps.united[one, other]:
            continue
        rivals = [third for third, taken in ids.items() if taken == one]
        if not any((min(other, third), max(other, third)) in overlaps.together for third in rivals):
            ids[other] = one
    ids = {other: one for other, one in ids.items() if overlaps.seen[other] >= MIN_SEEN}
    first_seen = dict(overlaps.forward_first)
    for other, one in ids.items():
        first_seen[one] = min(first_seen[one], overlaps.backward_first[other])
    return Match(ids, first_seen)


def join(forward: FrameResult, backward: FrameResult, match: Match) -> FrameResult:
    """The joined result of one frame.

    What either pass calls an object is a candidate: `forward`'s labels come first, and where it has none those of
    an object of `backward` that has a match. Where both passes tell how sure they are of every pixel, the mean of
    their logits decides which candidates are kept; the velocity of what only `backward` shows is turned round,
    because it saw the object go the other way.

    Args:
        forward, backward: the passes' results for the same frame, with the same size and stamp.
    """
    labels = forward.labels.copy()
    instances = {i.id: replace(i, first_seen=match.first_seen[i.id]) for i in forward.instances}
    fused = _fuse(forward, backward)
    for theirs in backward.instances:
        object_id = match.ids.get(theirs.id)
        if object_id is None or theirs.area == 0:
            continue
        shown = _is_shown(instances.get(object_id))
        if shown and fused is None:
            continue
        free = (backward.labels == theirs.id) & (labels == 0)
        if not shown and np.count_nonzero(free) < (1.0 - MAX_COVERED) * theirs.area:
            continue
        labels[free] = object_id
        if not shown:
            instances[object_id] = _taken_over(theirs, object_id, free, match.first_seen[object_id])
    if fused is not None:
        labels = _keep_sure(labels, fused)
        instances = {i: _with_pixels(instance, labels == i) for i, instance in instances.items()}
    stages = {**forward.timings_ms, **backward.timings_ms}
    timings = {s: forward.timings_ms.get(s, 0.0) + backward.timings_ms.get(s, 0.0) for s in stages}
    in_order = tuple(instances[i] for i in sorted(instances))
    return replace(forward, labels=labels, instances=in_order, timings_ms=timings, field=None)


def _fuse(forward: FrameResult, backward: FrameResult) -> np.ndarray | None:
    """(H, W) bool: the mean of both passes' logits is positive; None where one of them has none."""
    if forward.field is None or backward.field is None:
        return None
    mean = forward.field.astype(np.float32) + backward.field
    height, width = forward.size
    return cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) > 0


def _keep_sure(labels: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Labels (H, W) where `fused`; an object of which too little would be left stays as it is."""
    kept = np.where(fused, labels, 0).astype(labels.dtype)
    before, after = np.bincount(labels.ravel()), np.bincount(kept.ravel(), minlength=int(labels.max()) + 1)
    lost = np.flatnonzero((before > 0) & (after < LEAST_KEPT * before))
    spared = np.isin(labels, lost[lost > 0])
    kept[spared] = labels[spared]
    return kept


def _with_pixels(instance: Instance, mask: np.ndarray) -> Instance:
    """The instance with other pixels, (H, W) bool; one that is out of sight stays so."""
    if instance.area == 0 or not mask.any():
        return instance
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return replace(instance, roi=(x, y, width, height), mask=mask[y : y + height, x : x + width].copy())


def mirrored(frame: Frame, pivot: int) -> Frame:
    """The frame as the pass backward gets it: stamps rise there, too, at the same distances."""
    return replace(frame, stamp=pivot - frame.stamp)


def unmirrored(result: FrameResult, pivot: int) -> FrameResult:
    """The result for a mirrored frame with the stamp of the frame itself."""
    return replace(result, stamp=pivot - result.stamp)


def _is_shown(instance: Instance | None) -> bool:
    return instance is not None and instance.area > 0


def _taken_over(theirs: Instance, object_id: int, mask: np.ndarray, first_seen: int) -> Instance:
    """An instance of the pass backward as one of the joined result; `mask` is (H, W) bool, not empty."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    vx, vy = theirs.velocity_px
    return replace(
        theirs,
        id=object_id,
        roi=(x, y, width, height),
        mask=mask[y : y + height, x : x + width].copy(),
        velocity_px=(-vx, -vy),
        velocity=None if theirs.velocity is None else tuple(-v for v in theirs.velocity),
        first_seen=first_seen,
    )


def _count_pairs(ones: np.ndarray, others: np.ndarray) -> dict[tuple[int, int], int]:
    """(label, other label) -> number of pixels, for pixels that are labelled in both (H, W) uint16 images."""
    both = (ones > 0) & (others > 0)
    codes = ones[both].astype(np.int64) * (MAX_OBJECT_ID + 1) + others[both]
    found, counts = np.unique(codes, return_counts=True)
    pairs = zip(*(part.tolist() for part in np.divmod(found, MAX_OBJECT_ID + 1)), strict=True)
    return dict(zip(pairs, counts.tolist(), strict=True))
