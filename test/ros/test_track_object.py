"""The service that tracks an object of the caller's choice, on the live node."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.srv", reason="the messages are not built (make setup)")

from geometry_msgs.msg import Point32
from motionseg_ros.msg import InstanceMaskArray
from motionseg_ros.srv import TrackObject
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("live_node")]

SIZE = (120, 160)
NAME = "/motionseg/track_object"


def scene(shift: int) -> np.ndarray:
    """Texture that goes by 2 px a frame: nothing moves on its own."""
    noise = np.random.default_rng(3).integers(0, 256, (SIZE[0], SIZE[1] + 120, 3), np.uint8)
    blurred = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)
    return np.ascontiguousarray(blurred[:, 2 * shift : 2 * shift + SIZE[1]])


class Camera:
    """Publishes the scene and waits for the answers."""

    def __init__(self, graph: Any, until: Callable[..., Any], image_of: Callable[..., Any]) -> None:
        self.graph, self._until, self._image_of = graph, until, image_of
        self.labels = graph.subscribe(Image, "/motionseg/labels")
        self.instances = graph.subscribe(InstanceMaskArray, "/motionseg/instances")
        self._publisher = graph.publisher(Image, "/image")
        graph.connect(lambda: self.publish(), self.labels, self.instances)
        self.frame = 0
        assert graph.call(Trigger, "/motionseg/reset").success

    def publish(self, frame: int = 0) -> Any:
        message = self._image_of(scene(frame), self.graph.next_stamp())
        self._publisher.publish(message)
        return message

    def next(self, count: int = 1) -> np.ndarray:
        """The label image of the next frame, which has been answered."""
        for _ in range(count):
            message = self.publish(self.frame)
            self.frame += 1
            found = self._until(
                lambda message=message: next((m for m in self.labels if m.header == message.header), None),
                "the labels",
            )
        self.stamp = message.header.stamp
        return np.frombuffer(found.data, "<u2").reshape(SIZE)

    def track(self, mask: np.ndarray | None = None, points: tuple = (), **fields: Any) -> Any:
        request = {"points": [Point32(x=float(x), y=float(y)) for x, y in points], **fields}
        if mask is not None:
            pixels = np.where(mask, np.uint8(255), np.uint8(0))
            request["mask"] = Image(
                height=mask.shape[0],
                width=mask.shape[1],
                encoding="mono8",
                step=mask.shape[1],
                data=array.array("B", pixels.tobytes()),
            )
        return self.graph.call(TrackObject, NAME, **request)


@pytest.fixture
def camera(graph: Any, until: Callable[..., Any], image_of: Callable[..., Any]) -> Camera:
    return Camera(graph, until, image_of)


def square(left: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[40:80, left : left + 40] = True
    return mask


def overlap(labels: np.ndarray, object_id: int, truth: np.ndarray) -> float:
    mine = labels == object_id
    return (mine & truth).sum() / (mine | truth).sum()


def test_a_mask_of_the_newest_image(camera: Camera) -> None:
    camera.next(4)
    answer = camera.track(square(90))
    assert (answer.success, answer.message) == (True, "")
    assert answer.id > 0
    for step in range(1, 7):
        labels = camera.next()
        assert overlap(labels, answer.id, square(90 - 2 * step)) > 0.6
    instances = [message for message in camera.instances if message.header.stamp == camera.stamp]
    assert [item.id for item in instances[0].instances] == [answer.id]


def test_a_mask_of_an_earlier_image(camera: Camera) -> None:
    camera.next(4)
    header = Image().header
    header.stamp = camera.stamp
    camera.next(4)
    answer = camera.track(square(90), header=header)
    assert answer.success, answer.message
    assert overlap(camera.next(), answer.id, square(80)) > 0.6


def test_what_cannot_be_tracked(camera: Camera) -> None:
    camera.next(2)
    old = Image().header
    old.stamp.sec = 1
    for fields, reason in (
        ({"mask": square(90), "header": old}, "is not among the last 2: choose a newer one"),
        ({"points": ((50, 50),)}, "points alone are not enough for masker.name guided"),
        ({"points": ((500, 50),)}, "points must lie in the image of 160x120"),
        ({"mask": np.ones((20, 20), bool)}, "mask must be (120, 160), but got (20, 20)"),
        ({"mask": np.zeros(SIZE, bool)}, "mask must have a pixel on the object"),
        ({}, "a point on the object, or a mask, but got neither"),
    ):
        answer = camera.track(**fields)
        assert (answer.success, answer.id) == (False, 0)
        assert reason in answer.message
    assert not camera.next().any()


def test_not_while_the_node_is_disabled(camera: Camera) -> None:
    camera.next(2)
    camera.graph.call(SetBool, "/motionseg/enable", data=False)
    answer = camera.track(square(90))
    camera.graph.call(SetBool, "/motionseg/enable", data=True)
    assert not answer.success
    assert answer.message == "the node is disabled: there are no images to track an object in"
