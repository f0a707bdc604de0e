"""The overlay as a video file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import OutputError
from ..core.types import Frame, FrameResult
from .atomic import part_path, writing
from .overlay import draw_overlay

_FALLBACK_FPS = 30.0


class OverlayVideo:
    """An MPEG-4 video of overlays that appears under its name when it is closed.

    The first frame fixes the size; frames of another size are scaled into it with black borders.
    OpenCV does not tell when the disk is full, so the finished file is opened again and its frames counted.

    Raises:
        OutputError: from `write` and `close`, when the video cannot be written.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        self._part = part_path(path)
        self._fps = min(max(fps or _FALLBACK_FPS, 1.0), 240.0)
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._frames = 0

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Draw one frame's overlay and append it."""
        if self._writer is None:
            self._open(frame.size)
        self._writer.write(_fit(draw_overlay(frame.image, result), self._size))
        self._frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; without frames there is none."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if _count_frames(self._part) < self._frames:
            with suppress(OSError):
                self._part.unlink()
            raise OutputError(
                f"cannot write {self.path}: the video is not whole (disk full?); "
                "free some space, choose another place with -o, or leave --overlay out"
            )
        with writing(self.path):
            os.replace(self._part, self.path)

    def _open(self, size: tuple[int, int]) -> None:
        height, width = self._size = size
        with writing(self.path):
            self._part.write_bytes(b"")
        fourcc = cv2.VideoWriter_fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._part), fourcc, self._fps, (width, height))
        if not self._writer.isOpened():
            self._writer = None
            with suppress(OSError):
                self._part.unlink()
            raise OutputError(
                f"cannot write {self.path}: this OpenCV has no MPEG-4 encoder for {width}x{height}; "
                "leave --overlay out"
            )


def _count_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale an image into (height, width), keeping its proportions, on black."""
    if image.shape[:2] == size:
        return image
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (
        max(1, min(round(n * scale), limit)) for n, limit in zip(image.shape, size, strict=False)
    )
    fitted = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    fitted[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA
    )
    return fitted
