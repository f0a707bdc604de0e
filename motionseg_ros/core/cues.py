"""What is known of trajectories beside their paths: the depth along them, and what they lie on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from .timing import StageTimer
from .types import Frame, Tracks


class TrajectoryCue(Protocol):
    """Tells one such thing, from a stream's images."""

    def reset(self) -> None:
        """Forget all frames and trajectories."""

    def update(self, tracks: Tracks, frame: Frame) -> np.ndarray | None:
        """Take the newest frame; a row for each of the N living trajectories, or None where nothing is known.

        To be called once for every frame.
        """


class NoCue:
    """Knows nothing of any trajectory."""

    def reset(self) -> None:
        """Nothing to forget."""

    def update(self, tracks: Tracks, frame: Frame) -> None:
        """None."""


@dataclass(frozen=True)
class Cues:
    """What the classifier is given.

    Args:
        depth: relative inverse depth in 0..1, (N, T) float32.
        semantics: descriptors of what the query points lie on, (N, C) float32.
    """

    depth: TrajectoryCue = field(default_factory=NoCue)
    semantics: TrajectoryCue = field(default_factory=NoCue)

    def reset(self) -> None:
        """Forget all frames and trajectories."""
        self.depth.reset()
        self.semantics.reset()

    def update(
        self, tracks: Tracks, frame: Frame, timer: StageTimer
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Both for the newest frame; to be called once for every frame."""
        return (
            _update("depth", self.depth, tracks, frame, timer),
            _update("semantics", self.semantics, tracks, frame, timer),
        )


def _update(
    stage: str, cue: TrajectoryCue, tracks: Tracks, frame: Frame, timer: StageTimer
) -> np.ndarray | None:
    """The cue's answer; nothing takes no time, and is not listed among the stages."""
    if isinstance(cue, NoCue):
        return None
    with timer(stage):
        return cue.update(tracks, frame)
