"""`~/track_object`: objects of the caller's choice, as a planner asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.srv", reason="the messages are not built (make setup)")

from geometry_msgs.msg import Point32
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from motionseg_ros.msg import InstanceMask, InstanceMaskArray
from motionseg_ros.srv import TrackObject
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures("live_node")]

SIZE = (120, 160)
WORLD = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (220, 400, 3), np.uint8), (5, 5), 0)
PAN = 3


def view(index: int) -> np.ndarray:
    """A world at rest that goes by to the right."""
    left = 200 - PAN * index
    return WORLD[50 : 50 + SIZE[0], left : left + SIZE[1]].copy()


def box(index: int, x: int = 20, y: int = 30, side: int = 50) -> np.ndarray:
    """(H, W) uint8, 255 on a piece of that world."""
    mask = np.zeros(SIZE, np.uint8)
    mask[y : y + side, x + PAN * index : x + PAN * index + side] = 255
    return mask


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


class Planner:
    """Publishes images, waits for their labels, and asks for objects."""

    def __init__(
        self, graph: Any, client: Any, until: Callable[..., Any], image_of: Callable[..., Any]
    ) -> None:
        self._graph, self._client, self._until, self._image_of = graph, client, until, image_of
        self._until(self._answered, "an answer to anything")
        self._labels = graph.subscribe(Image, "/motionseg/labels")
        self._instances = graph.subscribe(InstanceMaskArray, "/motionseg/instances")
        self._camera = graph.publisher(Image, "/image")
        graph.connect(lambda: self._publish(0), self._labels, self._instances)
        assert graph.call(Trigger, "/motionseg/reset").success
        self.headers: list[Header] = []

    def _answered(self) -> bool:
        """Answers to a client that the node has not discovered yet get lost, and who asks again has two objects."""
        future = self._client.call_async(TrackObject.Request())
        end = time.monotonic() + 1
        while not future.done() and time.monotonic() < end:
            time.sleep(0.005)
        return future.done()

    def _publish(self, index: int) -> Header:
        message = self._image_of(view(index), self._graph.next_stamp())
        self._camera.publish(message)
        return message.header

    def show(self, count: int = 1) -> tuple[np.ndarray, Any]:
        """The next images; labels (H, W) and instances of the last one."""
        for _ in range(count):
            self.headers.append(self._publish(len(self.headers)))
            labels, instances = (
                self._until(lambda m=messages: self._of(self.headers[-1], m), "an answer")
                for messages in (self._labels, self._instances)
            )
        return np.frombuffer(labels.data, "<u2").reshape(SIZE), instances.instances

    @staticmethod
    def _of(header: Header, messages: list[Any]) -> Any:
        return next((message for message in messages if message.header == header), None)

    def track(
        self,
        mask: np.ndarray | None = None,
        header: Header | None = None,
        points: tuple[tuple[float, float], ...] = (),
        labels: tuple[int, ...] = (),
    ) -> Any:
        request = TrackObject.Request(header=header or Header(), labels=labels)
        request.points = [Point32(x=float(x), y=float(y)) for x, y in points]
        if mask is not None:
            request.mask = self._image_of(mask, 0, "mono8")
        future = self._client.call_async(request)
        self._until(future.done, "an answer")
        return future.result()


@pytest.fixture
def planner(graph: Any, until: Callable[..., Any], image_of: Callable[..., Any]) -> Iterator[Planner]:
    client = graph.node.create_client(TrackObject, "/motionseg/track_object")
    until(client.service_is_ready, "the service")
    yield Planner(graph, client, until, image_of)
    graph.node.destroy_client(client)


def assert_followed(planner: Planner, object_id: int) -> None:
    """The following images show `box` under its id."""
    for _ in range(6):
        labels, instances = planner.show()
        index = len(planner.headers) - 1
        mine = {instance.id: instance for instance in instances}[object_id]
        assert mine.state in (InstanceMask.MOVING, InstanceMask.STOPPED)
        assert jaccard(labels == object_id, box(index) > 0) > 0.7
        assert mine.roi.width * mine.roi.height == len(mine.mask)
    assert mine.state == InstanceMask.STOPPED


def test_a_mask_in_the_newest_image(planner: Planner) -> None:
    _, instances = planner.show(3)
    assert instances == []
    answer = planner.track(box(2))
    assert (answer.success, answer.message) == (True, "")
    assert 1 <= answer.id <= 65534
    assert_followed(planner, answer.id)


def test_a_mask_in_an_earlier_image(planner: Planner) -> None:
    planner.show(8)
    answer = planner.track(box(3), planner.headers[3])
    assert answer.success, answer.message
    assert_followed(planner, answer.id)


def test_points_beside_the_mask_are_welcome(planner: Planner) -> None:
    planner.show(2)
    answer = planner.track(box(1), points=((50, 50), (150, 110)), labels=(1, 0))
    assert answer.success, answer.message
    assert_followed(planner, answer.id)


def test_two_objects_have_two_ids(planner: Planner) -> None:
    planner.show(2)
    answers = [planner.track(box(1)), planner.track(box(1, x=90))]
    assert all(answer.success for answer in answers)
    labels, instances = planner.show(2)
    assert {answer.id for answer in answers} == {instance.id for instance in instances}
    for answer, x in zip(answers, (20, 90), strict=True):
        assert jaccard(labels == answer.id, box(3, x=x) > 0) > 0.7


@pytest.mark.parametrize(
    ("request_fields", "reason"),
    [
        ({"points": ((50, 50),)}, "points alone are not enough for masker.name guided: give a mask"),
        ({"mask": np.ones((60, 80), np.uint8)}, "mask must be (120, 160), but got (60, 80)"),
        ({"mask": np.zeros(SIZE, np.uint8)}, "mask must have a pixel on the object"),
        ({"points": ((50, 50), (60, 60)), "labels": (1,)}, "labels must be one per point or none"),
        ({"points": ((160, 50),)}, "points must lie in the image of 160x120, but got (160, 50)"),
        ({}, "there must be a point on the object, or a mask, but got neither"),
    ],
    ids=["points only", "size of the mask", "empty mask", "labels", "outside", "nothing"],
)
def test_what_cannot_be_used_is_refused(
    planner: Planner, request_fields: dict[str, Any], reason: str
) -> None:
    planner.show(2)
    answer = planner.track(**request_fields)
    assert (answer.success, answer.id) == (False, 0)
    assert reason in answer.message
    labels, instances = planner.show()
    assert not labels.any()
    assert instances == []


def test_an_image_that_has_left_the_window_is_refused(planner: Planner) -> None:
    planner.show(18)
    answer = planner.track(box(1), planner.headers[1])
    assert (answer.success, answer.id) == (False, 0)
    assert "is not among the last 16: choose a newer one" in answer.message
    assert planner.track(box(2), planner.headers[2]).success


def test_without_an_image_it_is_refused(planner: Planner, graph: Any) -> None:
    assert graph.call(Trigger, "/motionseg/reset").success
    answer = planner.track(box(0))
    assert not answer.success
    assert "there is no image yet" in answer.message


def test_a_node_that_is_disabled_refuses(planner: Planner, graph: Any) -> None:
    planner.show(2)
    graph.call(SetBool, "/motionseg/enable", data=False)
    answer = planner.track(box(1))
    graph.call(SetBool, "/motionseg/enable", data=True)
    assert (answer.success, answer.id) == (False, 0)
    assert answer.message == "the node is disabled: there are no images to track an object in"


def test_a_node_that_is_not_active_refuses(planner: Planner, graph: Any) -> None:
    planner.show(2)
    for state, transition in (
        ("inactive", Transition.TRANSITION_DEACTIVATE),
        ("unconfigured", Transition.TRANSITION_CLEANUP),
    ):
        assert graph.call(
            ChangeState, "/motionseg/change_state", transition=Transition(id=transition)
        ).success
        answer = planner.track(box(1))
        assert (answer.success, answer.id) == (False, 0)
        assert answer.message == f"the node is {state}: there are no images to track an object in"
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert graph.call(
            ChangeState, "/motionseg/change_state", transition=Transition(id=transition)
        ).success
