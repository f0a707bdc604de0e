from __future__ import annotations

import struct

import pytest

from motionseg_ros.ros.restamp import read_stamp, with_stamp

LITTLE = b"\0\1\0\0" + struct.pack("<iI", 12, 345) + b"the rest"
BIG = b"\0\0\0\0" + struct.pack(">iI", 12, 345) + b"the rest"


@pytest.mark.parametrize("message", [LITTLE, BIG], ids=["little endian", "big endian"])
def test_the_stamp_alone_changes(message: bytes) -> None:
    assert read_stamp(message) == 12_000_000_345
    changed = with_stamp(message, 1_700_000_000_999_999_999)
    assert read_stamp(changed) == 1_700_000_000_999_999_999
    assert len(changed) == len(message)
    assert (changed[:4], changed[12:]) == (message[:4], message[12:])
    assert with_stamp(changed, 12_000_000_345) == message


def test_a_message_without_header_is_refused() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        read_stamp(b"12345678")


def test_messages_of_rosbags() -> None:
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    header = store.types["std_msgs/msg/Header"](
        stamp=store.types["builtin_interfaces/msg/Time"](sec=7, nanosec=8), frame_id="camera"
    )
    cdr = bytes(store.serialize_cdr(header, "std_msgs/msg/Header"))
    changed = store.deserialize_cdr(with_stamp(cdr, 9_000_000_010), "std_msgs/msg/Header")
    assert (changed.stamp.sec, changed.stamp.nanosec, changed.frame_id) == (9, 10, "camera")
