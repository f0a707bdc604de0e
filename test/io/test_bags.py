from __future__ import annotations

import shutil

import numpy as np
import pytest

from motionseg_ros.core.errors import SourceError
from motionseg_ros.io.bags import Bag, is_bag

SECOND = 1_000_000_000


def storage_file(bag):
    return next(f for f in bag.iterdir() if f.suffix in (".mcap", ".db3"))


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def read(bag):
    """(messages, error) of everything in an opened bag."""
    messages = []
    try:
        messages.extend(bag.messages())
    except SourceError as error:
        return messages, str(error)
    return messages, None


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("form", ["folder", "folder without metadata", "file"])
def test_every_form_of_a_recording_can_be_read(make_bag, storage, form):
    path = make_bag(6, storage)
    if form != "folder":
        (path / "metadata.yaml").unlink()
    if form == "file":
        path = storage_file(path)
    assert is_bag(path)
    with Bag(path) as bag:
        (topic,) = bag.image_topics
        assert topic == ("/camera/image_raw", "sensor_msgs/msg/Image", 6)
        assert bag.duration == pytest.approx(0.5)
        messages, error = read(bag)
        assert error is None
        assert [m.timestamp for m in messages] == [200 * SECOND + i * SECOND // 10 for i in range(6)]
        image = bag.deserialize(messages[0])
        assert (image.height, image.width, image.header.frame_id) == (48, 64, "camera")


def test_messages_can_be_chosen_by_topic(tmp_path, ros):
    images = ros.square_images(3)
    messages = [("/a", ros.image(i, 0), 1) for i in images] + [("/b", ros.header(0), 2)]
    with Bag(ros.write_bag(tmp_path / "bag", messages)) as bag:
        assert [t.name for t in bag.topics] == ["/a", "/b"]
        assert [t.name for t in bag.image_topics] == ["/a"]
        assert {m.topic for m in bag.messages(["/b"])} == {"/b"}
        assert len(list(bag.messages())) == 4


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_a_cut_off_recording_gives_what_is_whole_and_then_an_error(make_bag, ros, storage, as_folder):
    images = ros.square_images(40) * 5  # several chunks or pages
    path = make_bag(images=images, storage=storage)
    file = storage_file(path)
    cut(file, 0.6)
    with Bag(path if as_folder else file) as bag:
        messages, error = read(bag)
        assert 80 < len(messages) < 160
        assert bag.image_topics[0].count == len(messages)
        assert f"after {len(messages)} readable messages" in error
        assert [m.timestamp for m in messages] == sorted(m.timestamp for m in messages)
        assert bag.deserialize(messages[-1]).data.size == 48 * 64 * 3


@pytest.fixture
def noise_bag(tmp_path, make_bag):
    """Writes 40 messages of noise as one MCAP file: ``noise_bag(compression, chunk_size)`` -> file."""
    from mcap.writer import CompressionType, Writer

    def write(compression, chunk_size):
        path = tmp_path / "noise.mcap"
        noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8)
        with Bag(make_bag(images=noise)) as whole, path.open("wb") as file:
            writer = Writer(file, chunk_size, CompressionType[compression.upper()])
            writer.start(profile="ros2")
            schema = writer.register_schema("sensor_msgs/msg/Image", "ros2msg", b"")
            channel = writer.register_channel("/camera", "cdr", schema)
            for message in whole.messages():
                writer.add_message(channel, message.timestamp, message.data, message.timestamp)
            writer.finish()
        return path

    return write


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_messages_before_the_cut_inside_a_chunk_are_read(noise_bag, compression):
    path = noise_bag(compression, chunk_size=1 << 30)
    cut(path, 0.7)
    with Bag(path) as bag:
        messages, error = read(bag)
    assert f"after {len(messages)} readable messages" in error
    assert 20 <= len(messages) < 30
    assert all(len(m.data) > 48 * 64 * 3 for m in messages)


@pytest.mark.parametrize("index_is_whole", [True, False])
def test_damage_in_the_middle_ends_the_reading_with_the_count_before_it(noise_bag, index_is_whole):
    path = noise_bag("zstd", chunk_size=20_000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 10_000] = bytes(10_000)
    path.write_bytes(data if index_is_whole else data[:-100])
    with Bag(path) as bag:
        messages, error = read(bag)
    assert f"after {len(messages)} readable messages" in error
    assert 10 < len(messages) < 24


def test_split_recordings_are_read_in_natural_order(tmp_path, make_bag):
    folder = tmp_path / "split"
    folder.mkdir()
    for number in (10, 2):
        stamps = [number * SECOND]
        one = make_bag(1, stamps=stamps, name=f"part{number}")
        shutil.copy(storage_file(one), folder / f"split_{number}.mcap")
    with Bag(folder) as bag:
        stamps = [bag.deserialize(m).header.stamp.sec for m in bag.messages()]
    assert stamps == [2, 10]


def test_a_lost_part_of_a_split_recording_is_reported_after_the_rest(tmp_path, make_bag):
    path = make_bag(3)
    text = (path / "metadata.yaml").read_text()
    name = storage_file(path).name
    (path / "metadata.yaml").write_text(text.replace(f"- {name}", f"- {name}\n  - lost_1.mcap", 1))
    with Bag(path) as bag:
        messages, error = read(bag)
    assert len(messages) == 3
    assert "lost_1.mcap" in error


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x89MCAP0\r\n"])
def test_files_that_are_no_recording_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.\w+ is no readable recording") as caught:
        Bag(path)
    assert "\n" not in str(caught.value)


def test_a_folder_with_metadata_alone_is_refused(make_bag):
    path = make_bag(2)
    storage_file(path).unlink()
    with pytest.raises(SourceError, match="no readable recording"):
        Bag(path)


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        Bag(tmp_path / "gone")
