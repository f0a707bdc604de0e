"""Quality of service of the node's topics; and, nowhere else, what ROS 2 Humble's rclpy lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from ..core.errors import ConfigError

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

_HAS_MESSAGE_INFO = hasattr(Subscription, "CallbackType")
"""Humble's subscriptions tell no sequence numbers: losses before the node stay uncounted there."""

_OVERRIDABLE = (
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
)


def publisher_qos(depth: int) -> QoSProfile:
    """Reliable, volatile, the last `depth` messages."""
    return profile(ReliabilityPolicy.RELIABLE, depth)


def overridable() -> QoSOverridingOptions:
    """Lets a user set ``qos_overrides.<topic>.publisher.<policy>`` parameters."""
    return QoSOverridingOptions(_OVERRIDABLE)


def best_reliability(node: Node, topic: str) -> ReliabilityPolicy:
    """Reliable unless a publisher of `topic` that is known by now is not; reliable where none is known.

    The middleware's own BEST_AVAILABLE is not used: it decides once, when the subscription is made, and a
    node that starts before a best-effort camera driver would never receive an image. So `subscribe_image`
    calls back when a driver turns up that does not fit.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    if any(p.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for p in publishers):
        return ReliabilityPolicy.BEST_EFFORT
    return ReliabilityPolicy.RELIABLE


def subscribe_image(
    node: Node,
    message_type: type,
    topic: str,
    reliability: ReliabilityPolicy,
    on_message: Callable[[Any, int | None], None],
    on_incompatible: Callable[[], None],
    on_publishers_changed: Callable[[], None],
) -> Subscription:
    """Subscribe with depth 1, volatile.

    Args:
        on_message: gets the message and its number in the publisher's sequence, or None where rclpy cannot
            tell.
        on_incompatible: a publisher was found whose quality of service does not fit.
        on_publishers_changed: a publisher came or went.
    """
    events: dict[str, Any] = {"incompatible_qos": lambda _event: on_incompatible()}

    def with_info(message: Any, info: dict[str, Any]) -> None:
        on_message(message, info["publication_sequence_number"])

    def without_info(message: Any) -> None:
        on_message(message, None)

    if _HAS_MESSAGE_INFO:
        events["matched"] = lambda _event: on_publishers_changed()
    return node.create_subscription(
        message_type,
        topic,
        with_info if _HAS_MESSAGE_INFO else without_info,
        profile(reliability, 1),
        event_callbacks=SubscriptionEventCallbacks(**events),
    )


def create_publisher(node: LifecycleNode, message_type: type, topic: str, depth: int) -> Publisher:
    """A lifecycle publisher of `node`: reliable, `depth` messages, overridable by parameters.

    Raises:
        ConfigError: an override that cannot be used.
    """
    try:
        return node.create_lifecycle_publisher(
            message_type, topic, publisher_qos(depth), qos_overriding_options=overridable()
        )
    except (ParameterException, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"qos_overrides of {topic}: {error}") from None


def profile(reliability: ReliabilityPolicy, depth: int) -> QoSProfile:
    """Volatile, the last `depth` messages."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=DurabilityPolicy.VOLATILE,
    )
