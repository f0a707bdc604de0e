"""What every source of frames offers, whatever it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..core.types import Frame

DEFAULT_FRAME_ID = "camera_optical_frame"
"""`frame_id` of frames whose source has none (videos and folders)."""


class FrameSource(ABC):
    """A stream of frames; a context manager. Each iteration begins at the first frame again.

    Iterating raises `FrameError` at a frame that cannot be used and `SourceError` where a damaged source ends
    early, both after every frame before it was yielded.
    """

    kind: str
    """What it is, for people: "bag", "video" or "image folder"."""

    def __init__(self, path: Path, frame_id: str) -> None:
        self.path = path
        self.frame_id = frame_id

    @property
    def name(self) -> str:
        """The path as the user gave it."""
        return str(self.path)

    @property
    @abstractmethod
    def length(self) -> int | None:
        """Number of frames, or None where it cannot be known beforehand."""

    @property
    @abstractmethod
    def fps(self) -> float | None:
        """Nominal frames per second, or None where unknown."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Frames in order, decoded one at a time."""

    def close(self) -> None:  # noqa: B027  (sources that hold nothing open have nothing to close)
        """Let go of open files; closing twice is allowed."""

    def describe(self) -> str:
        """One line for people."""
        count = "?" if self.length is None else str(self.length)
        rate = "" if self.fps is None else f" at {self.fps:.3g} frames/s"
        return f"{self.kind} {self.path}: {count} frames{rate}"

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
