"""What the pipeline throws does not end the node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from motionseg_ros.core.types import Frame, FrameResult

pytestmark = pytest.mark.ros


class Moody:
    """A segmenter that fails at every frame whose first pixel is 13; `reset` fails too if asked to."""

    def __init__(self, can_reset: bool = True) -> None:
        self.resets: list[str] = []
        self._can_reset = can_reset

    def reset(self, reason: str) -> None:
        if not self._can_reset:
            raise RuntimeError("no way back")
        self.resets.append(reason)

    def push(self, frame: Frame) -> FrameResult:
        if frame.image[0, 0, 0] == 13:
            raise ZeroDivisionError("unlucky")
        return FrameResult(frame.index, frame.stamp, frame.frame_id, np.zeros(frame.size, np.uint16))


@pytest.fixture
def node() -> Iterator[Any]:
    import rclpy

    from motionseg_ros.ros.node import MotionSegNode

    context = rclpy.Context()
    rclpy.init(context=context)
    node = MotionSegNode(context=context)
    node.start()
    yield node
    assert node.stop()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("can_reset", [True, False])
def test_an_unexpected_error_costs_one_frame(node: Any, image_of: Any, until: Any, can_reset: bool) -> None:
    from motionseg_ros.ros.diagnostics import ERROR, diagnostics_message

    node._segmenter = moody = Moody(can_reset)
    before = node._statistics.snapshot().counts

    def push(value: int, number: int) -> Any:
        node._on_image(image_of(np.full((48, 64, 3), value, np.uint8), number * 10**8), number)
        done = lambda c: c.answered + c.failed == number  # noqa: E731
        return until(lambda: (s := node._statistics.snapshot()) and done(s.counts) and s, "the frame")

    push(1, 1)
    snapshot = push(13, 2)
    assert snapshot.counts.failed == 1
    assert "ZeroDivisionError: unlucky" in snapshot.last["failed"]
    status = diagnostics_message(
        "motionseg", node.get_clock().now().to_msg(), "active", "/image", {}, snapshot, before, 2.0
    ).status[0]
    assert status.level == ERROR
    assert "unlucky" in status.message
    assert push(1, 3).counts.answered == 2
    assert len(moody.resets) == can_reset
    assert (node._segmenter is moody) == can_reset
