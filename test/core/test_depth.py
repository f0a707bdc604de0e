from __future__ import annotations

import warnings
from typing import get_args

import numpy as np
import pytest

from motionseg_ros.core.config import ClassifierConfig
from motionseg_ros.core.depth import BY_MODE, FIXED, OWN, REFERENCE, DepthReading
from motionseg_ros.trajectories.classifier import DepthMode
from motionseg_ros.trajectories.inputs import check_samples

READINGS = {"own": OWN, "fixed": FIXED, "reference": REFERENCE}
SIZE = (12, 20)


@pytest.fixture(params=READINGS)
def reading(request) -> DepthReading:
    return READINGS[request.param]


def scaled(reading: DepthReading, image: np.ndarray) -> np.ndarray:
    """All of a depth image."""
    return reading.scale(image, float(image.min()), float(image.max()))


def pixel(reading: DepthReading, x: float, y: float, size: tuple[int, int] = SIZE) -> tuple[int, int] | None:
    """(row, column) that is read for a point; None for none."""
    row, column, known = reading.pixels(np.array([[x, y]], np.float32), size)
    return (int(row[0]), int(column[0])) if known[0] else None


class TestPixels:
    @pytest.mark.parametrize(
        ("point", "expected"),
        [
            ((0, 0), (0, 0)),
            ((19, 11), (11, 19)),
            ((7.6, 2.4), (2, 8)),
            ((-0.4, 11.4), (11, 0)),
            ((-0.6, 5), None),
            ((5, -0.6), None),
            ((19.6, 5), None),
            ((5, 11.6), None),
        ],
    )
    def test_own_is_the_points_and_none_outside(self, point, expected):
        assert pixel(OWN, *point) == expected

    @pytest.mark.parametrize(
        ("point", "expected"),
        [
            ((0, 0), (0, 0)),
            ((19, 11), (11, 19)),
            ((7.6, 2.4), (2, 8)),
            ((7.4, 2.6), (3, 7)),
            ((-30, 5), (5, 0)),
            ((19.9, 99), (11, 19)),
            ((3e38, -3e38), (0, 19)),
        ],
    )
    def test_fixed_is_the_points_and_outside_that_on_the_border(self, point, expected):
        assert pixel(FIXED, *point) == expected

    @pytest.mark.parametrize(
        ("point", "expected"),
        [
            ((2.0, 39.4), (29, 4)),  # observed in the release
            ((40.0, 10.0), (0, 0)),
            ((0.0, 0.0), (0, 0)),
        ],
    )
    def test_reference_takes_positions_for_others(self, point, expected):
        """In an image of 86x48 px (spec of the release, section 2.3), written there as x and y: pixel (4, 29)."""
        row, column = pixel(REFERENCE, *point, size=(48, 86))
        assert (row, column) == expected

    @pytest.mark.parametrize(
        ("point", "expected"),
        [
            ((15, 9), (6, 10)),  # half of the way from the centre to the border, so half of the image
            ((5, 9), (5, 10)),  # what is left of the centre runs into the row above
            ((15, 3), (0, 0)),
            ((9.9, 9), (6, 0)),  # cut off towards 0, not down
            ((20, 12), (11, 19)),
            ((99, 99), (11, 19)),
        ],
    )
    def test_reference_rule(self, point, expected):
        assert pixel(REFERENCE, *point) == expected

    def test_half_of_the_points_read_the_releases_first_pixel(self):
        points = np.random.default_rng(0).uniform((0, 0), (854, 480), (10_000, 2)).astype(np.float32)
        row, column, known = REFERENCE.pixels(points, (480, 854))
        assert known.all()
        assert ((row == 0) & (column == 0)).mean() == pytest.approx(0.5, abs=0.02)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("axis", [0, 1])
    def test_positions_that_are_not_finite_have_none(self, reading, value, axis):
        positions = np.full((2, 3, 2), 6, np.float32)
        positions[1, 2, axis] = value
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            row, column, known = reading.pixels(positions, SIZE)
        assert np.array_equal(known, [[True] * 3, [True, True, False]])
        # So that they can be read all the same.
        assert 0 <= row[1, 2] < 12
        assert 0 <= column[1, 2] < 20

    def test_types(self, reading):
        row, column, known = reading.pixels(np.zeros((4, 2), np.float32), SIZE)
        assert (row.dtype, column.dtype, known.dtype) == (np.int64, np.int64, bool)
        assert row.shape == column.shape == known.shape == (4,)

    def test_no_points(self, reading):
        assert [part.shape for part in reading.pixels(np.zeros((0, 5, 2), np.float32), SIZE)] == [(0, 5)] * 3


