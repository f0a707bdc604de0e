"""Frames from a rosbag2 recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.camera import CameraModel
from ..core.errors import FrameError, SourceError
from ..core.types import Frame
from .bags import Bag, BagTopic
from .camera_messages import message_to_camera
from .depth_messages import fit_to, message_to_metres
from .frame_source import FrameSource
from .image_messages import message_to_bgr
from .pairs import pair

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


class BagSource(FrameSource):
    """The images of one topic of a recording, with the stamps and frame of their headers.

    Args:
        path: rosbag2 folder, ``.mcap`` or ``.db3`` file.
        topic: the image topic; None where the recording has just one, beside that of depth.
        depth_topic: of depth images that are registered to the images and are to come with them.
        camera_info_topic: of the images; None for the one beside the image topic, if there is one.
        rectified: the images are, see `camera_messages`.
        tolerance: farthest that the stamps of an image and its depth image lie apart, s.

    Raises:
        SourceError: no image topic, several without a choice, or a chosen one that is not there.
    """

    kind = "bag"

    def __init__(
        self,
        path: Path,
        topic: str | None = None,
        depth_topic: str | None = None,
        camera_info_topic: str | None = None,
        rectified: bool = False,
        tolerance: float = 0.02,
    ) -> None:
        super().__init__(path, "")
        self._bag = Bag(path)
        self._tolerance = round(tolerance * 1e9)
        try:
            self.depth_topic = None if depth_topic is None else _find_topic(self._bag, depth_topic)
            self.topic = choose_topic(self._bag, topic, but=self.depth_topic)
            self.camera = self._read_camera(camera_info_topic, rectified)
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
        for index, (message, depth) in enumerate(self._messages()):
            topic = self.topic
            try:
                image = message_to_bgr(message)
                if depth is not None:
                    topic = self.depth_topic
                    depth = fit_to(message_to_metres(depth), image.shape[:2])
            except SourceError as error:
                raise FrameError(f"{self.path}, {topic.name}, frame {index}: {error}") from None
            self.frame_id = message.header.frame_id
            yield Frame(image, _stamp(message), self.frame_id, index, depth, self.camera)

    def _read_camera(self, topic: str | None, rectified: bool) -> CameraModel | None:
        """From the first message of the images' camera_info; without a `topic`, if there is one that can be used."""
        if topic is None and self.depth_topic is None:
            return None
        name = topic or self.topic.name.rpartition("/")[0] + "/camera_info"
        infos = {t.name: t for t in self._bag.topics if t.msgtype == CAMERA_INFO and t.count}
        if name not in infos:
            if topic is None:
                return None
            listed = ", ".join(sorted(infos)) or "none"
            raise SourceError(f"{self.path} has no camera_info on {topic}; those that it has: {listed}")
        try:
            first = next(iter(self._bag.messages((name,))))
            return message_to_camera(self._bag.deserialize(first), rectified)
        except SourceError as error:
            if topic is None:
                return None
            raise SourceError(f"{self.path}, {name}: {error}") from None

    def _messages(self) -> Iterator[tuple[Any, Any]]:
        """Each image message, and the depth message that belongs to it, or None."""
        if self.depth_topic is None:
            return ((message, None) for _, message in self._read(self.topic))
        both = self._read(self.topic, self.depth_topic)
        stamped = ((topic == self.depth_topic.name, _stamp(message), message) for topic, message in both)
        return pair(stamped, self._tolerance)

    def _read(self, *topics: BagTopic) -> Iterator[tuple[str, Any]]:
        """The topic of each message, and the message."""
        counts = dict.fromkeys((topic.name for topic in topics), 0)
        for serialized in self._bag.messages(tuple(counts)):
            try:
                yield serialized.topic, self._bag.deserialize(serialized)
            except SourceError as error:
                place = f"{serialized.topic}, frame {counts[serialized.topic]}"
                raise FrameError(f"{self.path}, {place}: {error}") from None
            counts[serialized.topic] += 1

    def describe(self) -> str:
        return f"{super().describe()} on {self.topic.name} ({self.topic.msgtype})"

    def close(self) -> None:
        self._bag.close()


def _stamp(message: Any) -> int:
    """Of the header, ns."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def _find_topic(bag: Bag, topic: str) -> BagTopic:
    """The depth topic of that name.

    Raises:
        SourceError: it is not in the recording, or carries no images.
    """
    try:
        return choose_topic(bag, topic)
    except SourceError as error:
        raise SourceError(str(error).replace("--topic", "--depth-topic")) from None


def choose_topic(bag: Bag, topic: str | None, but: BagTopic | None = None) -> BagTopic:
    """The image topic to read: the one asked for, or the only one that has messages, without `but`.

    Raises:
        SourceError: there is no such topic, or more than one to choose from; the message lists them.
    """
    images = [candidate for candidate in bag.image_topics if candidate.count and candidate != but]
    listed = ", ".join(f"{t.name} ({t.count})" for t in images)
    if not images:
        others = ", ".join(f"{t.name} [{t.msgtype}]" for t in bag.topics[:8]) or "no topics at all"
        beside = f" beside {but.name}" if but else ""
        raise SourceError(f"{bag.path} holds no images{beside} (it has {others}); record an image topic")
    if topic is not None:
        wanted = topic if topic.startswith("/") else f"/{topic}"
        found = next((t for t in bag.topics if t.name in (topic, wanted)), None)
        if found is not None and found in images:
            return found
        what = "is not" if found is None else f"has no images ({found.msgtype}, {found.count} messages)"
        if but and found == but:
            what = "is that of depth"
        raise SourceError(f"topic {topic} {what} in {bag.path}; choose one with --topic: {listed}")
    if len(images) > 1:
        raise SourceError(f"{bag.path} has {len(images)} image topics; choose one with --topic: {listed}")
    return images[0]
