"""Frames from a rosbag2 recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.errors import FrameError, SourceError
from ..core.types import Frame
from .bags import Bag, BagTopic
from .frame_source import FrameSource
from .image_messages import message_to_bgr


class BagSource(FrameSource):
    """The images of one topic of a recording, with the stamps and frame of their headers.

    Args:
        path: rosbag2 folder, ``.mcap`` or ``.db3`` file.
        topic: the image topic; None where the recording has just one.

    Raises:
        SourceError: no image topic, several without a choice, or a chosen one that is not there.
    """

    kind = "bag"

    def __init__(self, path: Path, topic: str | None = None) -> None:
        super().__init__(path, "")
        self._bag = Bag(path)
        try:
            self.topic = choose_topic(self._bag, topic)
        except BaseException:
            self._bag.close()
            raise

    @property
    def length(self) -> int:
        return self.topic.count

    @property
    def fps(self) -> float | None:
        duration = self._bag.duration
        return (self.topic.count - 1) / duration if self.topic.count > 1 and duration > 0 else None

    def __iter__(self) -> Iterator[Frame]:
        for index, serialized in enumerate(self._bag.messages((self.topic.name,))):
            try:
                message = self._bag.deserialize(serialized)
                image = message_to_bgr(message)
            except SourceError as error:
                raise FrameError(f"{self.path}, {self.topic.name}, frame {index}: {error}") from None
            self.frame_id = message.header.frame_id
            stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
            yield Frame(image, stamp, self.frame_id, index)

    def describe(self) -> str:
        return f"{super().describe()} on {self.topic.name} ({self.topic.msgtype})"

    def close(self) -> None:
        self._bag.close()


def choose_topic(bag: Bag, topic: str | None) -> BagTopic:
    """The image topic to read: the one asked for, or the only one that has messages.

    Raises:
        SourceError: there is no such topic, or more than one to choose from; the message lists them.
    """
    images = [candidate for candidate in bag.image_topics if candidate.count]
    listed = ", ".join(f"{t.name} ({t.count})" for t in images)
    if not images:
        others = ", ".join(f"{t.name} [{t.msgtype}]" for t in bag.topics[:8]) or "no topics at all"
        raise SourceError(f"{bag.path} holds no images (it has {others}); record an image topic")
    if topic is not None:
        wanted = topic if topic.startswith("/") else f"/{topic}"
        found = next((t for t in bag.topics if t.name in (topic, wanted)), None)
        if found is not None and found in images:
            return found
        what = "is not" if found is None else f"has no images ({found.msgtype}, {found.count} messages)"
        raise SourceError(f"topic {topic} {what} in {bag.path}; choose one with --topic: {listed}")
    if len(images) > 1:
        raise SourceError(f"{bag.path} has {len(images)} image topics; choose one with --topic: {listed}")
    return images[0]
