from __future__ import annotations

import resource
import signal
import tracemalloc

import numpy as np
import pytest

from motionseg_ros.core.errors import OutputError
from motionseg_ros.core.types import Frame, FrameResult, ObjectState
from motionseg_ros.io.spool import Spool, pack_frame, pack_result, unpack_frame, unpack_result


def test_records_come_back_in_any_order(tmp_path):
    records = [b"first", b"", bytes(range(256)) * 50, b"last"]
    with Spool(tmp_path) as spool:
        for record in records:
            spool.append(record)
        assert len(spool) == 4
        assert [spool[k] for k in (3, 0, 2, 1)] == [b"last", b"first", records[2], b""]
        for number in (-1, 4):
            with pytest.raises(IndexError):
                spool[number]


def test_it_has_no_name_and_leaves_nothing(tmp_path):
    with Spool(tmp_path) as spool:
        spool.append(b"x" * 10_000)
        assert list(tmp_path.iterdir()) == []
    spool.close()


def test_memory_does_not_grow_with_the_records(tmp_path):
    with Spool(tmp_path) as spool:
        tracemalloc.start()
        try:
            for _ in range(300):
                spool.append(bytes(10_000))
            assert len(spool[299]) == 10_000
            assert tracemalloc.get_traced_memory()[0] < 100_000
        finally:
            tracemalloc.stop()


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*gone.*--offline.*-o$"):
        Spool(tmp_path / "gone")


def test_a_full_disk_is_one_line(tmp_path):
    """The limit on file sizes stands in for the full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, former[1]))
    try:
        with Spool(tmp_path) as spool:
            spool.append(bytes(4000))
            with pytest.raises(OutputError, match=r"cannot write .*--offline.*file too large.*-o$"):
                spool.append(bytes(4000))
            assert len(spool) == 1
            assert len(spool[0]) == 4000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [(1, 1), (48, 64), (31, 17)])
def test_a_frame_comes_back_bit_for_bit(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    frame = Frame(image[:, ::-1], 2**62 + 1, "kamera/ü", 70_000)
    again = unpack_frame(pack_frame(frame))
    np.testing.assert_array_equal(again.image, frame.image)
    assert (again.stamp, again.frame_id, again.index) == (frame.stamp, frame.frame_id, frame.index)


@pytest.mark.parametrize("size", [(1, 1), (48, 64), (31, 17)])
def test_so_does_its_depth(size):
    """Also what is not known and what is out of reach."""
    rng = np.random.default_rng(1)
    depth = rng.normal(3, 1, size).astype(np.float32)
    depth[rng.random(size) < 0.2] = np.nan
    depth[rng.random(size) < 0.2] = np.inf
    depth[0, 0] = 0
    frame = Frame(np.zeros((*size, 3), np.uint8), 1, "camera", 2, depth)
    again = unpack_frame(pack_frame(frame))
    assert again.depth.dtype == np.float32
    np.testing.assert_array_equal(again.depth, depth)
    assert (again.stamp, again.frame_id, again.index) == (1, "camera", 2)


def test_a_view_of_depth_comes_back_as_it_is_seen():
    depth = np.arange(48, dtype=np.float32).reshape(6, 8).T[::-1]
    frame = Frame(np.zeros((8, 6, 3), np.uint8), depth=depth)
    np.testing.assert_array_equal(unpack_frame(pack_frame(frame)).depth, depth)


def test_a_frame_without_depth_has_none_again():
    assert unpack_frame(pack_frame(Frame(np.zeros((2, 3, 3), np.uint8)))).depth is None


def test_depth_is_kept_small():
    """A plane of a depth camera, which knows whole millimetres."""
    depth = np.tile(np.arange(640, dtype=np.float32) / 1000, (480, 1))
    frame = Frame(np.zeros((480, 640, 3), np.uint8), depth=depth)
    assert len(pack_frame(frame)) < depth.nbytes / 10


@pytest.mark.parametrize("object_id", [1, 255, 256, 65534])
@pytest.mark.parametrize("state", [ObjectState.MOVING, ObjectState.OCCLUDED])
def test_a_result_comes_back_whole(make_result, object_id, state):
    result = make_result(3, object_id, state)
    again = unpack_result(pack_result(result))
    np.testing.assert_array_equal(again.labels, result.labels)
    assert again.labels.dtype == np.uint16
    assert (again.index, again.stamp, again.frame_id) == (result.index, result.stamp, result.frame_id)
    assert (again.timings_ms, again.restart) == (result.timings_ms, result.restart)
    (one,), (other,) = result.instances, again.instances
    np.testing.assert_array_equal(one.mask, other.mask)
    for name in ("id", "state", "motion_score", "mask_score", "roi", "velocity_px", "first_seen"):
        assert getattr(one, name) == getattr(other, name)


def test_a_result_is_kept_small(make_result):
    assert len(pack_result(make_result())) < 2000


def test_a_field_comes_back_bit_for_bit():
    field = np.random.default_rng(3).integers(-127, 128, (9, 14)).astype(np.int8)
    result = FrameResult(0, 1, "camera", np.zeros((18, 28), np.uint16), field=field)
    again = unpack_result(pack_result(result))
    assert again.field.dtype == np.int8
    np.testing.assert_array_equal(again.field, field)
