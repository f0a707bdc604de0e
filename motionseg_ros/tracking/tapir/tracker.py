"""Trajectories by BootsTAPIR that keep the image evenly covered.

Every frame all living slots are followed; every `stride` frames (the query frames of Segment Any Motion, section 3.1)
grid cells without a visible point are given a free slot. A hidden point keeps its slot for a while, because TAPIR
finds it again when it comes out; one that stays hidden is let go.

How far an answer reaches is the slots' affair. Causal ones tell of the newest frame, and what was said of older ones
stays. Those of the whole window tell of all its frames again and again, those before a point's query frame included,
as Segment Any Motion has it: there a point is known, and may be visible, before its birth.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from ...core.config import TapirConfig
from ...core.types import Frame, Tracks
from ...core.window import SlidingWindow
from ...device.choice import is_half
from .answers import SlotAnswers, gate, to_image, to_raster
from .model import build_tapir, track_by_likeness
from .slots import SlotPool
from .whole_window import WindowPool

# Visible points in one grid cell from which the youngest make room for cells without one.
CROWD = 3


class PointPool(Protocol):
    """Slots for points: `slots.SlotPool` or `whole_window.WindowPool`."""

    def reset(self) -> None:
        """Forget all points and frames."""

    def see(self, frame: Frame) -> None:
        """Take the next frame."""

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        """Give slots `rows` (R,) to `points` (R, 2) of that frame, px of TAPIR's image; answers as in `step`."""

    def step(self, rows: np.ndarray) -> SlotAnswers:
        """Where the points of slots `rows` (R,) are in that frame; or in the K newest, with an axis (R, K)."""


def build_tracker(
    config: TapirConfig,
    weights: Path | None,
    window_length: int,
    stride: int,
    whole_window: bool = False,
) -> TapirTracker:
    """A tracker with the model that `config` describes.

    Args:
        weights: the released checkpoint of the causal model, or for the whole window that of the one that is not
            (`bootstapir_checkpoint_v2.pt`); None for random weights, see `model.track_by_likeness`.
        stride: frames between two query frames.
        whole_window: estimate every trajectory over all of the window in every frame, forward and backward.

    Raises:
        ModelError, ImportError: see `model.build_tapir`.
    """
    model = build_tapir(weights, config.device, causal=not whole_window)
    if weights is None:
        track_by_likeness(model)
    half = is_half(config.precision, next(model.parameters()).device)
    pool: PointPool
    if whole_window:
        pool = WindowPool(model, config.slots, window_length, config.resolution, config.chunk, half)
    else:
        pool = SlotPool(model, config.slots, config.resolution, config.chunk, half)
    return TapirTracker(config, pool, window_length, stride)


