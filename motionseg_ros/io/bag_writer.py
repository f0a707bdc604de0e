"""Results as a bag with the node's topics."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcap.opcode import Opcode
from mcap.writer import MCAP0_MAGIC, Writer
from rosbags.typesys.store import Typestore

from ..core.errors import OutputError
from ..core.types import Frame, FrameResult
from .atomic import part_path, writing
from .overlay import draw_overlay
from .result_messages import image_message, instances_message
from .typestore import INSTANCES_TYPE, package_types

NODE = "/motionseg"
SUMMARY_METADATA = "motionseg_summary"
"""Name of the metadata record that holds the run's summary as JSON."""

_IMAGE = "sensor_msgs/msg/Image"


class BagWriter:
    """Writes one MCAP file with ``/motionseg/instances``, ``/motionseg/labels`` and ``/motionseg/mask``.

    The file grows under a hidden name beside `path` and gets its name when it is closed. Headers are those of
    the source; log times are the stamps, held back from running backwards.

    Args:
        path: the ``.mcap`` file.
        overlay: also write ``/motionseg/overlay``.
        overwrite: replace a former file.

    Raises:
        OutputError: `path` exists and `overwrite` is not given, or it cannot be written.
    """

    def __init__(self, path: Path, *, overlay: bool = False, overwrite: bool = False) -> None:
        self.path = path
        self._part = part_path(path)
        if path.is_dir() or (path.exists() and not overwrite):
            remedy = "" if path.is_dir() else " or replace it with --overwrite"
            raise OutputError(f"{path} already exists; choose another name with -o{remedy}")
        self._types = package_types()
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _PlainFile(self._part)
            self._writer = Writer(self._file)
            self._writer.start(profile="ros2", library="motionseg_ros")
        topics = {"instances": INSTANCES_TYPE, "labels": _IMAGE, "mask": _IMAGE}
        if overlay:
            topics["overlay"] = _IMAGE
        self._channels = _register(self._writer, self._types, topics)
        self._log_time = 0
        self._broken = False

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one message per topic."""
        types = self._types.types
        messages = {
            "instances": instances_message(result, types),
            "labels": image_message(result, result.labels, "mono16", types),
            "mask": image_message(result, result.mask, "mono8", types),
        }
        if "overlay" in self._channels:
            messages["overlay"] = image_message(result, draw_overlay(frame.image, result), "bgr8", types)
        self._log_time = max(self._log_time, result.stamp)
        try:
            with writing(self.path):
                for name, message in messages.items():
                    data = self._types.serialize_cdr(message, message.__msgtype__)
                    self._writer.add_message(
                        self._channels[name], self._log_time, bytes(data), self._log_time, result.index
                    )
                self._file.keep()
        except OutputError:
            self._broken = True
            raise

    def note(self, summary: dict[str, Any]) -> None:
        """A bag cannot be corrected as it grows: the hidden file says nothing until it is closed."""

    def close(self, summary: dict[str, Any]) -> None:
        """Write the index and give the file its name; after a failed write, close it without an index."""
        try:
            with writing(self.path):
                if self._broken:
                    self._file.end_without_index()
                else:
                    self._writer.add_metadata(
                        SUMMARY_METADATA, {"json": json.dumps(summary, allow_nan=False)}
                    )
                    self._writer.finish()
        except OutputError:
            with writing(self.path):
                self._file.end_without_index()
                self._rename()
            raise
        with writing(self.path):
            self._rename()

    def _rename(self) -> None:
        self._file.close()
        os.replace(self._part, self.path)


class _PlainFile:
    """An unbuffered file that knows up to where it holds whole records."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._position = 0
        self._kept = 0

    def write(self, data: bytes) -> int:
        written = 0
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        self._position += written
        return written

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is buffered."""

    def keep(self) -> None:
        """All that was written so far is whole."""
        self._kept = self._position

    def end_without_index(self) -> None:
        """Cut back to the last whole record and end the file there; readers then scan it."""
        os.ftruncate(self._descriptor, self._kept)
        os.lseek(self._descriptor, self._kept, os.SEEK_SET)
        data_end = bytes([Opcode.DATA_END]) + (4).to_bytes(8, "little") + bytes(4)
        footer = bytes([Opcode.FOOTER]) + (20).to_bytes(8, "little") + bytes(20)
        self.write(data_end + footer + MCAP0_MAGIC)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)


def _register(writer: Writer, types: Typestore, topics: dict[str, str]) -> dict[str, int]:
    """Channel number per topic name; schemas as rosbag2 writes them."""
    schemas: dict[str, int] = {}
    channels: dict[str, int] = {}
    for name, msgtype in topics.items():
        if msgtype not in schemas:
            definition, _ = types.generate_msgdef(msgtype, ros_version=2)
            schemas[msgtype] = writer.register_schema(msgtype, "ros2msg", definition.encode())
        metadata = {"offered_qos_profiles": "", "topic_type_hash": types.hash_rihs01(msgtype)}
        channels[name] = writer.register_channel(f"{NODE}/{name}", "cdr", schemas[msgtype], metadata)
    return channels
