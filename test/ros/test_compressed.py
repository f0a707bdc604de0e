"""Compressed images."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros


def compressed(pixels: np.ndarray, suffix: str, stamp: int) -> CompressedImage:
    data = cv2.imencode(suffix, pixels)[1].tobytes()
    message = CompressedImage(format=suffix[1:], data=array.array("B", data))
    message.header.frame_id = "camera"
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    return message


def test_compressed_images(graph: Any, until: Any, run_node: Any) -> None:
    node = run_node(
        "-r", "image:=/camera/image_raw", "-p", "node.image_transport:=compressed",
        "-p", "node.diagnostics_period:=0.1",
    )  # fmt: skip
    labels = graph.subscribe(Image, "/motionseg/labels")
    reports = graph.subscribe(DiagnosticArray, "/diagnostics")
    camera = graph.publisher(CompressedImage, "/camera/image_raw/compressed")
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    graph.connect(lambda: camera.publish(compressed(pixels, ".jpg", graph.next_stamp())), labels)
    for suffix in (".jpg", ".png"):
        message = compressed(pixels, suffix, graph.next_stamp())
        camera.publish(message)
        until(lambda m=message: any(answer.header == m.header for answer in labels), suffix)
        assert (labels[-1].height, labels[-1].width) == (120, 160)
    cut = compressed(pixels, ".png", graph.next_stamp())
    cut.data = cut.data[:10]
    camera.publish(cut)
    until(lambda: any("cannot be decoded" in r.status[0].message for r in list(reports)), "the bad frame")
    assert "Traceback" not in node.output
    assert node.end()[0] == 0
