from __future__ import annotations

import json
import resource

import numpy as np
import pytest

from motionseg_ros.core.errors import OutputError
from motionseg_ros.core.types import Frame, ObjectState
from motionseg_ros.io.bag_source import BagSource
from motionseg_ros.io.bag_writer import BagWriter
from motionseg_ros.io.bags import Bag
from motionseg_ros.io.typestore import INSTANCES_TYPE, package_types
from motionseg_ros.io.writers import open_writer

SECOND = 10**9


@pytest.fixture
def frame(ros) -> Frame:
    return Frame(ros.square_images(1)[0])


def test_the_bag_has_the_node_s_topics_with_the_headers_of_the_source(tmp_path, frame, make_result):
    path = tmp_path / "out.mcap"
    writer = BagWriter(path)
    stamps = [100 * SECOND + 7, 101 * SECOND]
    for index, stamp in enumerate(stamps):
        writer.write(frame, make_result(index, object_id=300, stamp=stamp))
    assert not path.exists()
    writer.close({"complete": True})
    with Bag(path) as bag:
        assert [(t.name, t.count) for t in bag.topics] == [
            ("/motionseg/instances", 2),
            ("/motionseg/labels", 2),
            ("/motionseg/mask", 2),
        ]
        read = {}
        for message in bag.messages():
            decoded = package_types().deserialize_cdr(message.data, message.msgtype)
            stamp = decoded.header.stamp
            assert decoded.header.frame_id == "camera"
            assert message.timestamp == stamp.sec * SECOND + stamp.nanosec
            read.setdefault(message.topic, []).append(decoded)
    instance = read["/motionseg/instances"][0].instances[0]
    roi = instance.roi
    assert (instance.id, instance.state, instance.num_trajectories) == (300, ObjectState.MOVING, 7)
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == (20, 15, 10, 10)
    assert instance.mask.size == 100
    assert set(instance.mask) == {0, 255}
    labels = read["/motionseg/labels"][1]
    assert (labels.encoding, labels.step) == ("mono16", 128)
    pixels = labels.data.view("<u2").reshape(48, 64)
    assert (pixels == 300).sum() == 99
    mask = read["/motionseg/mask"][1].data.reshape(48, 64)
    assert np.array_equal(mask > 0, pixels > 0)
    assert [f.name for f in tmp_path.iterdir()] == ["out.mcap"]


def test_definitions_travel_with_the_bag(tmp_path, frame, make_result):
    from mcap.reader import make_reader

    writer = BagWriter(tmp_path / "out.mcap")
    writer.write(frame, make_result())
    writer.close({"complete": False, "frames": 1})
    with (tmp_path / "out.mcap").open("rb") as file:
        reader = make_reader(file)
        schemas = {s.name: s for s in reader.get_summary().schemas.values()}
        assert b"motion_score" in schemas[INSTANCES_TYPE].data
        assert schemas[INSTANCES_TYPE].encoding == "ros2msg"
        assert reader.get_header().profile == "ros2"
        (metadata,) = reader.iter_metadata()
        assert json.loads(metadata.metadata["json"]) == {"complete": False, "frames": 1}


def test_the_overlay_is_a_topic_that_can_be_segmented_again(tmp_path, frame, make_result):
    path = tmp_path / "out.mcap"
    writer = open_writer(path, source=tmp_path / "in.mcap", overlay=True)
    writer.write(frame, make_result())
    writer.close({})
    (overlay,) = BagSource(path, "/motionseg/overlay")
    assert overlay.size == (48, 64)


def test_stamps_that_jump_back_keep_their_place(tmp_path, frame, make_result):
    writer = BagWriter(tmp_path / "out.mcap")
    for index, stamp in enumerate((3 * SECOND, 1 * SECOND, 2 * SECOND)):
        writer.write(frame, make_result(index, stamp=stamp))
    writer.close({})
    assert [f.stamp for f in BagSource(tmp_path / "out.mcap", "/motionseg/mask")] == [
        3 * SECOND,
        1 * SECOND,
        2 * SECOND,
    ]


def test_an_existing_file_is_kept_unless_overwrite_is_given(tmp_path, frame, make_result):
    path = tmp_path / "out.mcap"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"out\.mcap already exists; .*--overwrite"):
        BagWriter(path)
    writer = BagWriter(path, overwrite=True)
    assert path.read_text() == "precious"
    writer.write(frame, make_result())
    writer.close({})
    assert path.read_bytes().startswith(b"\x89MCAP")


def test_the_source_is_never_the_output(tmp_path):
    path = tmp_path / "in.mcap"
    path.write_text("precious")
    with pytest.raises(OutputError, match="is the source itself"):
        open_writer(path, source=tmp_path / "." / "in.mcap", overwrite=True)


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "out.mcap").mkdir()
    with pytest.raises(OutputError, match=r"out\.mcap already exists"):
        BagWriter(tmp_path / "out.mcap", overwrite=True)


def test_what_was_written_before_the_disk_was_full_can_be_read(tmp_path, make_result):
    path = tmp_path / "out.mcap"
    rng = np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = BagWriter(path, overlay=True)

    def fill() -> None:
        for index in range(1000):
            noise = Frame(rng.integers(0, 255, (48, 64, 3), np.uint8))
            writer.write(noise, make_result(index, stamp=index))

    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))  # a write beyond it fails, as on a full disk
    try:
        with pytest.raises(OutputError, match=r"cannot write .*out\.mcap: file too large"):
            fill()
        writer.close({"complete": False})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Bag(path) as bag:
        messages = list(bag.messages(["/motionseg/labels"]))
    assert len(messages) > 100
    assert [m.timestamp for m in messages] == list(range(len(messages)))
