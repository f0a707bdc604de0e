"""Trajectories by causal BootsTAPIR that keep the image evenly covered.

Every frame all living slots are followed; every `stride` frames (the query frames of Segment Any Motion, section 3.1)
grid cells without a visible point are given a free slot. A hidden point keeps its slot for a while, because TAPIR
finds it again when it comes out; one that stays hidden is let go.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...core.config import TapirConfig
from ...core.types import Tracks
from ...core.window import SlidingWindow
from ...io.torch_files import resolve_device
from .model import build_tapir
from .slots import SlotAnswers, SlotPool

# Probability above which the release calls a point visible, hidden, or neither.
SURE = 0.5
# Visible points in one grid cell from which the youngest make room for cells without one.
CROWD = 3


def build_tracker(config: TapirConfig, weights: Path | None, window_length: int, stride: int) -> TapirTracker:
    """A tracker with the model that `config` describes.

    Args:
        weights: the released checkpoint; None for random weights.

    Raises:
        ModelError, ImportError: see `model.build_tapir`.
    """
    device = resolve_device(config.device)
    half = config.precision == "bfloat16" or (config.precision == "auto" and device != "cpu")
    pool = SlotPool(build_tapir(weights, device), config.slots, config.resolution, config.chunk, half)
    return TapirTracker(config, pool, window_length, stride)


class TapirTracker:
    """See the module's text. Memory: the slots, and the window's length of positions for each."""

    def __init__(self, config: TapirConfig, pool: SlotPool, window_length: int, stride: int) -> None:
        """`pool`: with `config.slots` slots; `stride`: frames between two query frames."""
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
        self._positions = np.zeros((slots, length, 2), np.float32)
        self._visible = np.zeros((slots, length), bool)
        self._visibility = np.zeros((slots, length), np.float32)
        self._confidence = np.zeros((slots, length), np.float32)
        self._age = np.zeros(slots, np.int64)
        self._hidden = np.zeros(slots, np.int64)

    def push(self, window: SlidingWindow) -> None:
        """Follow all points into the newest frame; on query frames seed cells that have none."""
        image = window.frame.image
        size = image.shape[:2]
        self._pool.see(image)
        for buffer in (self._positions, self._visible, self._visibility, self._confidence):
            buffer[:, :-1] = buffer[:, 1:]
            buffer[:, -1] = 0
        living = np.flatnonzero(self._ids >= 0)
        if len(living):
            answers = self._pool.step(living)
            self._note(living, answers, to_image(answers.positions, self._config.resolution, size), size)
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

    def _note(
        self, rows: np.ndarray, answers: SlotAnswers, positions: np.ndarray, size: tuple[int, int]
    ) -> None:
        """Write one frame's answers into the buffers."""
        visible, visibility, confidence = gate(answers.occlusion, answers.distance)
        inside = ((positions >= 0) & (positions <= (size[1] - 1, size[0] - 1))).all(1)
        self._positions[rows, -1] = positions
        self._visible[rows, -1] = visible & inside
        self._visibility[rows, -1] = visibility
        self._confidence[rows, -1] = confidence
        self._age[rows] += 1
        self._hidden[rows] = np.where(visible & inside, 0, self._hidden[rows] + 1)

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
        self._age[slots] = 0
        self._hidden[slots] = 0
        self._note(slots, answers, points, size)

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


def gate(occlusion: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible (N,) bool, visibility and gated confidence (N,) float32 from TAPIR's logits, as the release has them.

    A point is visible where visibility times confidence is above 1/2, hidden where (1 - visibility) times confidence
    is; where neither holds its confidence counts as 0.
    """
    visibility = 1.0 / (1.0 + np.exp(occlusion))
    confidence = 1.0 / (1.0 + np.exp(distance))
    visible = visibility * confidence > SURE
    sure = visible | ((1.0 - visibility) * confidence > SURE)
    return visible, visibility.astype(np.float32), np.where(sure, confidence, 0).astype(np.float32)


def to_raster(points: np.ndarray, resolution: int, size: tuple[int, int]) -> np.ndarray:
    """Image px (pixel centres at integers) to TAPIR's (corners at integers, image scaled to a square), (N, 2)."""
    return ((points + 0.5) * resolution / np.array(size[::-1])).astype(np.float32)


def to_image(points: np.ndarray, resolution: int, size: tuple[int, int]) -> np.ndarray:
    """The inverse of `to_raster`."""
    return (points * np.array(size[::-1]) / resolution - 0.5).astype(np.float32)
