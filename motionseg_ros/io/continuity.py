"""What breaks a stream of frames in two: a changed image size, or a stamp that jumps back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..core.errors import FrameError
from ..core.types import Frame


def discontinuity(previous: Frame | None, frame: Frame) -> str | None:
    """Why `frame` cannot follow `previous` in one stream, or None where it can. Equal stamps can."""
    if previous is None:
        return None
    if frame.size != previous.size:
        (old_height, old_width), (height, width) = previous.size, frame.size
        return f"the image size changed from {old_width}x{old_height} to {width}x{height}"
    if frame.stamp < previous.stamp:
        return f"the stamp jumped back by {(previous.stamp - frame.stamp) / 1e9:.3f} s (a looped recording?)"
    return None


def continuous(frames: Iterable[Frame], origin: str) -> Iterator[Frame]:
    """The same frames, up to the first that breaks the stream.

    Raises:
        FrameError: names the frame, `origin` and the remedy.
    """
    previous = None
    for frame in frames:
        reason = discontinuity(previous, frame)
        if reason is not None:
            raise FrameError(
                f"{origin}, frame {frame.index}: {reason}; "
                "go on with a fresh window with --set source.on_discontinuity=restart"
            )
        yield frame
        previous = frame
