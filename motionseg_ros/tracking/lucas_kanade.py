"""Pyramidal Lucas-Kanade point tracker that keeps the image evenly covered with trajectories.

Every frame the living points are followed forward and back again; a point whose way back misses its start is
lost. Every `stride` frames each grid cell without a living point is given a new one at its best corner
(Shi-Tomasi), so the frames of seeding are the query frames of the method (Segment Any Motion, section 3.1).
Tracking runs on the working image; positions handed out are in full-image pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..core.config import TrackerConfig
from ..core.image import WorkingImage
from ..core.threads import map_in_threads
from ..core.types import Tracks
from ..core.window import SlidingWindow

# A small window: larger ones drag background points along with a passing boundary (60 to 100 % of the false
# positives of a trajectory classifier lie within 8 px of an object's outline).
LK_WINDOW = 7
# Shi-Tomasi response of sensor noise.
LEAST_RESPONSE = 1e-6
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 0.02)


class LucasKanadeTracker:
    """See the module's text. Memory: a buffer of at most one trajectory per grid cell times the window's length."""

    def __init__(self, config: TrackerConfig, window_length: int, stride: int) -> None:
        self._config = config
        self._length = window_length
        self._stride = stride
        self._next_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget all points and frames; ids are not used again."""
        self._image: WorkingImage | None = None
        self._frames = 0
        self._positions = np.zeros((0, self._length, 2), np.float32)
        self._confidence = np.zeros((0, self._length), np.float32)
        self._visible = np.zeros((0, self._length), bool)
        self._ids = np.zeros(0, np.int64)

    def push(self, window: SlidingWindow) -> None:
        """Follow all points into the newest frame; seed new ones on query frames or when few points are left."""
        image, previous = window.newest, window.back(1)
        if previous is not None and len(self._ids):
            self._follow(previous, image)
        if self._frames % self._stride == 0 or self._starved(image):
            self._seed(image)
        self._image = image
        self._frames += 1

    def window(self) -> Tracks:
        """The living trajectories over the newest frames, in full-image pixels."""
        length = min(self._frames, self._length)
        newest = slice(self._length - length, None)
        positions = self._positions[:, newest]
        if self._image is not None:
            positions = self._image.to_full(positions)
        visible = self._visible[:, newest].copy()
        confidence = self._confidence[:, newest].copy()
        return Tracks(
            positions=positions.astype(np.float32),
            visible=visible,
            visibility=confidence.copy(),
            confidence=confidence,
            birth=visible.argmax(axis=1) if length else np.zeros(0, np.int64),
            ids=self._ids.copy(),
        )

    def _follow(self, previous: WorkingImage, image: WorkingImage) -> None:
        """Extend the buffers by one frame and drop the trajectories that were lost."""
        start = self._positions[:, -1]
        # Points go on about as they went: the last displacement is a better start than none on fast motion.
        known = self._visible[:, -2:].all(1)[:, None]
        step = np.where(known, start - self._positions[:, -2], 0)
        before, after = previous.pyramid, image.pyramid

        def there_and_back(some: slice) -> tuple[np.ndarray, ...]:
            end, ok = lucas_kanade(before, after, start[some], start[some] + step[some])
            back, ok_back = lucas_kanade(after, before, end, end - step[some])
            return end, ok & ok_back, np.linalg.norm(back - start[some], axis=1)

        half = len(start) // 2
        parts = map_in_threads(there_and_back, (np.s_[:half], np.s_[half:]))
        end, ok, error = (np.concatenate(column) for column in zip(*parts, strict=True))
        h, w = image.size
        inside = (end >= 0).all(1) & (end[:, 0] <= w - 1) & (end[:, 1] <= h - 1)
        alive = ok & inside & (error <= self._config.max_round_trip)
        alive &= self._uncrowded(end, alive, image)

        self._positions = np.concatenate([self._positions[alive, 1:], end[alive, None]], axis=1)
        confidence = np.exp(-error[alive] / self._config.max_round_trip)[:, None].astype(np.float32)
        self._confidence = np.concatenate([self._confidence[alive, 1:], confidence], axis=1)
        seen = np.ones((int(alive.sum()), 1), bool)
        self._visible = np.concatenate([self._visible[alive, 1:], seen], axis=1)
        self._ids = self._ids[alive]

    def _uncrowded(self, points: np.ndarray, alive: np.ndarray, image: WorkingImage) -> np.ndarray:
        """(N,) bool: of the points that ran into each other only the oldest stays (rows are sorted by age)."""
        cell = max(2, self._config.spacing // 3)
        key = np.where(alive, self._cells(points, cell, image), -1 - np.arange(len(points)))
        keep = np.zeros(len(points), bool)
        keep[np.unique(key, return_index=True)[1]] = True
        return keep

    def _starved(self, image: WorkingImage) -> bool:
        h, w = image.size
        cells = (h // self._config.spacing) * (w // self._config.spacing)
        return len(self._ids) < self._config.min_coverage * cells

    def _seed(self, image: WorkingImage) -> None:
        """Give every empty grid cell a new point at its best corner, if it has one."""
        spacing = self._config.spacing
        h, w = image.size
        rows, columns = h // spacing, w // spacing
        if rows == 0 or columns == 0:
            return
        response = cv2.cornerMinEigenVal(image.gray, 3)
        border = LK_WINDOW // 2
        response[:border] = response[-border:] = 0
        response[:, :border] = response[:, -border:] = 0
        cells = response[: rows * spacing, : columns * spacing]
        cells = (
            cells.reshape(rows, spacing, columns, spacing).transpose(0, 2, 1, 3).reshape(rows * columns, -1)
        )
        best = cells.argmax(1)
        free = np.ones(rows * columns, bool)
        points = self._positions[:, -1]
        row, column = (points[:, 1] // spacing).astype(int), (points[:, 0] // spacing).astype(int)
        on_grid = (row < rows) & (column < columns)
        free[row[on_grid] * columns + column[on_grid]] = False
        free &= cells[np.arange(len(cells)), best] > self._least_response(response)
        cell = np.flatnonzero(free)
        x = (cell % columns) * spacing + best[cell] % spacing
        y = (cell // columns) * spacing + best[cell] // spacing
        self._append(np.stack([x, y], axis=1).astype(np.float32))

    def _least_response(self, response: np.ndarray) -> float:
        """What a corner must have, relative to the image's own corners: a dim image has its structure too."""
        return max(LEAST_RESPONSE, self._config.min_corner * float(np.percentile(response[::2, ::2], 90)))

    def _append(self, points: np.ndarray) -> None:
        n = len(points)
        positions = np.zeros((n, self._length, 2), np.float32)
        positions[:, :] = points[:, None]
        confidence = np.zeros((n, self._length), np.float32)
        confidence[:, -1] = 1.0
        self._positions = np.concatenate([self._positions, positions])
        self._confidence = np.concatenate([self._confidence, confidence])
        self._visible = np.concatenate([self._visible, confidence > 0])
        self._ids = np.concatenate([self._ids, np.arange(self._next_id, self._next_id + n)])
        self._next_id += n

    @staticmethod
    def _cells(points: np.ndarray, cell: int, image: WorkingImage) -> np.ndarray:
        columns = image.size[1] // cell + 1
        return (points[:, 1] // cell).astype(np.int64) * columns + (points[:, 0] // cell).astype(np.int64)


def lucas_kanade(
    source: tuple[np.ndarray, ...], target: tuple[np.ndarray, ...], points: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coarse-to-fine Lucas-Kanade on pyramids that are already there.

    OpenCV's Python binding takes no ready pyramid and would build four of them per frame, so the levels are
    walked here, one single-level call each.

    Args:
        source, target: gray images from fine to coarse, each half as large as the one before.
        points: (N, 2) float32, positions in `source[0]`, px.
        guess: (N, 2) float32, where they may be in `target[0]`.

    Returns:
        positions in `target[0]` (N, 2) float32, and (N,) bool, whether the finest level converged.
    """
    found = guess.astype(np.float32)
    ok = np.zeros(len(points), bool)
    if len(points) == 0:
        return found, ok
    for level in range(len(source) - 1, -1, -1):
        scale = np.float32(0.5**level)
        at = np.ascontiguousarray(points * scale).reshape(-1, 1, 2)
        start = np.ascontiguousarray(found * scale).reshape(-1, 1, 2)
        end, status, _ = cv2.calcOpticalFlowPyrLK(
            source[level],
            target[level],
            at,
            start.copy(),
            winSize=(LK_WINDOW, LK_WINDOW),
            maxLevel=0,
            criteria=_CRITERIA,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
            minEigThreshold=1e-5,
        )
        ok = status[:, 0] == 1
        found = np.where(ok[:, None], end[:, 0] / scale, found)
    return found, ok
