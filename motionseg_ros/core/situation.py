"""What finds objects, and what it is given: the newest frame, its trajectories, and the objects that are alive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .appearance import ObjectColours
from .evidence import MotionEvidence
from .image import WorkingImage
from .objects import ObjectRegistry
from .protocols import VideoMasker


@dataclass(frozen=True, eq=False)
class Situation:
    """The newest frame, after the masker has carried all objects to it.

    Args:
        image: the frame at working size.
        frame: its number since the window was begun.
        stamp: its stamp, ns.
        evidence: what its N trajectories say.
        movers: (M,) int64, those of them that move; positions and owners below are theirs.
        confidence: (M,) float32, how much their positions can be trusted, 0..1.
        under: (M,) int64, id of the object in whose mask each of these lay in the frame before, or 0.
        attached: pairs of ids whose masks touch and of which one has touched others all its life.
        registry: the objects that are alive; a finder adds and removes.
        masker: their masks; a finder prompts.
    """

    image: WorkingImage
    frame: int
    stamp: int
    evidence: MotionEvidence
    movers: np.ndarray
    confidence: np.ndarray
    under: np.ndarray
    attached: Collection[tuple[int, int]]
    registry: ObjectRegistry
    masker: VideoMasker

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image, px."""
        return self.image.full_size

    @property
    def positions(self) -> np.ndarray:
        """(M, 2) px."""
        return self.evidence.positions[self.movers]

    @property
    def owners(self) -> np.ndarray:
        """(M,) int64, id of the object that each carries, 0 for none.

        What lies on an object that the user has chosen, and carries none, is its own: it need not be found.
        """
        owners = self.evidence.owners[self.movers]
        return np.where((owners == 0) & np.isin(self.under, list(self.registry.chosen)), self.under, owners)

    @property
    def colours(self) -> ObjectColours:
        """What the objects look like."""
        return self.evidence.colours

    def begin(self, positions: np.ndarray, owners: np.ndarray, others: Collection[int] = ()) -> int:
        """Id for a group of trajectories at `positions` (K, 2) px that no object in sight explains.

        That of an object out of sight which is back, by place and look, or a new one; 0 when no more may live.

        Args:
            owners: (M,) what the moving trajectories carry so far.
            others: ids of objects that it cannot be, for they are seen elsewhere.
        """
        points = self.image.to_working(positions)
        missing = (i for i in self.registry.missing(positions, owners, self.stamp) if i not in others)
        back = next((i for i in missing if self.colours.resembles(self.image.lab, points, i)), None)
        return back or self.registry.create(self.stamp) or 0

    def join(self, keeper: int, goes: int, owners: np.ndarray) -> None:
        """Let the object `goes` be part of `keeper`, in `owners` (M,) too.

        One that the user has chosen does not go: it takes the other in, and stays apart from another such. So one that
        was to stay may be gone, and has nothing to do with later joins.
        """
        if keeper not in self.registry:
            return
        if goes in self.registry.chosen:
            keeper, goes = goes, keeper
        if goes in self.registry.chosen:
            return
        owners[owners == goes] = keeper
        self.masker.remove(goes)
        self.registry.remove(goes)


class ObjectFinder(Protocol):
    """Tells which object each moving trajectory carries: adds, grows, splits, merges and prompts objects for that."""

    def reset(self) -> None:
        """Forget all objects."""

    def __call__(self, situation: Situation) -> np.ndarray:
        """(M,) int64: the object that each of the situation's moving trajectories carries, 0 for none."""
