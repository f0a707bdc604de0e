"""Frames from a video file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2

from ..core.errors import SourceError
from ..core.types import Frame
from .frame_source import DEFAULT_FRAME_ID, FrameSource

_FALLBACK_FPS = 30.0
# FFmpeg prints its own complaints on stderr; ours are the errors below. It reads this when first used.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoSource(FrameSource):
    """A video that OpenCV's FFmpeg reads; stamps are the presentation times of its container.

    Raises:
        SourceError: it is no video, or is cut off so that nothing can be read.
    """

    kind = "video"

    def __init__(self, path: Path) -> None:
        super().__init__(path, DEFAULT_FRAME_ID)
        capture = self._open()
        fps = capture.get(cv2.CAP_PROP_FPS)
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        capture.release()
        self._fps = float(fps) if 0 < fps < 1e4 else None
        self._length = int(count) if 0 < count < 1e9 else None

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def fps(self) -> float | None:
        return self._fps

    def __iter__(self) -> Iterator[Frame]:
        capture = self._open()
        period = round(1e9 / (self._fps or _FALLBACK_FPS))
        stamp, index = -period, 0
        try:
            while True:
                read, image = capture.read()
                if not read:
                    break
                time = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                # Containers without times (raw streams) answer 0 for every frame.
                stamp = time if time > stamp or index == 0 else stamp + period
                yield Frame(image, stamp, self.frame_id, index)
                index += 1
        finally:
            capture.release()
        # The container's count is an estimate in some formats.
        if index == 0 or (self._length is not None and self._length - index > max(2, self._length // 100)):
            expected = "" if self._length is None else f" of {self._length}"
            raise SourceError(
                f"{self.path} is damaged or cut off: only {index}{expected} frames can be decoded; "
                "copy or convert it again"
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(
                f"{self.path} cannot be read as a video: it is none, is cut off, or needs a codec that "
                "OpenCV lacks; convert it, or give a ROS recording or a folder of images"
            )
        return capture
