"""The image subscription: which topic, which quality of service, and how many images never came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from ..core.config import NodeConfig
from .qos import best_reliability, subscribe_image

_QUIET = 5.0


class LossCounter:
    """Counts gaps in the sequence numbers of one publisher, from the first message seen."""

    def __init__(self) -> None:
        self._last: int | None = None

    def begin_anew(self) -> None:
        """The publisher may be another one from now on."""
        self._last = None

    def missed(self, number: int | None) -> int:
        """How many messages lie between the one before and this one; `number` is None where unknown."""
        previous, self._last = self._last, number
        if previous is None or number is None or number <= previous:
            return 0
        return number - previous - 1


class ImageInput:
    """Subscribes to `image` (or `image`/compressed) of a node while it is open.

    Args:
        on_message: called in the executor with each message and the number of messages lost before it.
        name: another topic than `image`.
        transport: another one than the configuration's.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        on_message: Callable[[Any, int], None],
        name: str = "image",
        transport: str | None = None,
    ) -> None:
        base = node.resolve_topic_name(name)
        raw = (transport or config.image_transport) == "raw"
        # As image_transport names it, so that `-r image:=/camera/image_raw` serves both transports.
        self.topic = base if raw else f"{base}/compressed"
        self._node = node
        self._type = Image if raw else CompressedImage
        self._reliability = config.reliability
        self._on_message = on_message
        self._losses = LossCounter()
        self._subscription: Any = None

    def open(self) -> None:
        """Subscribe."""
        if self._reliability == "best_available":
            self._subscribe(best_reliability(self._node, self.topic))
        else:
            self._subscribe(ReliabilityPolicy[self._reliability.upper()])

    def close(self) -> None:
        """End the subscription; closing twice is allowed."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _subscribe(self, reliability: ReliabilityPolicy) -> None:
        self.close()
        self._losses.begin_anew()
        self._subscription = subscribe_image(
            self._node,
            self._type,
            self.topic,
            reliability,
            self._take,
            lambda: self._on_incompatible(reliability),
            self._losses.begin_anew,
        )

    def _take(self, message: Any, number: int | None) -> None:
        missed = self._losses.missed(number)
        # The numbers of several publishers mean nothing side by side.
        if missed and self._subscription.get_publisher_count() > 1:
            missed = 0
        self._on_message(message, missed)

    def _on_incompatible(self, reliability: ReliabilityPolicy) -> None:
        logger = self._node.get_logger()
        if self._reliability != "best_available" or reliability == ReliabilityPolicy.BEST_EFFORT:
            logger.warning(
                f"a publisher of {self.topic} offers a quality of service that does not fit; "
                "set node.reliability to best_effort or best_available",
                throttle_duration_sec=_QUIET,
            )
            return
        logger.info(f"{self.topic} is published with best effort: subscribing with best effort")
        # Not from here: this is an event of the very subscription that has to go.
        self._node.executor.create_task(self._fall_back)

    def _fall_back(self) -> None:
        if self._subscription is not None:
            self._subscribe(ReliabilityPolicy.BEST_EFFORT)
