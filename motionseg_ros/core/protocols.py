"""What the pipeline asks of its stages. `core` knows them only by these."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .evidence import MotionEvidence
from .types import Prompts, Tracks
from .window import SlidingWindow


class PointTracker(Protocol):
    """Follows points through the newest frames."""

    def reset(self) -> None:
        """Forget everything but the ids already given."""

    def push(self, window: SlidingWindow) -> None:
        """Extend every trajectory into the window's newest frame; seed new ones where coverage was lost."""

    def window(self) -> Tracks:
        """The living trajectories over the newest frames (at most the window's length)."""


class Classifier(Protocol):
    """Tells which trajectories move on their own."""

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory, (N,) float32; `size` is (height, width) of the image, px."""


class Grouper(Protocol):
    """Puts moving trajectories together into objects."""

    def __call__(self, positions: np.ndarray, motions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Group number per trajectory, (N,) int64, -1 for none.

        `positions` (N, 2) px; `motions` (N, G, 2) px per frame beside the background over G gaps, NaN unknown.
        """


class VideoMasker(Protocol):
    """Turns prompts into one dense mask per object, frame by frame."""

    def reset(self) -> None:
        """Forget all objects and frames."""

    def push(self, window: SlidingWindow, evidence: MotionEvidence) -> None:
        """Take the window's newest frame and carry all masks to it."""

    def add(self, object_id: int, prompts: Prompts) -> None:
        """Add an object, or prompt a known one again, in the newest frame."""

    def remove(self, object_id: int) -> None:
        """Forget an object."""

    def masks(self) -> dict[int, np.ndarray]:
        """Mask logits (H, W) float32 per object in the newest frame; positive inside."""
