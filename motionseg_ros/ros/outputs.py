"""The node's result topics. What nobody subscribes to is neither built nor published."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from ..core.types import Frame, FrameResult
from ..io.overlay import draw_overlay
from ..msg import InstanceMaskArray
from .messages import instances_message, labels_message, mask_message, overlay_message, points_message
from .qos import create_publisher

KINDS = {
    "instances": InstanceMaskArray,
    "labels": Image,
    "mask": Image,
    "overlay": Image,
    "points": PointCloud2,
}
"""Result topics and what they carry."""


class Outputs:
    """Publishes `~/instances`, `~/labels`, `~/mask`, `~/overlay` and `~/points`, while the node is active.

    Args:
        queue: history depth of the publishers.
        has_depth: there is a depth camera, without which there are no points.

    Raises:
        ConfigError: a quality of service from outside that cannot be used.
    """

    def __init__(self, node: LifecycleNode, queue: int, has_depth: bool) -> None:
        self._node = node
        self._publishers: dict[str, Any] = {}
        try:
            for name, kind in KINDS.items():
                if has_depth or name != "points":
                    self._publishers[name] = create_publisher(node, kind, f"~/{name}", queue)
        except BaseException:
            self.close()
            raise

    def publish(self, result: FrameResult, frame: Frame, header: Header) -> dict[str, float]:
        """Publish a frame's result under the header of its image; returns the ms of each topic."""
        builders: dict[str, Callable[[], Any]] = {
            "instances": lambda: instances_message(result, header),
            "labels": lambda: labels_message(result, header),
            "mask": lambda: mask_message(result, header),
            "points": lambda: points_message(result, frame, header),
            "overlay": lambda: overlay_message(draw_overlay(frame.image, result), header),
        }
        milliseconds = {}
        for name, publisher in self._publishers.items():
            build = builders[name]
            if publisher.get_subscription_count() > 0:
                begin = time.perf_counter()
                publisher.publish(build())
                milliseconds[name] = 1e3 * (time.perf_counter() - begin)
        return milliseconds

    def close(self) -> None:
        """Take the topics back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()
