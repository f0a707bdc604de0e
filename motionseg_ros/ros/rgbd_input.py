"""The subscriptions of an RGB-D camera: images with the depth image of the same moment, and the calibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from ..core.camera import CameraModel
from ..core.config import Config
from ..core.errors import ConfigError, FrameError
from ..io.camera_messages import message_to_camera
from .image_input import ImageInput
from .messages import stamp_to_ns
from .qos import profile

QUEUE = 10
"""Images, and depth images, that wait for each other at most."""

_QUIET = 5.0


class RgbdInput:
    """Subscribes to `image`, `depth` and `camera_info` of a node while it is open.

    Args:
        on_pair: called in the executor with an image message, the depth message of the same moment, and the number of
            images that were lost before they came into the node.
        on_unpaired: called with a number of images for which no depth image came.

    Raises:
        ConfigError: `message_filters` is not installed.
    """

    def __init__(
        self,
        node: Node,
        config: Config,
        on_pair: Callable[[Any, Any, int], None],
        on_unpaired: Callable[[int], None],
    ) -> None:
        try:
            import message_filters
        except ImportError:
            raise ConfigError(
                "depth.name sensor needs ROS 2's Python package 'message_filters', which comes with a ROS 2 "
                "installation: apt install ros-$ROS_DISTRO-message-filters"
            ) from None
        self._filters = message_filters
        self._node = node
        self._tolerance = config.depth.tolerance
        self._rectified = config.depth.rectified
        self._on_pair = on_pair
        self._on_unpaired = on_unpaired
        self._image = ImageInput(node, config.node, self._take_image)
        self._depth = ImageInput(node, config.node, self._take_depth, name="depth", transport="raw")
        self._info: Any = None
        self.camera: CameraModel | None = None
        self._waiting = self._missed = 0
        self._begin()

    @property
    def topic(self) -> str:
        """Of the images."""
        return self._image.topic

    @property
    def depth_topic(self) -> str:
        """Of the depth images."""
        return self._depth.topic

    def open(self) -> None:
        """Subscribe."""
        self._image.open()
        self._depth.open()
        # What asks for least gets what any driver offers.
        quality = profile(ReliabilityPolicy.BEST_EFFORT, 1)
        self._info = self._node.create_subscription(CameraInfo, "camera_info", self._take_info, quality)

    def close(self) -> None:
        """End the subscriptions; closing twice is allowed."""
        self._image.close()
        self._depth.close()
        if self._info is not None:
            self._node.destroy_subscription(self._info)
            self._info = None
        self._begin()

    def _begin(self) -> None:
        """Empty queues; the images in them are left unpaired."""
        if self._waiting:
            self._on_unpaired(self._waiting)
        self._waiting = 0
        self._newest: dict[str, int] = {}
        self._images, self._depths = self._filters.SimpleFilter(), self._filters.SimpleFilter()
        self._pairs = self._filters.ApproximateTimeSynchronizer(
            [self._images, self._depths], QUEUE, self._tolerance
        )
        self._pairs.registerCallback(self._take_pair)

    def _take_image(self, message: Any, missed: int) -> None:
        self._check_order("image", message)
        self._missed += missed
        self._waiting += 1
        self._images.signalMessage(message)
        self._give_up()

    def _take_depth(self, message: Any, missed: int) -> None:
        self._check_order("depth", message)
        self._depths.signalMessage(message)
        self._give_up()

    def _check_order(self, stream: str, message: Any) -> None:
        """Begin anew after a jump back in time: the queues let go of the oldest stamps, which would be all new."""
        stamp = stamp_to_ns(message.header.stamp)
        if stamp < self._newest.get(stream, stamp):
            self._begin()
        self._newest[stream] = stamp

    def _take_pair(self, image: Any, depth: Any) -> None:
        self._waiting -= 1
        missed, self._missed = self._missed, 0
        self._on_pair(image, depth, missed)

    def _give_up(self) -> None:
        """Tell of the images that the queue has let go of."""
        left = self._waiting - len(self._pairs.queues[0])
        if left > 0:
            self._waiting -= left
            self._on_unpaired(left)

    def _take_info(self, message: Any) -> None:
        try:
            self.camera = message_to_camera(message, self._rectified)
        except FrameError as error:
            self.camera = None
            self._node.get_logger().warning(f"{error}: positions stay unknown", throttle_duration_sec=_QUIET)
