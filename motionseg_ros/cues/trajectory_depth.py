"""The depth at every trajectory, for a stream (Segment Any Motion, section 3.1). This module needs no torch.

A frame's depth image is read where trajectories are in it, and let go: what the classifier needs of a window is one
number per trajectory and frame. Where a frame has no depth of its own (key frames only, a lost message), a
trajectory keeps the number it had: that is nearer to the truth than an old image at a new place.
"""

from __future__ import annotations

import numpy as np

from ..core.by_id import find
from ..core.depth import DepthReading
from ..core.types import Frame, Tracks
from .depth import DepthSource


class TrajectoryDepth:
    """Relative inverse depth along every living trajectory. Memory: N * T numbers.

    Args:
        source: of depth images.
        reading: as the classifier wants it.
    """

    def __init__(self, source: DepthSource, reading: DepthReading) -> None:
        self._source = source
        self._reading = reading
        self.reset()

    def reset(self) -> None:
        """Forget all frames and trajectories."""
        self._source.reset()
        self._ids = np.zeros(0, np.int64)
        self._values = np.zeros((0, 0), np.float32)

    def update(self, tracks: Tracks, frame: Frame) -> np.ndarray | None:
        """The depth along the living trajectories; to be called once for every frame.

        Args:
            tracks: N trajectories over T frames, all that are alive; others are forgotten.
            frame: the newest one.

        Returns:
            (N, T) float32 in 0..1, near = large, row by row those of `tracks`; NaN where it is not known: before a
            trajectory was seen first, and where no pixel stands for it. None before any depth was known.
        """
        own = self._source.push(frame)
        known, rows = find(tracks.ids, self._ids)
        values = np.full((len(tracks), tracks.num_frames), np.nan, np.float32)
        kept = self._values[rows, max(0, self._values.shape[1] + 1 - tracks.num_frames) :]
        values[known, -1 - kept.shape[1] : -1] = kept
        if self._source.span is not None:
            held = np.full(len(tracks), np.nan, np.float32)
            if kept.shape[1] and not own:
                held[known] = kept[:, -1]
            values[:, -1] = np.where(np.isnan(held), self._read(tracks.positions[:, -1], frame.size), held)
        self._ids, self._values = tracks.ids.copy(), values
        return None if self._source.span is None else values

    def _read(self, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(N,) at positions (N, 2) px, NaN where no pixel stands for them."""
        row, column, known = self._reading.pixels(positions, size)
        values = self._reading.scale(self._source.at(row, column), *self._source.span)
        return np.where(known, values, np.float32(np.nan))
