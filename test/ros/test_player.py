"""A recording played into a live graph, and the node on it."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from sensor_msgs.msg import CameraInfo, Image

from motionseg_ros.core.errors import SourceError
from motionseg_ros.io.bags import Bag
from motionseg_ros.ros.messages import stamp_to_ns
from motionseg_ros.ros.player import choose_topics

pytestmark = pytest.mark.ros

COUNT, PERIOD, START = 10, 50_000_000, 1_600_000_000_123_456_789
SIZE = (480, 640)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    path = tmp_path_factory.mktemp("bag") / "recording"
    rng = np.random.default_rng(0)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {
            "/camera/image_raw": "sensor_msgs/msg/Image",
            "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
            "/imu_frame": "std_msgs/msg/Header",
        }
        connections = {t: writer.add_connection(t, kind, typestore=store) for t, kind in kinds.items()}
        for index in range(COUNT):
            time_ns = START + index * PERIOD
            stamp = types["builtin_interfaces/msg/Time"](*divmod(time_ns, 10**9))
            header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera_optical_frame")
            image = types["sensor_msgs/msg/Image"](
                header=header,
                height=SIZE[0],
                width=SIZE[1],
                encoding="bgr8",
                is_bigendian=0,
                step=3 * SIZE[1],
                data=rng.integers(0, 256, 3 * SIZE[0] * SIZE[1], np.uint8),
            )
            empty = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            info = types["sensor_msgs/msg/CameraInfo"](
                header,
                *SIZE,
                "plumb_bob",
                np.zeros(5),
                np.eye(3).ravel(),
                np.eye(3).ravel(),
                np.zeros(12),
                0,
                0,
                empty,
            )
            for topic, message in zip(kinds, (image, info, header), strict=True):
                data = store.serialize_cdr(message, kinds[topic])
                writer.write(connections[topic], time_ns, data)
    return path


def player(bag: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "motionseg_ros.cli.main", "play", str(bag), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Receiver:
    """Subscribes before there is a publisher; notes when each message came."""

    def __init__(self, graph: Any, kind: type, topic: str) -> None:
        from rclpy.qos import QoSProfile

        self.messages: list[Any] = []
        self.times: list[float] = []
        self.graph = graph
        self.subscription = graph.node.create_subscription(kind, topic, self._take, QoSProfile(depth=50))

    def _take(self, message: Any) -> None:
        self.times.append(time.monotonic())
        self.messages.append(message)

    def close(self) -> None:
        """Subscribe no longer. The last messages may still be on their way when the player has ended."""
        while True:
            count = len(self.messages)
            time.sleep(0.3)
            if len(self.messages) == count:
                break
        self.graph.node.destroy_subscription(self.subscription)


def receive(graph: Any, bag: Path, *options: str) -> tuple[Receiver, Receiver, str]:
    """Play the recording; what came of its images and calibrations, and the output.

    A reader on a machine that stands still for a moment may not know the writer yet when it begins: play it again.
    """
    for _ in range(3):
        images = Receiver(graph, Image, "/camera/image_raw")
        infos = Receiver(graph, CameraInfo, "/camera/camera_info")
        process = player(bag, *options)
        output, _ = process.communicate(timeout=30)
        images.close()
        infos.close()
        assert process.returncode == 0, output
        if len(images.messages) == COUNT and len(infos.messages) in (0, COUNT):
            break
    return images, infos, output


def test_messages_go_out_unchanged_and_in_time(graph: Any, bag: Path) -> None:
    delays = []
    while not delays or (
        delays[-1] >= 0.04 and len(delays) < 3
    ):  # a busy machine may stand still for a while
        images, infos, output = receive(graph, bag)
        assert f"{COUNT} on /camera/image_raw" in output
        stamps = [START + index * PERIOD for index in range(COUNT)]
        assert [stamp_to_ns(m.header.stamp) for m in images.messages] == stamps
        assert [stamp_to_ns(m.header.stamp) for m in infos.messages] == stamps
        expected = np.random.default_rng(0)
        for message in images.messages:
            pixels = expected.integers(0, 256, 3 * SIZE[0] * SIZE[1], np.uint8)
            assert np.array_equal(np.frombuffer(message.data, np.uint8), pixels)
        offsets = np.array(images.times) - images.times[0] - np.arange(COUNT) * PERIOD / 1e9
        delays.append(float(np.median(np.abs(offsets))))
    assert min(delays) < 0.04, delays


def test_rate_restamp_topic_and_log(graph: Any, bag: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    before = time.time_ns()
    options = ("--rate", "2", "--restamp", "--topic", "/camera/image_raw", "--log", str(log))
    images, _, _ = receive(graph, bag, *options)
    stamps = [stamp_to_ns(m.header.stamp) for m in images.messages]
    assert np.array_equal(np.diff(stamps), np.full(COUNT - 1, PERIOD // 2))
    assert before < stamps[0] < time.time_ns()
    rows = list(csv.DictReader(log.open()))
    assert [int(row["stamp"]) for row in rows] == stamps
    assert [int(row["recorded_stamp"]) for row in rows] == [START + i * PERIOD for i in range(COUNT)]
    late = sorted(int(row["time"]) - int(row["stamp"]) for row in rows)
    assert late[0] >= 0
    assert late[COUNT // 2] < 50_000_000  # a busy machine may delay some
    assert {row["topic"] for row in rows} == {"/camera/image_raw"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_ends_when_told(graph: Any, until: Any, bag: Path, number: int) -> None:
    images = Receiver(graph, Image, "/camera/image_raw")
    process = player(bag, "--loop", "--rate", "5", "--restamp")
    until(lambda: len(images.messages) > COUNT + 2, "the second pass")
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    images.close()
    assert process.returncode == 0, output
    assert time.monotonic() - begin < 2
    assert "stopped" in output
    assert "Traceback" not in output
    stamps = [stamp_to_ns(m.header.stamp) for m in images.messages]
    assert np.all(np.diff(stamps) > 0)
    assert np.diff(stamps).max() < 10 * PERIOD, "passes follow each other as frames do"


def test_from_a_recording_to_masks(graph: Any, until: Any, bag: Path, run_node: Any) -> None:
    node = run_node("-r", "image:=/camera/image_raw")
    labels = graph.subscribe(Image, "/motionseg/labels")
    process = player(bag, "--wait", "20", "--rate", "0.5")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    last = START + (COUNT - 1) * PERIOD
    until(lambda: labels and stamp_to_ns(labels[-1].header.stamp) == last, "the last answer")
    assert {(m.height, m.width, m.header.frame_id) for m in labels} == {(*SIZE, "camera_optical_frame")}
    # A busy machine may make the node drop some (test_accounting counts them); most must be there.
    assert len(labels) >= COUNT // 2
    assert node.end()[0] == 0


def test_topics_are_chosen(bag: Path) -> None:
    with Bag(bag) as recording:
        names = [topic.name for topic in choose_topics(recording)]
        assert sorted(names) == ["/camera/camera_info", "/camera/image_raw"]
        assert [t.name for t in choose_topics(recording, ["camera/image_raw"])] == ["/camera/image_raw"]
        with pytest.raises(SourceError, match=r"/nothing; choose from .*/camera/image_raw"):
            choose_topics(recording, ["/nothing"])
