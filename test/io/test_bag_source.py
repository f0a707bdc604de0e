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


class TestDepth:
    @staticmethod
    def plane(millimetres: int) -> np.ndarray:
        """A depth image in which the distance grows from left to right; row 0 is not known."""
        depth = np.tile(millimetres + np.arange(64, dtype=np.uint16), (48, 1))
        depth[0] = 0
        return depth

    @pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
    @pytest.mark.parametrize("kind", [np.uint16, np.float32])
    def test_each_frame_has_its_own_in_metres(self, make_depth_bag, ros, kind, storage):
        planes = [self.plane(500 + 200 * index) for index in range(5)]
        given = planes if kind is np.uint16 else [plane.astype(np.float32) / 1000 for plane in planes]
        bag = make_depth_bag(given, storage)
        source = BagSource(bag, depth_topic="/camera/depth")
        frames = list(source)
        assert len(frames) == source.length == 5
        for frame, plane, image in zip(frames, planes, ros.square_images(5), strict=True):
            np.testing.assert_allclose(frame.depth, plane / 1000, rtol=1e-6)
            assert frame.depth.dtype == np.float32
            np.testing.assert_array_equal(frame.image, image)

    def test_all_else_is_as_without_it(self, make_depth_bag):
        bag = make_depth_bag([self.plane(900)] * 6)
        with_depth, without = BagSource(bag, None, "/camera/depth"), BagSource(bag, "/camera/image_raw")
        for one, other in zip(with_depth, without, strict=True):
            assert (one.stamp, one.index, one.frame_id) == (other.stamp, other.index, other.frame_id)
            np.testing.assert_array_equal(one.image, other.image)
            assert other.depth is None
        assert with_depth.frame_id == "camera"
        assert (with_depth.length, with_depth.fps) == (without.length, without.fps)
        assert with_depth.describe() == without.describe()

    @pytest.mark.parametrize("lost", [[0], [2, 3], [5], range(6)])
    def test_a_frame_without_a_partner_has_none(self, make_depth_bag, ros, lost):
        depths = [None if index in lost else self.plane(500 + 200 * index) for index in range(6)]
        long_ago = ("/camera/depth", ros.image(self.plane(900), 7, "16UC1"), 7)
        frames = list(BagSource(make_depth_bag(depths, others=[long_ago]), None, "/camera/depth"))
        near = [None if frame.depth is None else round(1000 * float(frame.depth[1, 0])) for frame in frames]
        assert near == [None if index in lost else 500 + 200 * index for index in range(6)]

    @pytest.mark.parametrize(
        ("offset", "near"), [(-20_000_000, True), (15_000_000, True), (20_000_001, False)]
    )
    def test_stamps_may_differ_a_little(self, make_depth_bag, offset, near):
        bag = make_depth_bag([self.plane(500 + 200 * index) for index in range(4)], offset=offset)
        depths = [frame.depth for frame in BagSource(bag, None, "/camera/depth")]
        assert [depth is not None for depth in depths] == [near] * 4
        if near:
            assert [round(float(depth[1, 0]), 3) for depth in depths] == [0.5, 0.7, 0.9, 1.1]

    @pytest.mark.parametrize(("tolerance", "near"), [(0.05, True), (0.049, False), (0.0, False)])
    def test_by_how_much_can_be_chosen(self, make_depth_bag, tolerance, near):
        bag = make_depth_bag([self.plane(900)] * 3, offset=50_000_000)
        source = BagSource(bag, None, "/camera/depth", tolerance=tolerance)
        assert [frame.depth is not None for frame in source] == [near] * 3

    def test_it_can_be_read_again(self, make_depth_bag):
        source = BagSource(make_depth_bag([self.plane(500), None, self.plane(900)]), None, "/camera/depth")
        first, again = ([(f.index, f.depth is None) for f in source] for _ in range(2))
        assert first == again == [(0, False), (1, True), (2, False)]

    def test_a_smaller_one_is_brought_to_the_size_of_the_image(self, make_depth_bag):
        small = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
        (frame,) = BagSource(make_depth_bag([small]), None, "/camera/depth")
        np.testing.assert_allclose(frame.depth, small.repeat(2, 0).repeat(2, 1) / 1000, rtol=1e-6)

    @pytest.mark.parametrize("name", ["/camera/depth", "camera/depth"])
    def test_of_two_image_topics_the_other_one_is_that_of_the_images(self, make_depth_bag, name):
        source = BagSource(make_depth_bag([self.plane(900)] * 2), None, name)
        assert (source.topic.name, source.depth_topic.name) == ("/camera/image_raw", "/camera/depth")

    def test_of_three_one_has_to_be_chosen(self, make_depth_bag, ros):
        other = ros.image(ros.square_images(1)[0], 1)
        bag = make_depth_bag([self.plane(900)] * 2, others=[("/right", other, 1)])
        with pytest.raises(SourceError) as caught:
            BagSource(bag, None, "/camera/depth")
        assert str(caught.value).endswith(
            "has 2 image topics; choose one with --topic: /camera/image_raw (2), /right (1)"
        )
        frames = list(BagSource(bag, "/camera/image_raw", "/camera/depth"))
        assert [frame.depth is None for frame in frames] == [False, False]

    @pytest.mark.parametrize(
        ("topic", "depth_topic", "reason"),
        [
            (
                None,
                "/depth",
                r"topic /depth is not in .*with_depth; choose one with --depth-topic: "
                r"/camera/depth \(2\), /camera/image_raw \(2\)$",
            ),
            (None, "", r"topic  is not in .*; choose one with --depth-topic: "),
            (
                None,
                "/clock",
                r"topic /clock has no images \(std_msgs/msg/Header, 1 messages\) in .* --depth-topic: ",
            ),
            (
                "/left",
                "/camera/depth",
                r"topic /left is not in .*; choose one with --topic: /camera/image_raw \(2\)$",
            ),
            (
                "/camera/depth",
                "/camera/depth",
                r"topic /camera/depth is that of depth in .*; choose one with --topic: /camera/image_raw \(2\)$",
            ),
        ],
    )
    def test_topics_that_cannot_be_read_are_told_by_their_option(
        self, make_depth_bag, ros, topic, depth_topic, reason
    ):
        bag = make_depth_bag([self.plane(900)] * 2, others=[("/clock", ros.header(0), 1)])
        with pytest.raises(SourceError, match=reason) as caught:
            BagSource(bag, topic, depth_topic)
        assert "\n" not in str(caught.value)

    def test_a_recording_of_depth_only(self, tmp_path, ros):
        depth = ros.image(self.plane(900), 1, "16UC1")
        bag = ros.write_bag(tmp_path / "blind", [("/depth", depth, 1)])
        with pytest.raises(
            SourceError, match=r"blind holds no images beside /depth \(it has /depth \[sensor"
        ):
            BagSource(bag, None, "/depth")

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (
                np.ones((30, 64), np.uint16),
                "the depth image is 64x30, but the image 64x48: depth must be registered",
            ),
            (np.ones((48, 64, 3), np.uint8), "encoding '8UC3' is no depth: it must be 16UC1"),
            ({"data": np.zeros(10, np.uint8)}, "data holds 10 bytes, but 48 rows of step 128 need 6144"),
        ],
    )
    def test_a_bad_one_names_its_topic_and_frame_after_the_good_ones(self, tmp_path, ros, bad, reason):
        messages = []
        for index, image in enumerate(ros.square_images(3)):
            depth = ros.image(self.plane(900), index, "16UC1")
            if index == 1 and isinstance(bad, dict):
                depth = ros.image(self.plane(900), index, "16UC1", **bad)
            elif index == 1:
                depth = ros.image(bad, index, "16UC1" if bad.ndim == 2 else "8UC3")
            messages += [("/image", ros.image(image, index), index), ("/depth", depth, index)]
        bag = ros.write_bag(tmp_path / "bag", messages)
        frames = iter(BagSource(bag, "/image", "/depth"))
        assert next(frames).index == 0
        with pytest.raises(FrameError, match=reason) as caught:
            next(frames)
        assert str(caught.value).startswith(f"{bag}, /depth, frame 1: ")
        assert "\n" not in str(caught.value)

    def test_a_bad_image_beside_a_good_one_names_its_own(self, tmp_path, ros):
        image = ros.image(ros.square_images(1)[0], 0, step=3)
        messages = [("/image", image, 0), ("/depth", ros.image(self.plane(900), 0, "16UC1"), 1)]
        with pytest.raises(FrameError, match="bag, /image, frame 0: step 3"):
            list(BagSource(ros.write_bag(tmp_path / "bag", messages), "/image", "/depth"))

    def test_a_compressed_one_says_what_to_take(self, tmp_path, ros):
        kind = ros.types["sensor_msgs/msg/CompressedImage"]
        depth = kind(ros.header(0), "16UC1; compressedDepth png", np.zeros(5, np.uint8))
        messages = [
            ("/image", ros.image(ros.square_images(1)[0], 0), 0),
            ("/image/compressedDepth", depth, 1),
        ]
        source = BagSource(ros.write_bag(tmp_path / "bag", messages), "/image", "/image/compressedDepth")
        with pytest.raises(FrameError, match=r"/image/compressedDepth, frame 0: .*; use the raw depth topic"):
            list(source)

    @pytest.mark.parametrize("topic", ["/camera/image_raw", "/camera/depth"])
    def test_images_that_wait_for_depth_come_before_the_error_of_a_damaged_recording(
        self, make_depth_bag, topic
    ):
        """Depth has ended long before, so several wait when the message comes that is none."""
        broken = (topic, ("sensor_msgs/msg/Image", bytes([0, 1, 0, 0, 1, 2, 3])), 300 * SECOND)
        bag = make_depth_bag([self.plane(900)] * 2 + [None] * 5, others=[broken])
        place = f"{topic}, frame {7 if topic == '/camera/image_raw' else 2}: a message on {topic} is no sensor_msgs"
        frames = []
        with pytest.raises(FrameError, match=place):
            frames.extend(BagSource(bag, "/camera/image_raw", "/camera/depth"))
        assert [frame.index for frame in frames] == list(range(7))
        assert [frame.depth is not None for frame in frames] == [True] * 2 + [False] * 5


