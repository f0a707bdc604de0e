"""`motionseg play`: what the user can get wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore


def play(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"{code}\nfrom motionseg_ros.cli.main import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, "play", *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def write_bag(path: Path, images: bool) -> Path:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "camera")
    message, kind = header, "std_msgs/msg/Header"
    if images:
        kind = "sensor_msgs/msg/Image"
        message = types[kind](header, 2, 3, "mono8", 0, 3, np.zeros(6, np.uint8))
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/topic", kind, typestore=store)
        writer.write(connection, 10**9, store.serialize_cdr(message, kind))
    return path


def check_error(result: subprocess.CompletedProcess[str], *told: str) -> None:
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    for text in told:
        assert text in line


def test_a_missing_recording(tmp_path: Path) -> None:
    check_error(play(str(tmp_path / "missing.mcap")), "missing.mcap", "does not exist")


def test_ros_is_missing(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", images=True)
    check_error(play(str(bag), code="import sys; sys.modules['rclpy'] = None"), "rclpy", "make setup")


def test_the_messages_are_missing(tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
    bag = write_bag(tmp_path / "bag", images=True)
    result = play(str(bag), code="import sys; sys.modules['motionseg_ros.msg'] = None")
    check_error(result, "messages of motionseg_ros", "colcon")


@pytest.mark.parametrize(
    ("images", "arguments", "told"),
    [
        (False, [], "holds no images"),
        (True, ["--topic", "/nothing"], "/nothing"),
        (True, ["--log", "/nowhere/log.csv"], "/nowhere/log.csv"),
    ],
)
def test_nothing_to_play(tmp_path: Path, images: bool, arguments: list[str], told: str) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
    bag = write_bag(tmp_path / "bag", images=images)
    check_error(play(str(bag), *arguments), told)


@pytest.mark.parametrize("arguments", [["--rate", "0"], ["--rate", "-1"], ["--wait", "-1"]])
def test_values_out_of_range(tmp_path: Path, arguments: list[str]) -> None:
    result = play(str(tmp_path), *arguments)
    assert result.returncode == 2
    assert arguments[0] in result.stderr


def test_a_truncated_recording_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
    (file,) = write_bag(tmp_path / "bag", images=True).glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-40])
    check_error(play(str(file), "--wait", "0"), file.name, "damaged")
