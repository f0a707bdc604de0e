"""Publishes the images of a recording to a live graph, with the timing of the recording."""

from __future__ import annotations

import importlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..core.errors import ConfigError, SourceError
from ..io.bags import IMAGE_TYPES, Bag, BagMessage, BagTopic
from .qos import publisher_qos
from .restamp import read_stamp, with_stamp

PLAYED_TYPES = (*IMAGE_TYPES, "sensor_msgs/msg/CameraInfo")
LATE = 0.05
"""A message published this much after its time is counted as late, s."""

_DEPTH = 10


class Published(NamedTuple):
    """One message that went out; times in ns. `stamp` is the header's as published, `time` the wall clock."""

    topic: str
    recorded_stamp: int
    stamp: int
    time: int


@dataclass
class Report:
    """What was played."""

    messages: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    late: int = 0
    interrupted: bool = False


def choose_topics(bag: Bag, wanted: Sequence[str] = ()) -> list[BagTopic]:
    """The topics to play: all images (depth too) and camera_infos, or those of `wanted`.

    Raises:
        SourceError: there is no such topic, or nothing that can be played.
    """
    playable = {topic.name: topic for topic in bag.topics if topic.msgtype in PLAYED_TYPES and topic.count}
    listed = ", ".join(playable)
    if not any(topic.msgtype in IMAGE_TYPES for topic in playable.values()):
        raise SourceError(f"{bag.path} holds no images; record an image topic")
    if not wanted:
        return list(playable.values())
    names = [name if name.startswith("/") else f"/{name}" for name in wanted]
    for name in names:
        if name not in playable:
            raise SourceError(f"{bag.path} has no image topic {name}; choose from {listed}")
    return [playable[name] for name in dict.fromkeys(names)]


def play(
    bag: Bag,
    topics: Sequence[BagTopic],
    *,
    rate: float = 1.0,
    loop: bool = False,
    wait: float = 0.0,
    restamp: bool = False,
    on_publish: Callable[[Published], None] = lambda _: None,
) -> Report:
    """Publish until the end of the recording, or SIGINT or SIGTERM.

    Args:
        rate: 2 plays twice as fast.
        loop: begin again at the end.
        wait: seconds to wait at most for a subscriber to an image topic before the first message.
        restamp: shift all stamps so that the first one is the time at which it is published; with `rate`,
            their distances are scaled too. Else the messages are published as they are, byte for byte.
        on_publish: called after each message.

    Raises:
        SourceError: the recording is damaged; all that is readable has been published before.
        ConfigError: ROS cannot be initialised.
    """
    report = Report(messages={topic.name: 0 for topic in topics})
    with _graph() as node:
        publishers = {topic.name: _publisher(node, topic) for topic in topics}
        begin = time.monotonic()
        try:
            _wait_for_subscriber([publishers[t.name] for t in topics if t.msgtype in IMAGE_TYPES], wait)
            begin = time.monotonic()
            for message, timeline in _passes(bag, list(publishers), rate, loop):
                due = timeline.due(message)
                time.sleep(max(0.0, due - time.monotonic()))
                report.late += time.monotonic() - due > LATE
                recorded = read_stamp(message.data)
                stamp = timeline.stamp(message) if restamp else recorded
                data = with_stamp(message.data, stamp) if restamp else message.data
                publishers[message.topic].publish(data)
                report.messages[message.topic] += 1
                on_publish(Published(message.topic, recorded, stamp, time.time_ns()))
            for publisher in publishers.values():
                # Who leaves at once takes the last images with him.
                publisher.wait_for_all_acked(Duration(seconds=2))
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            report.seconds = time.monotonic() - begin
    return report


class _Timeline:
    """When the messages of one pass through the recording are due, and which stamps they get.

    Args:
        first: the message that is due at once, at the monotonic time `due`.
    """

    def __init__(self, first: BagMessage, rate: float, due: float) -> None:
        self._rate = rate
        self.begin = due
        self._first_recorded = first.timestamp
        self._first_stamp = read_stamp(first.data)
        self._first_wall = time.time_ns() + round((due - time.monotonic()) * 1e9)

    def due(self, message: BagMessage) -> float:
        """Monotonic time, s."""
        return self.begin + self._elapsed(message) / 1e9

    def stamp(self, message: BagMessage) -> int:
        """As far from the first one as it was; a driver that leaves stamps at zero gets the time due."""
        own = read_stamp(message.data)
        elapsed = (
            (own - self._first_stamp) / self._rate if own and self._first_stamp else self._elapsed(message)
        )
        return self._first_wall + round(elapsed)

    def _elapsed(self, message: BagMessage) -> float:
        return (message.timestamp - self._first_recorded) / self._rate


def _passes(
    bag: Bag, topics: Sequence[str], rate: float, loop: bool
) -> Iterator[tuple[BagMessage, _Timeline]]:
    begin = None
    while True:
        timeline, due, count = None, 0.0, 0
        for message in bag.messages(topics):
            if timeline is None:
                timeline = _Timeline(message, rate, time.monotonic() if begin is None else begin)
            due = timeline.due(message)
            count += 1
            yield message, timeline
        if timeline is None or not loop:
            return
        # The last message lasts as long as the others do on average.
        begin = due + ((due - timeline.begin) / (count - 1) if count > 1 else 1.0 / rate)


def _publisher(node: Node, topic: BagTopic) -> Any:
    package, _, name = topic.msgtype.split("/")
    kind = getattr(importlib.import_module(f"{package}.msg"), name)
    return node.create_publisher(kind, topic.name, publisher_qos(_DEPTH))


def _wait_for_subscriber(publishers: Sequence[Any], seconds: float) -> None:
    """Return when one of the publishers has one, or after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(p.get_subscription_count() for p in publishers):
        time.sleep(0.02)


@contextmanager
def _graph() -> Iterator[Node]:
    """A node of our own; SIGTERM ends as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        node = rclpy.create_node("motionseg_player")
    except RuntimeError as error:
        raise ConfigError(f"ROS cannot be initialised: {str(error).splitlines()[0]}") from None
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
        signal.signal(signal.SIGTERM, former)
