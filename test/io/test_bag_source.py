from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.errors import FrameError, SourceError
from motionseg_ros.io.bag_source import BagSource

SECOND = 1_000_000_000


def test_stamps_and_frames_are_those_of_the_headers(make_bag):
    stamps = [7 * SECOND + 123_456_789, 7 * SECOND + 123_456_790]
    source = BagSource(make_bag(2, stamps=stamps))
    frames = list(source)
    assert [f.stamp for f in frames] == stamps
    assert [f.index for f in frames] == [0, 1]
    assert {f.frame_id for f in frames} == {source.frame_id} == {"camera"}
    assert source.length == 2
    assert source.fps == pytest.approx(10, rel=1e-6)


def test_compressed_images_are_read(tmp_path, ros):
    pictures = ros.square_images(2)
    kind = ros.types["sensor_msgs/msg/CompressedImage"]
    messages = [
        ("/camera/compressed", kind(ros.header(i), "png", cv2.imencode(".png", picture)[1].reshape(-1)), i)
        for i, picture in enumerate(pictures)
    ]
    frames = list(BagSource(ros.write_bag(tmp_path / "bag", messages)))
    assert np.array_equal([f.image for f in frames], pictures)


@pytest.fixture
def two_cameras(tmp_path, ros):
    image = ros.square_images(1)[0]
    messages = [
        ("/left", ros.image(image, 1), 1),
        ("/right", ros.image(image, 2), 2),
        ("/right", ros.image(image, 3), 3),
        ("/clock", ros.header(0), 4),
    ]
    return ros.write_bag(tmp_path / "two", messages)


@pytest.mark.parametrize("topic", ["/right", "right"])
def test_one_of_several_topics_can_be_chosen(two_cameras, topic):
    assert [f.stamp for f in BagSource(two_cameras, topic)] == [2, 3]


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (None, r"has 2 image topics; choose one with --topic: /left \(1\), /right \(2\)"),
        ("/centre", r"topic /centre is not in .*two; choose one with --topic: /left"),
        ("/clock", r"topic /clock has no images \(std_msgs/msg/Header, 1 messages\)"),
    ],
)
def test_topics_that_cannot_be_read_are_listed(two_cameras, topic, reason):
    with pytest.raises(SourceError, match=reason):
        BagSource(two_cameras, topic)


def test_a_recording_without_images_says_what_it_has(tmp_path, ros):
    path = ros.write_bag(tmp_path / "blind", [("/clock", ros.header(0), 1)])
    with pytest.raises(SourceError, match=r"blind holds no images \(it has /clock \[std_msgs/msg/Header\]\)"):
        BagSource(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "martian"}, "frame 1: encoding 'martian' is not supported"),
        ({"data": np.zeros(10, np.uint8)}, "frame 1: data holds 10 bytes"),
        ({"step": 3}, "frame 1: step 3"),
    ],
)
def test_a_bad_image_is_named_after_the_good_ones(tmp_path, ros, changes, reason):
    pictures = ros.square_images(3)
    messages = [
        ("/camera", ros.image(p, i, **(changes if i == 1 else {})), i) for i, p in enumerate(pictures)
    ]
    frames = iter(BagSource(ros.write_bag(tmp_path / "bag", messages)))
    assert next(frames).index == 0
    with pytest.raises(FrameError, match=reason):
        next(frames)


def test_bytes_that_are_no_message_are_a_bad_frame(tmp_path, ros):
    messages = [("/camera", ("sensor_msgs/msg/Image", bytes([0, 1, 0, 0, 1, 2, 3])), 1)]
    with pytest.raises(FrameError, match=r"/camera, frame 0: a message on /camera is no sensor_msgs"):
        list(BagSource(ros.write_bag(tmp_path / "bag", messages)))
