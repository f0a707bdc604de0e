"""Frames from a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import FrameError, SourceError
from ..core.types import Frame
from .frame_source import DEFAULT_FRAME_ID, FrameSource
from .natural import natural_key

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm"}
)
FOLDER_FPS = 30.0
"""Images carry no time, so they are stamped as if they had been taken at this rate, the first at 0."""


class FolderSource(FrameSource):
    """The images of a folder (not of its subfolders) in natural order of their names.

    Raises:
        SourceError: no images in it.
    """

    kind = "image folder"

    def __init__(self, path: Path, fps: float = FOLDER_FPS) -> None:
        super().__init__(path, DEFAULT_FRAME_ID)
        self._fps = fps
        self._files = image_files(path)
        if not self._files:
            raise SourceError(f"{path} {_why_empty(path)}")

    @property
    def length(self) -> int:
        return len(self._files)

    @property
    def fps(self) -> float:
        return self._fps

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            yield Frame(_read(file), round(index * 1e9 / self._fps), self.frame_id, index)


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder, hidden ones left out, in natural order."""
    files = (f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith("."))
    return sorted((f for f in files if f.is_file()), key=lambda f: natural_key(f.name))


def _read(file: Path) -> np.ndarray:
    try:
        data = np.fromfile(file, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise FrameError(f"{file} cannot be read as an image; mend it or take it out of the folder")
    return image


def _why_empty(folder: Path) -> str:
    below = [f for f in sorted(folder.iterdir()) if f.is_dir()]
    with_images = next((f for f in below if image_files(f)), None)
    if with_images is not None:
        return f"holds no images itself; did you mean {with_images}?"
    if not any(folder.iterdir()):
        return "is empty; give a folder of images, a video or a ROS recording"
    return f"holds no images ({', '.join(sorted(s[1:] for s in IMAGE_SUFFIXES))}) and no ROS recording"
