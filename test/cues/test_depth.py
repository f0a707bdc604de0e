from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from motionseg_ros.cues.depth import NoDepth, SensorDepth, fill_holes, normalise_depth
from motionseg_ros.trajectories.inputs import check_depth

IMAGE = np.zeros((4, 6, 3), np.uint8)


def metres(*rows) -> np.ndarray:
    """(4, 6) float32; `rows` are repeated to fill it."""
    return np.resize(np.array(rows, np.float32), (4, 6))


def ramp(count: int = 65536) -> np.ndarray:
    """All values of 16 bits, (256, count / 256)."""
    return np.arange(count, dtype=np.float32).reshape(256, -1)


class TestNormalise:
    def test_fixed_spans_the_frame(self):
        depth = np.array([[2, 4], [10, 6]], np.float32)
        assert normalise_depth(depth, "fixed").tolist() == [[0, 0.25], [1, 0.5]]
        assert np.array_equal(normalise_depth(depth), normalise_depth(depth, "fixed"))
        assert depth.tolist() == [[2, 4], [10, 6]]

    def test_reference_saturates_all_but_the_farthest(self):
        """Of a linear ramp 99.6 % become 1 (spec of the release, section 3.3)."""
        found = normalise_depth(ramp(), "reference")
        assert (found == 1).mean() == pytest.approx(0.996, abs=0.0005)
        shares = np.array([[0, 1, 2, 100, 254, 255, 256, 65535]], np.float32) + 0.5
        shares[0, [0, -1]] -= 0.5
        levels = np.round(255 * normalise_depth(shares, "reference"), 4)
        assert levels.tolist() == [[0, 1, 2, 100, 254, 255, 255, 255]]

    def test_reference_is_what_pillow_makes_of_16_bits(self, tmp_path):
        image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        depth = np.random.default_rng(0).normal(3, 1, (64, 64)).astype(np.float32)
        depth[:8] = depth.min() + 0.03 * np.random.default_rng(1).random((8, 64), np.float32)
        share = (depth - depth.min()) / (depth.max() - depth.min())
        image.fromarray((65535 * share).astype(np.uint16)).save(tmp_path / "depth.png")
        levels = np.asarray(image.open(tmp_path / "depth.png").convert("L"), np.float32)
        expected = (levels - levels.min()) / (levels.max() - levels.min())
        assert len(np.unique(expected)) > 20
        np.testing.assert_array_equal(normalise_depth(depth, "reference"), expected)

    @pytest.mark.parametrize("mode", ["fixed", "reference"])
    @pytest.mark.parametrize("value", [0, 7.5, -1])
    def test_a_constant_map_is_0(self, mode, value):
        assert not normalise_depth(np.full((3, 4), value, np.float32), mode).any()

    @pytest.mark.parametrize("mode", ["fixed", "reference"])
    def test_is_what_the_classifiers_take(self, mode):
        frames = np.random.default_rng(0).normal(0, 1e6, (5, 20, 30)).astype(np.float32)
        check_depth(np.stack([normalise_depth(frame, mode) for frame in frames]), 5, (20, 30))

    @pytest.mark.parametrize("mode", ["fixed", "reference"])
    def test_factor_and_offset_do_not_matter(self, mode):
        depth = np.random.default_rng(0).integers(0, 1000, (20, 30)).astype(np.float32)
        assert np.array_equal(normalise_depth(depth, mode), normalise_depth(4 * depth + 32, mode))

    @pytest.mark.parametrize(
        ("depth", "mode", "message"),
        [
            (metres(1), "corrected", "mode must be one of fixed, reference, but got 'corrected'"),
            (metres(np.nan, 1), "fixed", "depth must be finite"),
            (metres(np.inf, 1), "fixed", "depth must be finite"),
            (metres(1).astype(np.float64), "fixed", "depth must be float32, but got float64"),
            (metres(1)[None], "fixed", r"depth must be \(H, W\), but got \(1, 4, 6\)"),
            (np.zeros((0, 6), np.float32), "fixed", r"depth must be \(H, W\), but got \(0, 6\)"),
            (None, "fixed", r"depth must be \(H, W\), but got NoneType"),
        ],
    )
    def test_bad_input(self, depth, mode, message):
        with pytest.raises(ValueError, match=message) as caught:
            normalise_depth(depth, mode)
        assert "\n" not in str(caught.value)

    def test_modes_are_those_of_the_classifier(self):
        pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
        from typing import get_args

        from motionseg_ros.trajectories.model import DepthMode

        for mode in get_args(DepthMode):
            normalise_depth(metres(1, 2), mode)


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
        assert sensor.depth() is None
        sensor.push(IMAGE, metres(0.5, 2, 4))
        assert sensor.depth().dtype == np.float32
        assert np.array_equal(sensor.depth(), metres(2, 0.5, 0.25))

    @pytest.mark.parametrize("hole", [np.nan, 0, -1, -np.inf, 1e-42])
    def test_holes_have_the_nearest_value(self, hole):
        depth = np.full((4, 6), hole, np.float32)
        depth[:, 0], depth[:, 5] = 1, 4
        sensor = SensorDepth()
        sensor.push(IMAGE, depth)
        assert sensor.depth().tolist() == [[1, 1, 1, 0.25, 0.25, 0.25]] * 4
        assert np.isfinite(normalise_depth(sensor.depth())).all()

    def test_infinite_is_far_and_no_hole(self):
        sensor = SensorDepth()
        sensor.push(IMAGE, metres(1, np.inf))
        assert np.array_equal(sensor.depth(), metres(1, 0))

    def test_a_frame_without_has_that_of_the_frame_before(self):
        sensor = SensorDepth()
        sensor.push(IMAGE, metres(2))
        assert sensor.age == 0
        sensor.push(IMAGE)
        sensor.push(IMAGE, metres(np.nan))
        assert sensor.age == 2
        assert np.array_equal(sensor.depth(), metres(0.5))
        sensor.push(IMAGE, metres(4))
        assert sensor.age == 0
        assert np.array_equal(sensor.depth(), metres(0.25))

    def test_but_not_that_of_another_stream(self):
        sensor = SensorDepth()
        sensor.push(IMAGE, metres(2))
        sensor.reset()
        assert sensor.depth() is None
        sensor.push(IMAGE, metres(2))
        sensor.push(np.zeros((8, 6, 3), np.uint8))
        assert sensor.depth() is None

    def test_takes_no_hold_of_the_callers_image(self):
        sensor, depth = SensorDepth(), metres(2)
        sensor.push(IMAGE, depth)
        depth[:] = 1
        assert np.array_equal(sensor.depth(), metres(0.5))

    @pytest.mark.parametrize(
        ("depth", "message"),
        [
            (
                np.ones((4, 5), np.float32),
                r"depth must be \(H, W\) = \(4, 6\), the image's size, but got \(4, 5\)",
            ),
            (np.ones((4, 6, 1), np.float32), r"depth must be \(H, W\), but got \(4, 6, 1\)"),
            (np.ones((4, 6), np.uint16), "depth must be float32 in metres, but got uint16"),
        ],
    )
    def test_bad_input(self, depth, message):
        with pytest.raises(ValueError, match=message) as caught:
            SensorDepth().push(IMAGE, depth)
        assert "\n" not in str(caught.value)

    def test_memory_does_not_grow(self):
        sensor, image = SensorDepth(), np.zeros((120, 160, 3), np.uint8)
        rng = np.random.default_rng(0)

        def run(frames: int) -> int:
            for _ in range(frames):
                sensor.push(image, rng.random((120, 160), np.float32) - 0.2)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            early, late = run(10), run(100)
        finally:
            tracemalloc.stop()
        assert late < early + 10_000


def test_no_depth():
    provider = NoDepth()
    provider.push(IMAGE, metres(1))
    provider.reset()
    assert provider.depth() is None
