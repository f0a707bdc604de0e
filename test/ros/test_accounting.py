"""Every frame that was sent is accounted for."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("reliable", [True, False], ids=["reliable", "best effort"])
def test_sent_is_answered_plus_dropped(
    graph: Any, until: Any, image_of: Any, live_node: Any, reliable: bool
) -> None:
    labels = graph.subscribe(Image, "/motionseg/labels", depth=400)
    reports = graph.subscribe(DiagnosticArray, "/diagnostics")
    camera = graph.publisher(Image, "/image", reliable)
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

    def send() -> None:
        camera.publish(image_of(pixels, graph.next_stamp(5)))

    def totals() -> dict[str, int]:
        """The newest report's, taken after this call."""
        reports.clear()
        until(lambda: len(reports) >= 2, "reports")
        return {p.key: int(p.value) for p in reports[-1].status[0].values if p.key.startswith("frames_")}

    # The first image tells the node where the publisher's count stands; until it comes through, none counts.
    def first_answer() -> bool:
        send()
        time.sleep(0.2)
        return bool(labels)

    until(first_answer, "the first answer")
    time.sleep(0.5)
    before, answers = totals(), len(labels)

    begin = time.monotonic()
    sent = 200
    for number in range(sent):
        time.sleep(max(0.0, begin + number / 200 - time.monotonic()))
        send()
    time.sleep(0.5)
    send()  # makes the loss of images just before it known
    until(
        lambda: labels[-1].header.stamp == image_of(pixels, graph.next_stamp(0)).header.stamp,
        "the last answer",
    )
    after = totals()

    change = {name: after[name] - before[name] for name in after}
    assert (
        change["frames_answered"] + change["frames_dropped"] + change["frames_lost_before_node"] == sent + 1
    )
    assert change["frames_received"] == change["frames_answered"] + change["frames_dropped"]
    assert change["frames_answered"] == len(labels) - answers
    assert change["frames_bad"] == change["frames_failed"] == change["frames_skipped"] == 0


def test_a_best_effort_camera_that_starts_late_is_received(
    graph: Any, until: Any, image_of: Any, run_node: Any
) -> None:
    node = run_node("-r", "image:=/late/image")
    time.sleep(0.5)
    labels = graph.subscribe(Image, "/motionseg/labels")
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    camera = graph.node.create_publisher(
        Image, "/late/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    pixels = np.zeros((120, 160, 3), np.uint8)

    def answered() -> bool:
        camera.publish(image_of(pixels, graph.next_stamp()))
        time.sleep(0.1)
        return bool(labels)

    try:
        until(answered, "an answer")
    finally:
        graph.node.destroy_publisher(camera)
    assert "best effort" in node.output
    assert node.end()[0] == 0


def test_a_reliability_that_does_not_fit_is_told(graph: Any, until: Any, run_node: Any) -> None:
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    node = run_node("-r", "image:=/strict/image", "-p", "node.reliability:=reliable")
    camera = graph.node.create_publisher(
        Image, "/strict/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    try:
        until(lambda: "node.reliability" in node.output, "the warning")
    finally:
        graph.node.destroy_publisher(camera)
    assert node.end()[0] == 0
