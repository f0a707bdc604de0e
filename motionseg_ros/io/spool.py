"""Frames and results set aside on disk, so that a recording can be played backwards in bounded memory."""

from __future__ import annotations

import os
import pickle
import tempfile
import zlib
from array import array
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ..core.types import Frame, FrameResult, Instance
from .atomic import writing
from .folder_writer import encode_labels

_FAST_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class Spool:
    """Records of bytes in a file without a name, read back by number in any order; a context manager.

    The operating system frees the space when the file is closed, even if the process is killed. Memory: 8 bytes
    per record. One thread may write while others read.

    Args:
        folder: on which disk.

    Raises:
        OutputError: from `append` and here, where `folder` cannot be written to or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._name = folder / "(temporary copy for --offline)"
        with writing(self._name):
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (closed in close)
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, data: bytes) -> None:
        """Add one record."""
        place = self._ends[-1]
        rest = memoryview(data)
        with writing(self._name):
            while rest:
                written = os.pwrite(self._file.fileno(), rest, place)
                rest, place = rest[written:], place + written
        self._ends.append(place)

    def __getitem__(self, number: int) -> bytes:
        """The record with this number, counted from 0."""
        if not 0 <= number < len(self):
            raise IndexError(f"record {number} of {len(self)}")
        place, end = self._ends[number], self._ends[number + 1]
        parts = []
        while place < end:
            part = os.pread(self._file.fileno(), end - place, place)
            if not part:
                raise EOFError(f"{self._name} is shorter than what was written")
            parts.append(part)
            place += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let the file go; closing twice is allowed."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pack_frame(frame: Frame) -> bytes:
    """A frame as bytes, without loss."""
    _, png = cv2.imencode(".png", np.ascontiguousarray(frame.image), _FAST_PNG)
    depth = None if frame.depth is None else zlib.compress(frame.depth.tobytes(), 1)
    return pickle.dumps((frame.stamp, frame.frame_id, frame.index, png.tobytes(), depth, frame.camera))


def unpack_frame(data: bytes) -> Frame:
    """What `pack_frame` was given."""
    stamp, frame_id, index, png, depth, camera = pickle.loads(data)
    image = _decode(png, cv2.IMREAD_COLOR)
    if depth is not None:
        depth = np.frombuffer(zlib.decompress(depth), np.float32).reshape(image.shape[:2])
    return Frame(image, stamp, frame_id, index, depth, camera)


def pack_result(result: FrameResult) -> bytes:
    """A result as bytes; the instances' masks are left out, because the labels have them."""
    bare = [(i.roi, replace(i, roi=(0, 0, 0, 0), mask=np.zeros((0, 0), bool))) for i in result.instances]
    rest = (
        result.index,
        result.stamp,
        result.frame_id,
        dict(result.timings_ms),
        result.restart,
        result.warning,
    )
    field = (
        None
        if result.field is None
        else cv2.imencode(".png", result.field.view(np.uint8), _FAST_PNG)[1].tobytes()
    )
    return pickle.dumps((encode_labels(result.labels), bare, rest, field))


def unpack_result(data: bytes) -> FrameResult:
    """What `pack_result` was given."""
    png, bare, (index, stamp, frame_id, timings_ms, restart, warning), field = pickle.loads(data)
    labels = _decode(png, cv2.IMREAD_UNCHANGED).astype(np.uint16)
    instances = tuple(_with_mask(instance, roi, labels) for roi, instance in bare)
    field = None if field is None else _decode(field, cv2.IMREAD_GRAYSCALE).view(np.int8)
    return FrameResult(index, stamp, frame_id, labels, instances, timings_ms, restart, field, warning)


def _decode(png: bytes, mode: int) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), mode)


def _with_mask(instance: Instance, roi: tuple[int, int, int, int], labels: np.ndarray) -> Instance:
    x, y, width, height = roi
    return replace(instance, roi=roi, mask=labels[y : y + height, x : x + width] == instance.id)
