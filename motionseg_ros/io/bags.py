"""Read rosbag2 recordings: folders, bare ``.mcap`` and ``.db3`` files, whole or damaged.

A recording is one or more storage files. The index is used where it is sound; a file without one (a killed
recorder, a cut-off copy) is scanned from its beginning for everything that is whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rosbags.rosbag2 import Reader

from ..core.errors import SourceError
from .bag_scan import BagMessage, BagTopic, ScannedFile
from .natural import natural_key
from .typestore import standard_types

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
STORAGE_SUFFIXES = (".mcap", ".db3")

__all__ = ["IMAGE_TYPES", "STORAGE_SUFFIXES", "Bag", "BagMessage", "BagTopic", "is_bag"]


def is_bag(path: Path) -> bool:
    """Whether `path` looks like a recording: a storage file, or a folder with metadata.yaml or such files."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or bool(_storage_files(path))
    return path.suffix in STORAGE_SUFFIXES


class _Part(Protocol):
    """One opened storage file, or an indexed folder of them."""

    topics: tuple[BagTopic, ...]
    span: tuple[int, int] | None
    damage: str | None

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]: ...

    def close(self) -> None: ...


class Bag:
    """An opened recording; a context manager. Messages are streamed, never held together.

    Args:
        path: rosbag2 folder (with or without metadata.yaml), ``.mcap`` or ``.db3`` file.

    Raises:
        SourceError: nothing can be read from it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._stack = ExitStack()
        self._parts: list[_Part] = []
        self._damage: str | None = None
        if not self.path.exists():
            raise SourceError(f"{self.path} does not exist; check the path of the recording")
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; closing twice is allowed."""
        self._stack.close()

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        """All topics by name, with the number of messages that can be read."""
        merged: dict[str, BagTopic] = {}
        for part in self._parts:
            for topic in part.topics:
                count = topic.count + (merged[topic.name].count if topic.name in merged else 0)
                merged[topic.name] = BagTopic(topic.name, topic.msgtype, count)
        return tuple(merged[name] for name in sorted(merged))

    @property
    def image_topics(self) -> tuple[BagTopic, ...]:
        """The topics that carry Image or CompressedImage messages, by name."""
        return tuple(topic for topic in self.topics if topic.msgtype in IMAGE_TYPES)

    @property
    def duration(self) -> float:
        """Seconds from the first message to the last, by the recorder's clock."""
        spans = [part.span for part in self._parts if part.span is not None]
        return (max(s[1] for s in spans) - min(s[0] for s in spans)) / 1e9 if spans else 0.0

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """Serialised messages of the given topics (all without any) in the order of recording.

        Raises:
            SourceError: after the last readable message of a damaged recording.
        """
        count = 0
        damage = self._damage
        for part in self._parts:
            try:
                for message in part.messages(topics):
                    yield message
                    count += 1
            except SourceError:
                raise
            except Exception as error:  # readers answer damage with errors of every kind
                damage = damage or _reason(error)
                break
            damage = damage or part.damage
        if damage is not None:
            raise SourceError(
                f"{self.path} is damaged or cut off after {count} readable messages ({damage}); "
                "repair it with `mcap recover` or `ros2 bag reindex`, or record it again"
            )

    def deserialize(self, message: BagMessage) -> Any:
        """The message as a rosbags object with the fields of the ROS type.

        Raises:
            SourceError: the bytes are no message of that type.
        """
        try:
            return standard_types().deserialize_cdr(message.data, message.msgtype)
        except Exception as error:  # rosbags raises whatever the damaged bytes lead to
            raise SourceError(
                f"a message on {message.topic} is no {message.msgtype}: {_reason(error)}"
            ) from None

    def _open(self) -> None:
        if self.path.is_dir() and (self.path / "metadata.yaml").is_file():
            try:
                self._add(_IndexedBag(self.path))
                return
            except Exception as error:  # the folder's files may still be readable one by one
                self._damage = _reason(error)
        files = _storage_files(self.path) if self.path.is_dir() else [self.path]
        if not files:
            reason = self._damage or "no .mcap or .db3 file in it"
            raise SourceError(f"{self.path} is no readable recording: {reason}; record it again")
        damages = [self._add_file(file) for file in files]
        if not any(topic.count for part in self._parts for topic in part.topics):
            reason = next((damage for damage in damages if damage), self._damage)
            if reason is not None:
                raise SourceError(f"{self.path} is no readable recording: {reason}; record it again")

    def _add_file(self, file: Path) -> str | None:
        """Open one storage file by its index, or else by a scan; returns why the index could not be used."""
        try:
            self._add(_IndexedBag(file))
        except Exception as error:  # as above
            scanned = ScannedFile(file)
            self._add(scanned)
            return scanned.damage or _reason(error)
        return None

    def _add(self, part: _Part) -> None:
        self._parts.append(part)
        self._stack.callback(part.close)


class _IndexedBag:
    """A recording whose metadata and index are sound."""

    damage = None

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self._reader.open()
        self.topics = tuple(
            BagTopic(name, info.connections[0].msgtype, info.msgcount)
            for name, info in self._reader.topics.items()
        )
        self.span = None
        if self._reader.message_count:
            self.span = (self._reader.start_time, self._reader.end_time)

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        chosen = [c for c in self._reader.connections if not topics or c.topic in topics]
        if chosen:
            for connection, timestamp, data in self._reader.messages(chosen):
                yield BagMessage(connection.topic, connection.msgtype, timestamp, bytes(data))

    def close(self) -> None:
        self._reader.close()


def _storage_files(folder: Path) -> list[Path]:
    files = [f for f in folder.iterdir() if f.suffix in STORAGE_SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda f: natural_key(f.name))


def _reason(error: BaseException) -> str:
    """The first line of an error of another library, without its full stop."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")