class TestCalibration:
    MATRIX = (40.0, 0, 32, 0, 40, 24, 0, 0, 1)
    PROJECTION = (30.0, 0, 30, 0, 0, 30, 20, 0, 0, 0, 1, 0)

    def info(self, ros, **changes):
        """A CameraInfo of the square images."""
        values = {
            "header": ros.header(1),
            "height": 48,
            "width": 64,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": np.array(self.MATRIX),
            "r": np.eye(3).reshape(-1),
            "p": np.array(self.PROJECTION),
            "binning_x": 0,
            "binning_y": 0,
            "roi": ros.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        }
        return ros.types["sensor_msgs/msg/CameraInfo"](**{**values, **changes})

    def bag(self, make_depth_bag, ros, topic="/camera/camera_info", **changes):
        depth = [np.full((48, 64), 900, np.uint16)] * 3
        return make_depth_bag(depth, others=[(topic, self.info(ros, **changes), 0)])

    def test_that_beside_the_images_is_taken(self, make_depth_bag, ros):
        frames = list(BagSource(self.bag(make_depth_bag, ros), depth_topic="/camera/depth"))
        assert [frame.camera.matrix.reshape(-1).tolist() for frame in frames] == [list(self.MATRIX)] * 3

    def test_of_rectified_images(self, make_depth_bag, ros):
        source = BagSource(self.bag(make_depth_bag, ros), None, "/camera/depth", rectified=True)
        assert source.camera.matrix.tolist() == [[30, 0, 30], [0, 30, 20], [0, 0, 1]]

    def test_another_one_by_name(self, make_depth_bag, ros):
        bag = self.bag(make_depth_bag, ros, "/elsewhere/camera_info")
        assert BagSource(bag, None, "/camera/depth").camera is None
        named = BagSource(bag, None, "/camera/depth", "/elsewhere/camera_info")
        assert named.camera.size == (48, 64)

    def test_a_name_that_is_not_there_lists_those_that_are(self, make_depth_bag, ros):
        with pytest.raises(
            SourceError, match="no camera_info on /nowhere; those that it has: /camera/camera_info"
        ):
            BagSource(self.bag(make_depth_bag, ros), None, "/camera/depth", "/nowhere")

    def test_one_that_cannot_be_used(self, make_depth_bag, ros):
        bag = self.bag(make_depth_bag, ros, k=np.zeros(9))
        assert BagSource(bag, None, "/camera/depth").camera is None
        with pytest.raises(
            SourceError, match="/camera/camera_info: camera_info cannot be used: focal lengths"
        ):
            BagSource(bag, None, "/camera/depth", "/camera/camera_info")
