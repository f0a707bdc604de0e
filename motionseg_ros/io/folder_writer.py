"""Results as a folder: label images, one JSON line per frame, a summary, an overlay video."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..core.errors import OutputError
from ..core.types import Frame, FrameResult
from .atomic import LineFile, part_path, write_atomic, writing
from .instance_records import frame_record
from .overlay_video import OverlayVideo

LABELS = "labels"
INSTANCES = "instances.jsonl"
SUMMARY = "summary.json"
OVERLAY = "overlay.mp4"
_LABEL_NAME = re.compile(r"\.?\d{5,}(\.part)?\.png")


class FolderWriter:
    """Writes ``labels/00000.png``, ``instances.jsonl``, ``summary.json`` and, if asked, ``overlay.mp4``.

    Every file is whole at any moment. A frame's line in ``instances.jsonl`` is written after its label image,
    so a frame that has a line has both.

    Args:
        path: the folder, made if need be.
        overlay: also write the overlay video.
        overwrite: replace the results of a former run; files that are not ours stay.
        fps: frame rate of the overlay video.

    Raises:
        OutputError: the folder holds results and `overwrite` is not given, or it cannot be written.
    """

    def __init__(
        self, path: Path, *, overlay: bool = False, overwrite: bool = False, fps: float | None = None
    ) -> None:
        self.path = path
        self._labels = path / LABELS
        with writing(path):
            former = _former_results(path)
            if former and not overwrite:
                raise OutputError(
                    f"{path} already holds results ({former[0].relative_to(path)}); "
                    "choose another folder with -o or replace them with --overwrite"
                )
            for file in former:
                file.unlink()
            self._labels.mkdir(parents=True, exist_ok=True)
        self._instances = LineFile(path / INSTANCES)
        self._video = OverlayVideo(path / OVERLAY, fps) if overlay else None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write the label image, the line and the overlay of one frame."""
        write_atomic(self._labels / f"{result.index:05d}.png", encode_labels(result.labels))
        self._instances.append(json.dumps(frame_record(result), allow_nan=False))
        if self._video is not None:
            self._video.write(frame, result)

    def note(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json`` as of now."""
        text = json.dumps(summary, indent=2, allow_nan=False)
        write_atomic(self.path / SUMMARY, f"{text}\n".encode())

    def close(self, summary: dict[str, Any]) -> None:
        """Finish the video and the lines, then write the last ``summary.json``."""
        try:
            self._instances.close()
            if self._video is not None:
                self._video.close()
        finally:
            self.note(summary)


def encode_labels(labels: np.ndarray) -> bytes:
    """(H, W) uint16 label image as PNG bytes: 8-bit where every id is below 256, otherwise 16-bit."""
    small = labels.astype(np.uint8) if labels.max(initial=0) < 256 else labels
    _, encoded = cv2.imencode(".png", small)  # OpenCV's defaults are its fastest and suit flat areas
    return encoded.tobytes()


def _former_results(path: Path) -> list[Path]:
    """Files of a former run, and what a killed one left half-written."""
    files = [path / name for name in (SUMMARY, INSTANCES, OVERLAY)]
    files += [part_path(file) for file in files]
    if (path / LABELS).is_dir():
        files += sorted(f for f in (path / LABELS).iterdir() if _LABEL_NAME.fullmatch(f.name))
    return [file for file in files if file.is_file() or file.is_symlink()]
