"""The examples run against the node's real messages, and the README shows them as they are."""

from __future__ import annotations

import array
import os
import signal
import subprocess
import sys
import time

import pytest

EXAMPLE = "examples/obstacle_listener.py"


def test_the_readme_shows_the_example(read_document, root):
    blocks = [content for language, content in read_document("README.md").blocks if language == "python"]
    assert blocks == [(root / EXAMPLE).read_text(encoding="utf-8")]


@pytest.mark.ros
def test_the_example_listens(root, tmp_path, monkeypatch):
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    messages = pytest.importorskip("motionseg_ros.msg", reason="needs the built messages")
    from sensor_msgs.msg import RegionOfInterest

    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    seen = messages.InstanceMask(
        id=7,
        state=messages.InstanceMask.MOVING,
        roi=RegionOfInterest(x_offset=10, y_offset=20, width=3, height=2),
        mask=array.array("B", [255, 255, 255, 0, 0, 0]),
        velocity_px=[30.0, -4.0],
    )
    hidden = messages.InstanceMask(id=8, state=messages.InstanceMask.OCCLUDED)
    message = messages.InstanceMaskArray(height=48, width=64, instances=[seen, hidden])

    output = tmp_path / "output.txt"
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("test_planner", context=context)
    publisher = node.create_publisher(messages.InstanceMaskArray, "/motionseg/instances", 5)
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", root / EXAMPLE], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + 20
        while "object" not in output.read_text() and process.poll() is None:
            assert time.monotonic() < end, "the example printed nothing in 20 s"
            publisher.publish(message)
            time.sleep(0.1)
        # Let it come to rest: rclpy cannot convert a message while it is interrupted.
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert set(output.read_text().splitlines()) == {"object 7: 3 px at 11, 20, moves 30, -4 px/s"}
