"""What is under every trajectory, for a stream (Segment Any Motion, section 3.3).

A trajectory is described once, by what its point lies on in its query frame, and keeps that description for life.
So only frames in which trajectories are born are encoded. This module needs no torch.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..core.by_id import find
from ..core.types import Frame, Tracks


class FrameEncoder(Protocol):
    """Describes all places of an image, e.g. `dinov2.DinoKeys`."""

    @property
    def width(self) -> int:
        """C, channels of a descriptor."""

    def encode(self, frame: Frame) -> Any:
        """An object that `sample` takes."""

    def sample(self, keys: Any, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(N, C) float32 at positions (N, 2) px of an image of `size` (height, width)."""


class TrajectorySemantics:
    """One descriptor per living trajectory. Memory: N * C numbers of two bytes.

    They are kept in half precision: that is how the release stores them, so that its classifier has seen no other.

    Args:
        encoder: of frames.
    """

    def __init__(self, encoder: FrameEncoder) -> None:
        self._encoder = encoder
        self._passes = 0
        self.reset()

    def reset(self) -> None:
        """Forget all trajectories."""
        self._ids = np.zeros(0, np.int64)
        self._descriptors = np.zeros((0, self._encoder.width), np.float16)

    @property
    def passes(self) -> int:
        """Frames that have been encoded so far."""
        return self._passes

    def update(self, tracks: Tracks, frame: Frame) -> np.ndarray:
        """The descriptors of the living trajectories; to be called once for every frame.

        Args:
            tracks: N trajectories, all that are alive; those that are not in it any more are forgotten.
            frame: the newest one. It is encoded only if a trajectory was born in it.

        Returns:
            (N, C) float32, row by row those of `tracks`.

        Raises:
            ValueError: a trajectory was born in an earlier frame, which has not been given.
        """
        known, rows = find(tracks.ids, self._ids)
        born = tracks.birth == tracks.num_frames - 1
        if (missed := ~known & ~born).any():
            raise ValueError(
                "update must be given every frame; born in others: "
                f"{np.count_nonzero(missed)} of {len(tracks)} trajectories"
            )
        descriptors = np.empty((len(tracks), self._encoder.width), np.float16)
        descriptors[known] = self._descriptors[rows]
        if not known.all():
            keys = self._encoder.encode(frame)
            self._passes += 1
            positions = tracks.positions[~known, -1]
            descriptors[~known] = self._encoder.sample(keys, positions, frame.size)
        self._ids, self._descriptors = tracks.ids.copy(), descriptors
        return descriptors.astype(np.float32)