class TestScale:
    def test_fixed_spans_the_frame(self):
        depth = np.array([[2, 4], [10, 6]], np.float32)
        assert scaled(FIXED, depth).tolist() == [[0, 0.25], [1, 0.5]]

    def test_own_is_a_share_of_the_largest(self):
        assert scaled(OWN, np.array([[2, 4], [10, 5]], np.float32)).tolist() == pytest.approx(
            np.array([[0.2, 0.4], [1, 0.5]])
        )

    def test_the_span_is_that_of_the_whole_image(self):
        """Also where only a few of its pixels are read."""
        few = np.array([4, 6], np.float32)
        assert FIXED.scale(few, 2, 10).tolist() == [0.25, 0.5]
        assert OWN.scale(few, 2, 8).tolist() == [0.5, 0.75]
        assert REFERENCE.scale(few, 4, 1e9).tolist() == [0, 0]

    def test_reference_saturates_all_but_the_farthest(self):
        """Of a linear ramp 99.6 % become 1 (spec of the release, section 3.3)."""
        ramp = np.arange(65536, dtype=np.float32).reshape(256, -1)
        assert (scaled(REFERENCE, ramp) == 1).mean() == pytest.approx(0.996, abs=0.0005)
        shares = np.array([0, 1.5, 2.5, 100.5, 254.5, 255.5, 256.5, 65535], np.float32)
        levels = np.round(255 * scaled(REFERENCE, shares), 4)
        assert levels.tolist() == [0, 1, 2, 100, 254, 255, 255, 255]

    def test_reference_is_what_pillow_makes_of_16_bits(self, tmp_path):
        image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        depth = np.random.default_rng(0).normal(3, 1, (64, 64)).astype(np.float32)
        depth[:8] = depth.min() + 0.03 * np.random.default_rng(1).random((8, 64), np.float32)
        share = (depth - depth.min()) / (depth.max() - depth.min())
        image.fromarray((65535 * share).astype(np.uint16)).save(tmp_path / "depth.png")
        levels = np.asarray(image.open(tmp_path / "depth.png").convert("L"), np.float32)
        expected = (levels - levels.min()) / (levels.max() - levels.min())
        assert len(np.unique(expected)) > 20
        np.testing.assert_array_equal(scaled(REFERENCE, depth), expected)

    @pytest.mark.parametrize("mode", BY_MODE)
    @pytest.mark.parametrize("value", [0, 7.5, -1])
    def test_a_constant_map_is_0(self, mode, value):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not scaled(BY_MODE[mode], np.full((3, 4), value, np.float32)).any()

    @pytest.mark.parametrize(("value", "expected"), [(0, 0), (7.5, 1), (-1, 0)])
    def test_a_constant_map_is_its_own_largest(self, value, expected):
        assert (scaled(OWN, np.full((3, 4), value, np.float32)) == expected).all()

    @pytest.mark.parametrize("mode", BY_MODE)
    def test_factor_and_offset_do_not_matter(self, mode):
        depth = np.random.default_rng(0).integers(0, 1000, (20, 30)).astype(np.float32)
        assert np.array_equal(scaled(BY_MODE[mode], depth), scaled(BY_MODE[mode], 4 * depth + 32))

    def test_ratios_stay(self):
        """Twice as far is half as much, whatever else is in the image."""
        depth = np.random.default_rng(0).integers(1, 1000, (20, 30)).astype(np.float32)
        found = scaled(OWN, depth)
        np.testing.assert_allclose(found / found[0, 0], depth / depth[0, 0], rtol=1e-6)
        assert np.array_equal(scaled(OWN, 4 * depth), found)
        assert not np.allclose(scaled(OWN, depth + 32), found)

    def test_what_is_below_0_is_as_far_as_can_be(self):
        assert scaled(OWN, np.array([-3, 2, 4], np.float32)).tolist() == [0, 0.5, 1]

    @pytest.mark.parametrize("factor", [1e-6, 1, 1e6])
    def test_is_what_the_classifiers_take(self, reading, factor):
        images = (factor * np.random.default_rng(0).normal(0, 1, (5, *SIZE))).astype(np.float32)
        positions = np.random.default_rng(1).uniform(-5, 25, (50, 5, 2)).astype(np.float32)
        found = reading.sample(np.stack([scaled(reading, image) for image in images]), positions)
        check_samples(found, 50, 5)
        assert np.nanmax(found) > 0

    def test_values_stay_as_they_are(self, reading):
        depth = np.array([2, -4, 10], np.float32)
        scaled(reading, depth)
        assert depth.tolist() == [2, -4, 10]


class TestSample:
    IMAGES = np.arange(2 * 12 * 20, dtype=np.float32).reshape(2, *SIZE) / 1000

    @pytest.mark.parametrize(
        ("reading", "point", "expected"),
        [
            (OWN, (7.6, 2.4), 2 * 20 + 8),
            (OWN, (-30, 5), None),
            (FIXED, (7.6, 2.4), 2 * 20 + 8),
            (FIXED, (-30, 5), 5 * 20),
            (FIXED, (np.nan, 5), None),
            (REFERENCE, (15, 9), 6 * 20 + 10),
            (REFERENCE, (15, 3), 0),
        ],
    )
    def test_each_frame_is_read_in_its_image(self, reading, point, expected):
        found = reading.sample(self.IMAGES, np.full((1, 2, 2), point, np.float32))
        assert found.dtype == np.float32
        numbers = np.full(2, np.nan) if expected is None else np.array([expected, expected + 240]) / 1000
        np.testing.assert_allclose(found, [numbers])

    def test_rows_are_trajectories_and_columns_frames(self):
        positions = np.array([[[0, 0], [1, 0]], [[2, 0], [3, 0]], [[4, 0], [-9, 0]]], np.float32)
        found = OWN.sample(self.IMAGES, positions)
        np.testing.assert_allclose(found, np.array([[0, 241], [2, 243], [4, np.nan]]) / 1000)

    @pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0)])
    def test_nothing_to_read(self, reading, shape):
        found = reading.sample(self.IMAGES[: shape[1]], np.zeros((*shape, 2), np.float32))
        assert found.shape == shape
        assert found.dtype == np.float32


def test_the_modes_are_those_that_can_be_chosen():
    assert set(BY_MODE) == set(get_args(DepthMode))
    assert set(BY_MODE) == set(get_args(ClassifierConfig.model_fields["depth_mode"].annotation))
    assert (BY_MODE["fixed"], BY_MODE["reference"]) == (FIXED, REFERENCE)
