"""Simulated windows drawn side by side, to look at."""

from __future__ import annotations

import cv2
import numpy as np

from .simulator import SimulatedWindows
from .worlds import LONG_SIDE

COLUMNS, ROWS = 6, 4
#: BGR: what moves, what rests, what cannot be told (or is padding), what lies behind.
MOVING, STATIC, UNDECIDED, BACKGROUND = (60, 60, 255), (200, 160, 60), (130, 130, 130), (30, 30, 30)
_MARGIN = 4


def draw_contact_sheet(windows: SimulatedWindows) -> np.ndarray:
    """The first `COLUMNS` x `ROWS` windows: each trajectory as a trail with a dot at its newest position.

    Args:
        windows: some; where there are fewer, places stay empty.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    place = LONG_SIDE + 2 * _MARGIN
    sheet = np.full((ROWS * place, COLUMNS * place, 3), BACKGROUND, np.uint8)
    for index in range(min(len(windows), COLUMNS * ROWS)):
        row, column = divmod(index, COLUMNS)
        height, width = windows.sizes[index]
        tile = np.zeros((height, width, 3), np.uint8)
        _draw_window(tile, windows, index)
        top, left = row * place + (place - height) // 2, column * place + (place - width) // 2
        sheet[top : top + height, left : left + width] = tile
    filled = -(-min(len(windows), COLUMNS * ROWS) // COLUMNS)
    return sheet[: filled * place]


def _draw_window(image: np.ndarray, windows: SimulatedWindows, index: int) -> None:
    for trajectory in range(windows.positions.shape[1]):
        trail = windows.positions[index, trajectory][windows.visible[index, trajectory]]
        if not len(trail):
            continue
        decided = windows.weight[index, trajectory] > 0
        colour = (MOVING if windows.moving[index, trajectory] > 0 else STATIC) if decided else UNDECIDED
        points = np.rint(np.clip(trail, -LONG_SIDE, 2 * LONG_SIDE)).astype(np.int32)
        cv2.polylines(image, [points], False, colour, 1, cv2.LINE_AA)
        cv2.circle(image, points[-1].tolist(), 2, colour, -1, cv2.LINE_AA)
