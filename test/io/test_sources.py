from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.errors import SourceError
from motionseg_ros.io.sources import open_source


def test_each_kind_of_source_is_recognised(make_bag, make_folder, make_video):
    bag, folder, video = make_bag(), make_folder(), make_video()
    assert open_source(bag).kind == "bag"
    assert open_source(next(bag.glob("*.mcap"))).kind == "bag"
    assert open_source(folder).kind == "image folder"
    assert open_source(video).kind == "video"


def test_frames_are_numbered_and_can_be_read_again(make_folder):
    with open_source(make_folder(3)) as source:
        first, second = ([frame.index for frame in source] for _ in range(2))
    assert first == second == [0, 1, 2]


def test_describe_is_one_line_that_names_path_frames_and_rate(make_video):
    path = make_video(12)
    text = open_source(path).describe()
    assert str(path) in text
    assert "12 frames" in text
    assert "20 frames/s" in text
    assert "\n" not in text


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.mcap does not exist"):
        open_source(tmp_path / "nowhere.mcap")


@pytest.mark.parametrize("kind", ["make_folder", "make_video"])
def test_a_topic_makes_sense_for_recordings_only(request, kind):
    with pytest.raises(SourceError, match=r"leave --topic out"):
        open_source(request.getfixturevalue(kind)(), topic="/camera")


@pytest.mark.parametrize("kind", ["make_folder", "make_video"])
@pytest.mark.parametrize("topics", [{}, {"topic": None}])
def test_so_does_a_depth_topic(request, kind, topics):
    with pytest.raises(
        SourceError, match=r"is no ROS recording, so it has no topic /depth; leave --depth-topic out"
    ):
        open_source(request.getfixturevalue(kind)(), **topics, depth_topic="/depth")


def test_topic_and_depth_topic_reach_the_recording(make_depth_bag, ros):
    image = ros.image(ros.square_images(1)[0], 1)
    bag = make_depth_bag([np.full((48, 64), 1500, np.uint16)] * 2, others=[("/right", image, 1)])
    with open_source(bag, "/camera/image_raw", "/camera/depth") as source:
        assert [frame.depth.max() for frame in source] == pytest.approx([1.5, 1.5])
    with open_source(str(bag), topic="/right") as source:
        assert [frame.depth for frame in source] == [None]


def test_all_kinds_carry_the_same_pictures(make_bag, make_folder):
    from_bag = [frame.image for frame in open_source(make_bag(4))]
    from_folder = [frame.image for frame in open_source(make_folder(4))]
    assert np.array_equal(from_bag, from_folder)
