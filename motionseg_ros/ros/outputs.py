"""The node's result topics. What nobody subscribes to is neither built nor published."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ..core.types import FrameResult
from ..io.overlay import draw_overlay
from ..msg import InstanceMaskArray
from .messages import instances_message, labels_message, mask_message, overlay_message
from .qos import create_publisher


class Outputs:
    """Publishes `~/instances`, `~/labels`, `~/mask` and `~/overlay`, while the node is active.

    Args:
        depth: history depth of the publishers.

    Raises:
        ConfigError: a quality of service from outside that cannot be used.
    """

    def __init__(self, node: LifecycleNode, depth: int) -> None:
        self._node = node
        self._publishers: dict[str, Any] = {}
        try:
            for name in ("instances", "labels", "mask", "overlay"):
                kind = InstanceMaskArray if name == "instances" else Image
                self._publishers[name] = create_publisher(node, kind, f"~/{name}", depth)
        except BaseException:
            self.close()
            raise

    def publish(self, result: FrameResult, image: np.ndarray, header: Header) -> dict[str, float]:
        """Publish a result under the header of its image, (H, W, 3) uint8 BGR; returns the ms of each topic."""
        builders: dict[str, Callable[[], Any]] = {
            "instances": lambda: instances_message(result, header),
            "labels": lambda: labels_message(result, header),
            "mask": lambda: mask_message(result, header),
            "overlay": lambda: overlay_message(draw_overlay(image, result), header),
        }
        milliseconds = {}
        for name, build in builders.items():
            publisher = self._publishers[name]
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
