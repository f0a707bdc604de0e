"""The sliding window of frames that all stages share."""

from __future__ import annotations

from collections import deque

from .image import WorkingImage
from .types import Frame


class SlidingWindow:
    """The newest `length` frames at working size, and the newest one at full size.

    Full-size images of older frames are let go, so memory is bounded by one full image and `length` small ones.
    """

    def __init__(self, length: int, working_size: int) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, but got {length}")
        self._images: deque[WorkingImage] = deque(maxlen=length)
        self._stamps: deque[int] = deque(maxlen=length)
        self._working_size = working_size
        self._frame: Frame | None = None

    def __len__(self) -> int:
        return len(self._images)

    def clear(self) -> None:
        """Forget all frames."""
        self._images.clear()
        self._stamps.clear()
        self._frame = None

    def push(self, frame: Frame) -> None:
        """Take the next frame; the oldest one is dropped when the window is full.

        Raises:
            ValueError: the frame's size is not that of the window's other frames.
        """
        if self._frame is not None and frame.size != self._frame.size:
            raise ValueError(
                f"frame must be {self._frame.size} as the frames before it, but got {frame.size}"
            )
        self._images.append(WorkingImage.prepare(frame, self._working_size))
        self._stamps.append(frame.stamp)
        self._frame = frame

    @property
    def frame(self) -> Frame:
        """The newest frame at full size.

        Raises:
            IndexError: the window is empty.
        """
        if self._frame is None:
            raise IndexError("the window is empty")
        return self._frame

    @property
    def newest(self) -> WorkingImage:
        """The newest frame at working size (IndexError when the window is empty)."""
        return self._images[-1]

    def back(self, gap: int) -> WorkingImage | None:
        """The frame `gap` frames before the newest at working size, or None where the window has none."""
        return self._images[-1 - gap] if 0 <= gap < len(self._images) else None

    def back_to(self, stamp: int) -> int | None:
        """How many frames before the newest the one with `stamp` (ns) is, the newer of equals; None if not here."""
        return next((gap for gap, one in enumerate(reversed(self._stamps)) if one == stamp), None)