class TapirTracker:
    """See the module's text. Memory: the slots, and the window's length of positions for each."""

    def __init__(self, config: TapirConfig, pool: PointPool, window_length: int, stride: int) -> None:
        """`pool`: with `config.slots` slots, and of `window_length` if it is one of the whole window; `stride`: frames
        between two query frames."""
        self._config = config
        self._pool = pool
        self._length = window_length
        self._stride = stride
        self._next_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget all points and frames; ids are not used again."""
        slots, length = self._config.slots, self._length
        self._pool.reset()
        self._frames = 0
        self._ids = np.full(slots, -1, np.int64)  # -1: free
        self._seeds = np.zeros((slots, 2), np.float32)
        self._positions = np.zeros((slots, length, 2), np.float32)
        self._visible = np.zeros((slots, length), bool)
        self._visibility = np.zeros((slots, length), np.float32)
        self._confidence = np.zeros((slots, length), np.float32)
        self._age = np.zeros(slots, np.int64)
        self._hidden = np.zeros(slots, np.int64)

    def push(self, window: SlidingWindow) -> None:
        """Follow all points into the newest frame; on query frames seed cells that have none."""
        size = window.frame.size
        self._pool.see(window.frame)
        for buffer in (self._positions, self._visible, self._visibility, self._confidence):
            buffer[:, :-1] = buffer[:, 1:]
            buffer[:, -1] = 0
        living = np.flatnonzero(self._ids >= 0)
        if len(living):
            self._note(living, self._pool.step(living), size)
            self._let_go(size)
        if self._frames % self._stride == 0:
            self._seed(size)
        self._frames += 1

    def window(self) -> Tracks:
        """The living trajectories over the newest frames; where hidden, positions are guesses."""
        length = min(self._frames, self._length)
        rows = np.flatnonzero(self._ids >= 0)
        rows = rows[np.argsort(self._ids[rows], kind="stable")]
        newest = np.s_[rows, self._length - length :]
        return Tracks(
            positions=self._positions[newest].copy(),
            visible=self._visible[newest].copy(),
            visibility=self._visibility[newest].copy(),
            confidence=self._confidence[newest].copy(),
            birth=np.maximum(length - self._age[rows], 0),
            ids=self._ids[rows].copy(),
        )

    def _note(self, rows: np.ndarray, answers: SlotAnswers, size: tuple[int, int]) -> None:
        """Write answers of one frame's step, about that frame or several, into the buffers."""
        positions = to_image(answers.positions, self._config.resolution, size).reshape(len(rows), -1, 2)
        count = positions.shape[1]
        # In its query frame a point is where it was put, whatever TAPIR says (as in the release).
        query = count - 1 - self._age[rows]
        here = np.flatnonzero(query >= 0)
        positions[here, query[here]] = self._seeds[rows[here]]
        inside = ((positions >= 0) & (positions <= (size[1] - 1, size[0] - 1))).all(-1)
        visible, visibility, confidence = (
            values.reshape(len(rows), -1) for values in gate(answers.occlusion, answers.distance)
        )
        self._positions[rows, -count:] = positions
        self._visible[rows, -count:] = visible & inside
        self._visibility[rows, -count:] = visibility
        self._confidence[rows, -count:] = confidence
        self._age[rows] += 1
        self._hidden[rows] = np.where(self._visible[rows, -1], 0, self._hidden[rows] + 1)

    def _let_go(self, size: tuple[int, int]) -> None:
        """Free the slots of points that have been hidden for too long, and of the youngest in crowded cells."""
        self._ids[self._hidden > self._config.patience] = -1
        rows = np.flatnonzero((self._ids >= 0) & self._visible[:, -1])
        rows = rows[np.argsort(self._ids[rows])]  # by age, the oldest first
        cells = self._cells(self._positions[rows, -1], size)
        seen: dict[int, int] = {}
        for row, cell in zip(rows.tolist(), cells.tolist(), strict=True):
            seen[cell] = seen.get(cell, 0) + 1
            if seen[cell] > CROWD:
                self._ids[row] = -1

    def _seed(self, size: tuple[int, int]) -> None:
        """Give free slots to cells without a visible point, spread over the image where they are too few."""
        height, width = size
        spacing = self._spacing(size)
        rows, columns = max(1, height // spacing), max(1, width // spacing)
        occupied = np.zeros(rows * columns, bool)
        seen = np.flatnonzero((self._ids >= 0) & self._visible[:, -1])
        occupied[self._cells(self._positions[seen, -1], size)] = True
        free = np.flatnonzero(self._ids < 0)
        # An order that is as good as random, but the same in every run; another one each time.
        order = np.random.default_rng(self._frames).permutation(np.flatnonzero(~occupied))[: len(free)]
        if not len(order):
            return
        slots = free[: len(order)]
        at = np.stack([order % columns, order // columns], axis=1)
        points = ((at + 0.5) * (width / columns, height / rows) - 0.5).astype(np.float32)
        answers = self._pool.seed(slots, to_raster(points, self._config.resolution, size))
        self._ids[slots] = np.arange(self._next_id, self._next_id + len(slots))
        self._next_id += len(slots)
        for buffer in (self._positions, self._visible, self._visibility, self._confidence):
            buffer[slots] = 0
        self._positions[slots] = points[:, None]
        self._seeds[slots] = points
        self._age[slots] = 0
        self._hidden[slots] = 0
        self._note(slots, answers, size)

    def _spacing(self, size: tuple[int, int]) -> int:
        """Side of a grid cell, px: there are at most as many cells as slots."""
        return max(1, math.ceil(math.sqrt(size[0] * size[1] / self._config.slots)))

    def _cells(self, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(N,) int64, the grid cell of each position (N, 2) px in the image."""
        height, width = size
        spacing = self._spacing(size)
        rows, columns = max(1, height // spacing), max(1, width // spacing)
        column = ((positions[:, 0] + 0.5) * columns / width).astype(np.int64)
        row = ((positions[:, 1] + 0.5) * rows / height).astype(np.int64)
        return row.clip(0, rows - 1) * columns + column.clip(0, columns - 1)
