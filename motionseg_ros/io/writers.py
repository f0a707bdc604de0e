"""Where results go: one interface for result folders and bags."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ..core.errors import OutputError
from ..core.types import Frame, FrameResult


class ResultWriter(Protocol):
    """Takes results in the order of the frames. Every method raises `OutputError` where it cannot write."""

    path: Path

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one frame's result."""

    def note(self, summary: dict[str, Any]) -> None:
        """Leave word of how far the run has come, for the case that it is killed."""

    def close(self, summary: dict[str, Any]) -> None:
        """Finish all files, whole; `summary` says how far the run came."""


def open_writer(
    out: Path | str,
    *,
    source: Path | str,
    overlay: bool = False,
    overwrite: bool = False,
    fps: float | None = None,
) -> ResultWriter:
    """A writer for `out`: a bag where the name ends in ``.mcap``, otherwise a folder.

    Args:
        out: where the results go.
        source: what is being read; it is never overwritten.
        overlay: also draw the results on the images.
        overwrite: replace the results of a former run.
        fps: nominal rate of the source, for the overlay video.

    Raises:
        OutputError: `out` holds former results, is the source itself, or cannot be written.
    """
    from .bag_writer import BagWriter
    from .folder_writer import FolderWriter

    out = Path(out)
    if out.suffix == ".mcap":
        if out.resolve() == Path(source).resolve():
            raise OutputError(f"{out} is the source itself; choose another name with -o")
        return BagWriter(out, overlay=overlay, overwrite=overwrite)
    return FolderWriter(out, overlay=overlay, overwrite=overwrite, fps=fps)
