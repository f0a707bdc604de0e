from __future__ import annotations

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.srv", reason="the messages are not built (make setup)")

from geometry_msgs.msg import Point32
from motionseg_ros.srv import TrackObject

from motionseg_ros.core.errors import FrameError, PromptError
from motionseg_ros.ros.requests import prompts_from_request


def request(
    *points: tuple[float, float], labels: tuple[int, ...] = (), stamp: int = 0
) -> TrackObject.Request:
    made = TrackObject.Request(points=[Point32(x=x, y=y) for x, y in points], labels=list(labels))
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(stamp, 10**9)
    return made


def with_mask(made: TrackObject.Request, mask: np.ndarray, padding: int = 0) -> TrackObject.Request:
    rows = np.pad(mask, ((0, 0), (0, padding)), constant_values=9)
    made.mask.height, made.mask.width = mask.shape
    made.mask.encoding, made.mask.step = "mono8", rows.shape[1]
    made.mask.data = array.array("B", rows.tobytes())
    return made


def test_points_without_labels_lie_on_the_object():
    prompts, stamp = prompts_from_request(request((3.5, 4.25), (10, 20)))
    assert prompts.points.tolist() == [[3.5, 4.25], [10, 20]]
    assert prompts.labels.tolist() == [1, 1]
    assert (prompts.mask, prompts.box, stamp) == (None, None, None)


def test_labels_and_stamp():
    prompts, stamp = prompts_from_request(request((1, 2), (3, 4), labels=(1, 0), stamp=5_000_000_007))
    assert prompts.labels.tolist() == [1, 0]
    assert stamp == 5_000_000_007


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_what_is_not_zero(padding, value):
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:7] = value
    prompts, _ = prompts_from_request(with_mask(request(), mask, padding))
    np.testing.assert_array_equal(prompts.mask, mask > 0)
    assert len(prompts.points) == 0


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([], (), "a point on the object, or a mask, but got neither"),
        ([(1, 2)], (0,), "a point on the object, or a mask, but got neither"),
        ([(1, 2)], (1, 0), "one per point or none, but got 2 for 1 points"),
        ([(1, 2)], (7,), r"POSITIVE \(1\) or NEGATIVE \(0\), but got 7"),
    ],
)
def test_requests_that_say_nothing(points, labels, message):
    with pytest.raises(PromptError, match=message):
        prompts_from_request(request(*points, labels=labels))


def test_points_off_the_object_do_with_a_mask():
    prompts, _ = prompts_from_request(with_mask(request((1, 2), labels=(0,)), np.ones((4, 4), np.uint8)))
    assert prompts.labels.tolist() == [0]


def test_a_torn_mask():
    made = with_mask(request(), np.ones((4, 4), np.uint8))
    made.mask.data = array.array("B", bytes(7))
    with pytest.raises(FrameError):
        prompts_from_request(made)
