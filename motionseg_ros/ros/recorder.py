"""Records what the node publishes, with the times of arrival."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from ..core.types import FrameResult
from ..msg import InstanceMaskArray
from .messages import result_from_messages, stamp_to_ns
from .qos import publisher_qos

_DEPTH = 50


@dataclass
class Answer:
    """The node's messages for one image; `arrival` is the wall clock when both were here, ns."""

    instances: InstanceMaskArray | None = None
    labels: Image | None = None
    arrival: int = 0

    def result(self, index: int) -> FrameResult:
        """As the pipeline's result for frame `index`."""
        return result_from_messages(self.instances, self.labels, index)


class Recorder:
    """Subscribes to a node's instances, labels and diagnostics, in a thread; a context manager.

    Args:
        node_name: the node to listen to.
    """

    def __init__(self, node_name: str = "motionseg") -> None:
        self._answers: dict[int, Answer] = {}
        self.diagnostics: dict[str, str] = {}
        """The values of the newest diagnostics."""
        self._name = f"{node_name}: "
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("motionseg_recorder", context=self._context)
        self._subscriptions = [
            self._node.create_subscription(kind, topic, callback, publisher_qos(_DEPTH))
            for kind, topic, callback in (
                (InstanceMaskArray, f"/{node_name}/instances", self._on_instances),
                (Image, f"/{node_name}/labels", self._on_labels),
                (DiagnosticArray, "/diagnostics", self._on_diagnostics),
            )
        ]
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._running = True
        self._thread = threading.Thread(target=self._spin, name="recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @property
    def connected(self) -> bool:
        """Whether every subscription has found its publisher."""
        return all(subscription.get_publisher_count() for subscription in self._subscriptions)

    def answers(self) -> dict[int, Answer]:
        """Complete answers by stamp, in ns."""
        return {stamp: answer for stamp, answer in list(self._answers.items()) if answer.arrival}

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.1)

    def _on_instances(self, message: InstanceMaskArray) -> None:
        self._take(message, "instances")

    def _on_labels(self, message: Image) -> None:
        self._take(message, "labels")

    def _take(self, message: Any, part: str) -> None:
        now = time.time_ns()
        answer = self._answers.setdefault(stamp_to_ns(message.header.stamp), Answer())
        setattr(answer, part, message)
        if answer.instances is not None and answer.labels is not None:
            answer.arrival = now

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(self._name):
                self.diagnostics = {pair.key: pair.value for pair in status.values}
