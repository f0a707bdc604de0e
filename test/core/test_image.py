from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from motionseg_ros.core.image import WorkingImage, likeness
from motionseg_ros.core.types import Frame


def prepare(height: int, width: int, working_size: int) -> WorkingImage:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return WorkingImage.prepare(Frame(image), working_size)


class TestPrepare:
    @pytest.mark.parametrize(
        ("size", "working_size", "expected"),
        [
            ((480, 640), 320, (240, 320)),
            ((640, 480), 320, (320, 240)),
            ((480, 854), 432, (243, 432)),
            ((240, 320), 432, (240, 320)),  # never up
            ((432, 432), 432, (432, 432)),
            ((1, 1), 64, (1, 1)),
            ((200, 4000), 432, (64, 1280)),  # a panorama's shorter side stays large enough to match in
            ((3, 1000), 100, (3, 1000)),
        ],
    )
    def test_is_scaled_down_to_the_working_size(self, size, working_size, expected):
        image = prepare(*size, working_size)
        assert image.size == expected
        assert image.full_size == size

    def test_a_small_image_keeps_its_pixels(self):
        pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
        np.testing.assert_array_equal(WorkingImage.prepare(Frame(pixels), 64).bgr, pixels)


class TestCoordinates:
    @pytest.mark.parametrize("size", [(480, 854), (240, 320), (201, 1001), (7, 1001), (1, 1)])
    def test_there_and_back(self, size):
        image = prepare(*size, 100)
        points = np.random.default_rng(2).uniform(0, 1, (50, 2)).astype(np.float32) * (size[1], size[0])
        np.testing.assert_allclose(image.to_full(image.to_working(points)), points, atol=1e-3)
        np.testing.assert_allclose(image.to_working(image.to_full(points)), points, atol=1e-3)

    def test_corners_of_the_image_map_to_corners(self):
        """The outer border lies half a pixel outside the first and the last pixel centre."""
        image = prepare(480, 854, 432)
        corners = np.array([[-0.5, -0.5], [853.5, 479.5]], np.float32)
        np.testing.assert_allclose(image.to_working(corners), [[-0.5, -0.5], [431.5, 242.5]], atol=1e-3)

    @pytest.mark.parametrize("centre", [(100, 60), (37, 201), (300, 10)])
    def test_a_resized_dot_lands_where_to_working_says(self, centre):
        x, y = centre
        pixels = np.zeros((240, 320, 3), np.uint8)
        pixels[y - 4 : y + 5, x - 4 : x + 5] = 255
        image = WorkingImage.prepare(Frame(pixels), 120)
        weight = image.gray.astype(float)
        rows, columns = np.mgrid[0 : image.size[0], 0 : image.size[1]]
        found = [(columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()]
        # Whole pixels blur the centroid by a few hundredths; mixing up corners and centres would be 0.31 px.
        np.testing.assert_allclose(image.to_working(np.array([x, y], np.float32)), found, atol=0.06)

    def test_keeps_any_leading_shape(self):
        image = prepare(48, 64, 32)
        points = np.random.default_rng(3).uniform(0, 40, (4, 5, 2)).astype(np.float32)
        assert image.to_full(points).shape == (4, 5, 2)
        np.testing.assert_allclose(image.to_full(points)[2, 3], image.to_full(points[2, 3]), atol=1e-4)

    @pytest.mark.parametrize("size", [(480, 854), (201, 1001)])
    def test_the_matrix_says_the_same(self, size):
        image = prepare(*size, 100)
        points = np.random.default_rng(4).uniform(0, 400, (20, 2))
        by_matrix = cv2.perspectiveTransform(points[None], image.from_full)[0]
        np.testing.assert_allclose(by_matrix, image.to_working(points.astype(np.float32)), atol=1e-3)


class TestHalf:
    def test_is_the_same_frame_at_half_the_size(self):
        image = prepare(480, 854, 200)
        assert image.size == (112, 200)
        assert image.half.size == (56, 100)
        assert image.half.full_size == (480, 854)
        assert image.half is image.half

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5)])
    def test_never_empty(self, size):
        assert min(prepare(*size, 100).half.size) >= 1

    def test_a_homography_between_its_pixels(self):
        """Of a scene that goes 8 px to the right in the full image, at a quarter of its size."""
        image = prepare(400, 800, 200)
        shift = np.array([[1, 0, 8], [0, 1, 0], [0, 0, 1.0]])
        np.testing.assert_allclose(image.homography(shift), [[1, 0, 2], [0, 1, 0], [0, 0, 1]], atol=1e-9)
        np.testing.assert_allclose(image.half.homography(shift)[0, 2], 1)


class TestConversions:
    def test_gray_and_lab_are_opencvs(self):
        image = prepare(48, 64, 64)
        np.testing.assert_array_equal(image.gray, cv2.cvtColor(image.bgr, cv2.COLOR_BGR2GRAY))
        np.testing.assert_array_equal(image.lab, cv2.cvtColor(image.bgr, cv2.COLOR_BGR2LAB))

    def test_each_is_made_once(self):
        image = prepare(48, 64, 64)
        assert image.gray is image.gray
        assert image.lab is image.lab
        assert image.pyramid is image.pyramid

    @pytest.mark.parametrize("size", [(240, 320), (33, 400), (8, 8), (1, 1)])
    def test_each_pyramid_level_is_half_the_one_before(self, size):
        pyramid = prepare(*size, 432).pyramid
        assert pyramid[0].shape == size
        for fine, coarse in pairwise(pyramid):
            assert coarse.shape == ((fine.shape[0] + 1) // 2, (fine.shape[1] + 1) // 2)
            assert min(coarse.shape) >= 16


class TestLikeness:
    @staticmethod
    def view(seed: int, gain: float = 1.0) -> WorkingImage:
        coarse = np.random.default_rng(seed).integers(20, 250, (12, 16, 3), np.uint8)
        image = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)
        return WorkingImage.prepare(Frame((image * gain).astype(np.uint8)), 320)

    def test_of_one_view_at_another_exposure(self):
        assert likeness(self.view(1), self.view(1, 0.5)) > 0.95

    def test_of_two_views(self):
        assert abs(likeness(self.view(1), self.view(2))) < 0.4

    def test_of_images_without_any_structure(self):
        flat = WorkingImage.prepare(Frame(np.full((48, 64, 3), 9, np.uint8)), 64)
        assert np.isfinite(likeness(flat, flat))
