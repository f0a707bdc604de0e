"""Objects that go the same way in the long run: limbs swing to and fro, and yet go where the body goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection

import numpy as np

Pair = tuple[int, int]

# Classifications over which motions are averaged before they are compared: more than half a step of a walker.
LEAST_TIMES = 6


class Company:
    """Mean motions of objects that have touched each other all their life. Memory: a few numbers per such pair."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all pairs."""
        self._known: dict[Pair, tuple[int, np.ndarray]] = {}

    def note(self, attached: Collection[Pair], owners: np.ndarray, motions: np.ndarray) -> None:
        """Take one more classification; pairs that are not `attached` any more are forgotten.

        Args:
            attached: pairs of ids.
            owners: (M,) id of the object that each moving trajectory carries, 0 for none.
            motions: (M, G, 2) px per frame beside the background, over G ascending gaps; NaN where unknown.
        """
        known = {}
        for pair in attached:
            times, total = self._known.get(pair, (0, np.zeros((2, 2))))
            parts = [motions[owners == object_id] for object_id in pair]
            if all(len(part) for part in parts):
                with warnings.catch_warnings():  # a gap over which no trajectory of a part is known
                    warnings.simplefilter("ignore", RuntimeWarning)
                    medians = np.stack([np.nanmedian(part, axis=0) for part in parts])
                usable = np.flatnonzero(~np.isnan(medians).any((0, 2)))
                if len(usable):
                    # The longest step: of a swing, least is left in it.
                    times, total = times + 1, total + medians[:, usable[-1]]
            known[pair] = times, total
        self._known = known

    def together(self, differ: Callable[[np.ndarray, np.ndarray], bool]) -> set[Pair]:
        """The pairs that go the same way; `differ` compares two mean motions (1, 2), px per frame."""
        return {
            pair
            for pair, (times, total) in self._known.items()
            if times >= LEAST_TIMES and not differ(total[:1] / times, total[1:] / times)
        }
