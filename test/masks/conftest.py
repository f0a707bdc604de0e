"""A textured square that moves over a textured background seen by a panning camera; everything about it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion, fit_background
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.core.window import SlidingWindow

HEIGHT, WIDTH = 160, 240
MARGIN = 120
TRACK_NOISE = 0.15  # px, as a good tracker has it


def texture(height: int, width: int, seed: int, tint: Sequence[float]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for sigma, weight in ((1.5, 50), (6.0, 50)):
        noise = rng.normal(0, 1, (height, width, 1)).astype(np.float32)
        total += weight * sigma * cv2.GaussianBlur(noise, (0, 0), sigma)[..., None]
    return np.clip(total + np.array(tint, np.float32), 0, 255).astype(np.uint8)


@dataclass
class Square:
    """`at`: left and top in frame 0, px; `step`: px per frame in the image."""

    at: tuple[int, int]
    step: tuple[int, int]
    side: int = 44
    tint: tuple[float, float, float] = (70, 90, 190)


@dataclass
class Film:
    """Frames of the squares over the background, which goes by `pan` px a frame; truth for all of it."""

    squares: tuple[Square, ...]
    pan: tuple[int, int] = (2, 1)
    size: tuple[int, int] = (HEIGHT, WIDTH)
    window_length: int = 10
    window: SlidingWindow = field(init=False)
    index: int = -1

    def __post_init__(self) -> None:
        self.window = SlidingWindow(self.window_length, 432)
        h, w = self.size
        self._canvas = texture(h + 2 * MARGIN, w + 2 * MARGIN, 0, (110, 120, 90))
        self._faces = [texture(s.side, s.side, 7 + i, s.tint) for i, s in enumerate(self.squares)]

    def labels(self, index: int) -> np.ndarray:
        """(h, w) int: 0 background, otherwise 1 + the square's number."""
        truth = np.zeros(self.size, int)
        for number, square in enumerate(self.squares):
            truth[self._place(square, index)] = number + 1
        return truth

    def next(self) -> SlidingWindow:
        """Render the next frame into the window."""
        self.index += 1
        h, w = self.size
        x, y = MARGIN - self.index * self.pan[0], MARGIN - self.index * self.pan[1]
        image = self._canvas[y : y + h, x : x + w].copy()
        for square, face in zip(self.squares, self._faces, strict=True):
            rows, columns = self._place(square, self.index)
            image[rows, columns] = face[: rows.stop - rows.start, : columns.stop - columns.start]
        self.window.push(Frame(image, index=self.index))
        return self.window

    def tracks(self, frames: int) -> tuple[Tracks, np.ndarray]:
        """Trajectories on a grid over the newest `frames` frames, and (N,) the square each is on (0 none)."""
        h, w = self.size
        at = np.stack(np.meshgrid(np.arange(6, w - 5, 10), np.arange(6, h - 5, 10)), -1).reshape(-1, 2)
        owner = self.labels(self.index)[at[:, 1], at[:, 0]]
        steps = np.array([self.pan, *(s.step for s in self.squares)], float)[owner]
        gaps = np.arange(frames - 1, -1, -1)
        positions = at[:, None] - gaps[None, :, None] * steps[:, None]
        positions += np.random.default_rng(self.index).normal(0, TRACK_NOISE, positions.shape)
        visible = ((positions >= 0) & (positions <= (w - 1, h - 1))).all(2)
        n = len(at)
        tracks = Tracks(
            positions.astype(np.float32),
            visible,
            visible.astype(np.float32),
            visible.astype(np.float32),
            visible.argmax(1).astype(np.int64),
            np.arange(n, dtype=np.int64),
        )
        return tracks, owner

    def background(self) -> BackgroundMotion:
        tracks, owner = self.tracks(len(self.window))
        return fit_background(tracks, self.size, (1, 2, 4, 8), owner == 0)

    def evidence(
        self, owners: Callable[[np.ndarray], np.ndarray] | None = None, still: frozenset[int] = frozenset()
    ) -> MotionEvidence:
        """What perfect trajectories say; `owners` gives the object that those on square k carry (0 by default)."""
        tracks, owner = self.tracks(len(self.window))
        moving = np.where([s == 0 for s in owner], 0.02, 0.98)
        for number, square in enumerate(self.squares):
            if square.step == self.pan:
                moving[owner == number + 1] = 0.02
        return MotionEvidence(
            positions=tracks.positions[:, -1],
            moving=moving.astype(np.float32),
            known=np.full(len(tracks), len(self.window) >= 3),
            owners=np.zeros(len(tracks), np.int64) if owners is None else owners(owner).astype(np.int64),
            background=self.background(),
            still=still,
        )

    @staticmethod
    def _place(square: Square, index: int) -> tuple[slice, slice]:
        x, y = square.at[0] + index * square.step[0], square.at[1] + index * square.step[1]
        return slice(y, y + square.side), slice(x, x + square.side)


@pytest.fixture
def make_film() -> Callable[..., Film]:
    """``make_film((left, top, step x, step y), ..., pan=)``."""

    def make(*squares: tuple[int, int, int, int], **options: object) -> Film:
        return Film(tuple(Square(s[:2], s[2:]) for s in squares), **options)

    return make
