"""Requests of `~/track_object` as prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.srv", reason="the messages are not built (make setup)")

from geometry_msgs.msg import Point32
from motionseg_ros.srv import TrackObject
from sensor_msgs.msg import Image

from motionseg_ros.core.errors import FrameError, PromptError
from motionseg_ros.ros.requests import prompts_from_request

pytestmark = pytest.mark.ros

MASK = np.zeros((6, 8), np.uint8)
MASK[1:4, 2:7] = 255
MASK[2, 3] = 1


@pytest.fixture
def make_request(image_of: Callable[..., Any]) -> Callable[..., Any]:
    """``make_request(points, labels, mask=, encoding=, stamp=)``"""

    def make(
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] = (),
        mask: np.ndarray | None = None,
        encoding: str = "mono8",
        stamp: int = 0,
    ) -> Any:
        request = TrackObject.Request(labels=labels)
        request.points = [Point32(x=float(x), y=float(y), z=9.0) for x, y in points]
        request.header.stamp.sec, request.header.stamp.nanosec = divmod(stamp, 10**9)
        if mask is not None:
            request.mask = image_of(mask, 5, encoding)
        return request

    return make


def test_labels_are_those_of_the_message() -> None:
    assert (TrackObject.Request.NEGATIVE, TrackObject.Request.POSITIVE) == (0, 1)


@pytest.mark.parametrize(
    ("labels", "expected"), [([1, 0, 1], [1, 0, 1]), ([], [1, 1, 1])], ids=["labels", "none: all positive"]
)
def test_points(make_request: Any, labels: list[int], expected: list[int]) -> None:
    prompts, stamp = prompts_from_request(make_request([(1.5, 2), (3, 4), (0, 0)], labels))
    np.testing.assert_array_equal(prompts.points, np.float32([[1.5, 2], [3, 4], [0, 0]]))
    assert prompts.labels.tolist() == expected
    assert prompts.mask is None
    assert prompts.box is None
    assert stamp is None


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("mono8", MASK),
        ("8UC1", MASK),
        ("mono16", MASK.astype("<u2") * 200),
        ("bgr8", np.dstack((0 * MASK, 0 * MASK, MASK))),
    ],
)
def test_a_mask_is_where_it_is_not_zero(make_request: Any, encoding: str, pixels: np.ndarray) -> None:
    prompts, _ = prompts_from_request(make_request(mask=pixels, encoding=encoding))
    np.testing.assert_array_equal(prompts.mask, MASK > 0)
    assert len(prompts.points) == 0


def test_rows_of_a_mask_may_be_padded(make_request: Any) -> None:
    request = make_request(mask=np.pad(MASK, ((0, 0), (0, 3)), constant_values=9))
    request.mask.width = MASK.shape[1]
    np.testing.assert_array_equal(prompts_from_request(request)[0].mask, MASK > 0)


def test_points_and_a_mask(make_request: Any) -> None:
    prompts, _ = prompts_from_request(make_request([(1, 2)], [0], MASK))
    assert prompts.labels.tolist() == [0]
    assert prompts.mask is not None


@pytest.mark.parametrize("size", [(0, 0), (0, 8), (6, 0)])
def test_an_empty_mask_is_none(make_request: Any, size: tuple[int, int]) -> None:
    request = make_request([(1, 2)])
    request.mask = Image(height=size[0], width=size[1], encoding="mono8")
    assert prompts_from_request(request)[0].mask is None


@pytest.mark.parametrize("stamp", [1, 999_999_999, 10**9, 1_700_000_000_123_456_789])
def test_the_stamp_says_which_image_is_meant(make_request: Any, stamp: int) -> None:
    assert prompts_from_request(make_request([(1, 2)], stamp=stamp))[1] == stamp


@pytest.mark.parametrize(
    ("points", "labels", "reason"),
    [
        ([(1, 2), (3, 4)], [1], "labels must be one per point or none, but got 1 for 2 points"),
        ([], [1], "but got 1 for 0 points"),
        ([(1, 2), (3, 4)], [1, 2], r"labels must be POSITIVE \(1\) or NEGATIVE \(0\), but got 2"),
        ([(1, 2), (3, 4)], [0, 0], "there must be a point on the object, or a mask, but got neither"),
        ([], [], "there must be a point on the object, or a mask"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    make_request: Any, points: list[tuple[float, float]], labels: list[int], reason: str
) -> None:
    with pytest.raises(PromptError, match=reason):
        prompts_from_request(make_request(points, labels))


def test_a_mask_that_is_no_image_is_refused(make_request: Any) -> None:
    request = make_request(mask=MASK)
    request.mask.data = request.mask.data[:10]
    with pytest.raises(FrameError, match="data holds 10 bytes"):
        prompts_from_request(request)
