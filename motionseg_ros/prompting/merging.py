"""Which objects are one, because their masks cover each other (Segment Any Motion, section 3.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from ..core.types import MaskLogits

# Classifications that a pair must have lived through before its share of overlaps means anything.
LEAST_TIMES = 3


class OverlapHistory:
    """How often each pair of objects overlapped of late. Memory: `window` answers per pair of living objects.

    Args:
        overlap: IoU, or covered share of either mask, from which two masks overlap.
        share: of the classifications that both lived through, in how many they must.
        window: the last classifications that count.
    """

    def __init__(self, overlap: float, share: float, window: int) -> None:
        self._overlap = overlap
        self._share = share
        self._window = window
        self.clear()

    def clear(self) -> None:
        """Forget all objects."""
        self._pairs: dict[tuple[int, int], deque[bool]] = {}

    def note(self, ids: frozenset[int], masks: Mapping[int, MaskLogits]) -> None:
        """Take one more classification's living objects and the masks of those that have one."""
        known, self._pairs = self._pairs, {}
        for pair in combinations(sorted(ids), 2):
            answers = known.get(pair) or deque(maxlen=self._window)
            both = all(i in masks for i in pair)
            answers.append(both and overlap(*(masks[i] for i in pair)) >= self._overlap)
            self._pairs[pair] = answers

    def merges(self) -> list[tuple[int, int]]:
        """(id that stays, id that goes); of all that hang together the smallest id stays, the others go once each."""
        into: dict[int, int] = {}

        def keeper(object_id: int) -> int:
            while object_id in into:
                object_id = into[object_id]
            return object_id

        for pair, answers in self._pairs.items():
            if len(answers) >= min(LEAST_TIMES, self._window) and np.mean(answers) >= self._share:
                stays, goes = sorted(keeper(object_id) for object_id in pair)
                if stays != goes:
                    into[goes] = stays
        return [(keeper(goes), goes) for goes in sorted(into)]


def overlap(one: MaskLogits, other: MaskLogits) -> float:
    """The larger of IoU and covered share of either mask, 0..1; 0 where one is empty.

    (The share of the smaller one that is covered is never less than the IoU: it alone decides.)
    """
    areas = [np.count_nonzero(mask.logits > 0) for mask in (one, other)]
    if min(areas) == 0:
        return 0.0
    boxes = [mask.box for mask in (one, other)]
    common = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(*boxes, strict=True))
    if any(part.start >= part.stop for part in common):
        return 0.0
    pieces = [
        mask.logits[
            tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(common, box, strict=True))
        ]
        > 0
        for mask, box in zip((one, other), boxes, strict=True)
    ]
    return float(np.count_nonzero(pieces[0] & pieces[1]) / min(areas))
