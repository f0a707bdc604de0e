from __future__ import annotations

import gc
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from motionseg_ros.core.types import Frame
from motionseg_ros.cues.depth import SensorDepth, fill_holes

IMAGE = np.zeros((4, 6, 3), np.uint8)


def metres(*rows) -> np.ndarray:
    """(4, 6) float32; `rows` are repeated to fill it."""
    return np.resize(np.array(rows, np.float32), (4, 6))


def measured(depth: np.ndarray | None = None) -> Frame:
    """A frame with that depth."""
    return Frame(IMAGE, depth=depth)


def whole(sensor: SensorDepth, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    """All that it knows of the newest frame."""
    row, column = np.indices(size).reshape(2, -1)
    return sensor.at(row, column).reshape(size)


class TestFillHoles:
    def test_takes_the_nearest(self):
        rng = np.random.default_rng(0)
        values = rng.random((40, 50), np.float32)
        known = rng.random((40, 50)) < 0.05
        found = fill_holes(np.where(known, values, -1).astype(np.float32), known)
        assert np.array_equal(found[known], values[known])
        distance = distance_transform_edt(~known)
        place = dict(zip(values[known], np.argwhere(known), strict=True))
        taken = np.array([np.linalg.norm(place[v] - at) for at, v in np.ndenumerate(found)]).reshape(40, 50)
        assert (taken <= distance * 1.05 + 1e-6).all()  # OpenCV's distances are not quite exact

    def test_nothing_to_fill(self):
        values = np.ones((3, 4), np.float32)
        assert fill_holes(values, values > 0) is values

    def test_one_pixel_fills_all(self):
        values = np.zeros((3, 4), np.float32)
        values[1, 2] = 5
        assert (fill_holes(values, values > 0) == 5).all()


class TestSensorDepth:
    def test_is_inverse(self):
        sensor = SensorDepth()
        assert sensor.span is None
        assert sensor.push(measured(metres(0.5, 2, 4))) is True
        assert whole(sensor).dtype == np.float32
        assert np.array_equal(whole(sensor), metres(2, 0.5, 0.25))
        assert sensor.span == (0.25, 2)

    def test_is_read_by_row_and_column(self):
        sensor = SensorDepth()
        sensor.push(measured(1 / np.arange(1, 25, dtype=np.float32).reshape(4, 6)))
        found = sensor.at(np.array([0, 3, 1]), np.array([5, 0, 2]))
        np.testing.assert_allclose(found, [6, 19, 9])
        assert sensor.at(np.zeros(0, np.int64), np.zeros(0, np.int64)).shape == (0,)

    @pytest.mark.parametrize("hole", [np.nan, 0, -1, -np.inf, 1e-42])
    def test_holes_have_the_nearest_value(self, hole):
        depth = np.full((4, 6), hole, np.float32)
        depth[:, 0], depth[:, 5] = 1, 4
        sensor = SensorDepth()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sensor.push(measured(depth))
        assert whole(sensor).tolist() == [[1, 1, 1, 0.25, 0.25, 0.25]] * 4
        assert sensor.span == (0.25, 1)

    def test_infinite_is_far_and_no_hole(self):
        sensor = SensorDepth()
        sensor.push(measured(metres(1, np.inf)))
        assert np.array_equal(whole(sensor), metres(1, 0))
        assert sensor.span == (0, 1)

    def test_a_frame_without_has_that_of_the_frame_before(self):
        """A message that was lost, and one in which nothing is known."""
        sensor = SensorDepth()
        depths = (metres(2), None, metres(np.nan), metres(0), metres(4))
        assert [sensor.push(measured(depth)) for depth in depths[:4]] == [True, False, False, False]
        assert np.array_equal(whole(sensor), metres(0.5))
        assert sensor.push(measured(depths[4])) is True
        assert np.array_equal(whole(sensor), metres(0.25))

    @pytest.mark.parametrize("depth", [None, metres(np.nan)])
    def test_nothing_is_known_before_the_first(self, depth):
        sensor = SensorDepth()
        assert sensor.push(measured(depth)) is False
        assert sensor.span is None

    def test_reset(self):
        sensor = SensorDepth()
        sensor.push(measured(metres(2)))
        sensor.reset()
        assert sensor.span is None

    def test_a_frame_of_another_size_has_not_that_of_the_frame_before(self):
        sensor = SensorDepth()
        sensor.push(measured(metres(2)))
        assert sensor.push(Frame(np.zeros((8, 6, 3), np.uint8))) is False
        assert sensor.span is None
        assert sensor.push(Frame(np.zeros((8, 6, 3), np.uint8), depth=np.ones((8, 6), np.float32))) is True
        assert whole(sensor, (8, 6)).shape == (8, 6)

    def test_takes_no_hold_of_the_callers_image(self):
        sensor, depth = SensorDepth(), metres(2)
        sensor.push(measured(depth))
        depth[:] = 1
        assert np.array_equal(whole(sensor), metres(0.5))

    def test_leaves_the_callers_image_as_it_is(self):
        depth = metres(2, np.nan, 0, np.inf)
        depth.flags.writeable = False
        SensorDepth().push(measured(depth))
        np.testing.assert_array_equal(depth, metres(2, np.nan, 0, np.inf))

    def test_memory_does_not_grow(self):
        sensor, image = SensorDepth(), np.zeros((120, 160, 3), np.uint8)
        rng = np.random.default_rng(0)

        def run(frames: int) -> int:
            for _ in range(frames):
                sensor.push(Frame(image, depth=rng.random((120, 160), np.float32) - 0.2))
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            early, late = run(10), run(100)
        finally:
            tracemalloc.stop()
        assert late < early + 10_000
