"""Results as messages."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed (make setup)")
pytest.importorskip("motionseg_ros.msg", reason="the messages are not built (make setup)")

from motionseg_ros.msg import InstanceMask
from std_msgs.msg import Header

from motionseg_ros.core.types import FrameResult, Instance, ObjectState
from motionseg_ros.ros import messages

pytestmark = pytest.mark.ros


@pytest.fixture
def header() -> Header:
    result = Header(frame_id="camera_optical_frame")
    result.stamp.sec, result.stamp.nanosec = 12, 345
    return result


@pytest.fixture
def result() -> FrameResult:
    labels = np.zeros((6, 8), np.uint16)
    labels[1:4, 2:7] = 300
    labels[1, 2] = 0
    patch = np.ones((3, 5), bool)
    patch[0, 0] = False
    seen = 11 * 10**9 + 7
    moving = Instance(
        300,
        ObjectState.MOVING,
        0.9,
        0.8,
        (2, 1, 5, 3),
        patch,
        (3.5, -1.25),
        12,
        seen,
        (1, 2, 3),
        (0.1, 0.2, 0.3),
    )
    nothing = np.zeros((0, 0), bool)
    hidden = Instance(4, ObjectState.OCCLUDED, 0.5, 0.0, (0, 0, 0, 0), nothing, (0.0, 0.0), 0, seen)
    return FrameResult(0, 12 * 10**9 + 345, "camera_optical_frame", labels, (moving, hidden))


def test_instances(result: FrameResult, header: Header) -> None:
    message = messages.instances_message(result, header)
    assert message.header is header
    assert (message.height, message.width) == (6, 8)
    hidden, moving = message.instances
    assert (moving.id, moving.state) == (300, InstanceMask.MOVING)
    assert (moving.roi.x_offset, moving.roi.y_offset, moving.roi.width, moving.roi.height) == (2, 1, 5, 3)
    assert list(moving.mask) == [0] + 14 * [255]
    assert list(moving.velocity_px) == [3.5, -1.25]
    assert (moving.first_seen.sec, moving.first_seen.nanosec) == (11, 7)
    assert moving.has_position
    assert (moving.position.x, moving.position.y, moving.position.z) == (1, 2, 3)
    assert (moving.velocity.x, moving.velocity.y, moving.velocity.z) == (0.1, 0.2, 0.3)
    assert (hidden.id, hidden.state, len(hidden.mask), hidden.has_position) == (
        4,
        InstanceMask.OCCLUDED,
        0,
        False,
    )


def test_states_are_those_of_the_message() -> None:
    assert {state.name: int(state) for state in ObjectState} == {
        "MOVING": InstanceMask.MOVING,
        "STOPPED": InstanceMask.STOPPED,
        "OCCLUDED": InstanceMask.OCCLUDED,
    }


def test_labels_and_mask(result: FrameResult, header: Header) -> None:
    labels = messages.labels_message(result, header)
    assert (labels.encoding, labels.step, labels.is_bigendian) == ("mono16", 16, 0)
    assert np.array_equal(np.frombuffer(labels.data, "<u2").reshape(6, 8), result.labels)
    mask = messages.mask_message(result, header)
    assert (mask.encoding, mask.step) == ("mono8", 8)
    assert np.array_equal(np.frombuffer(mask.data, np.uint8).reshape(6, 8), 255 * (result.labels > 0))


def test_a_result_survives_the_way_there_and_back(result: FrameResult, header: Header) -> None:
    again = messages.result_from_messages(
        messages.instances_message(result, header), messages.labels_message(result, header), index=5
    )
    assert (again.index, again.stamp, again.frame_id) == (5, result.stamp, result.frame_id)
    assert np.array_equal(again.labels, result.labels)
    for old, new in zip(sorted(result.instances, key=lambda i: i.id), again.instances, strict=True):
        assert np.array_equal(old.mask, new.mask)
        assert (old.id, old.state, old.roi, old.first_seen) == (new.id, new.state, new.roi, new.first_seen)
        assert new.velocity_px == pytest.approx(old.velocity_px)
        assert new.position == old.position


@pytest.mark.parametrize("nanoseconds", [0, 1, 10**9 - 1, 10**9, 1_700_000_000_123_456_789])
def test_stamps(nanoseconds: int) -> None:
    assert messages.stamp_to_ns(messages.ns_to_stamp(nanoseconds)) == nanoseconds
