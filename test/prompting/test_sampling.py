from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest

from motionseg_ros.prompting import sampling
from motionseg_ros.prompting.sampling import SamplingMethod, sample_negatives, sample_points

H, W = 120, 200
METHODS = get_args(SamplingMethod)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def ring(thickness: int = 3) -> np.ndarray:
    mask = np.zeros((H, W), np.uint8)
    cv2.circle(mask, (100, 60), 50, 1, thickness)
    return mask > 0


DISC = cv2.circle(np.zeros((H, W), np.uint8), (80, 60), 45, 1, -1) > 0
BLOBS = [rectangle(5, 5, 25, 25), rectangle(90, 80, 110, 100), rectangle(170, 10, 190, 30)]
IMAGE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8), (0, 0), 1.5)
FLAT = np.full((H, W, 3), 90, np.uint8)


def on(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K,) bool; fails where a point is outside the image or between pixels."""
    x, y = points.T
    assert ((x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])).all()
    np.testing.assert_array_equal(points, np.rint(points))
    return mask[y.astype(int), x.astype(int)]


def cover(mask: np.ndarray, points: np.ndarray) -> float:
    """Mean distance of the mask's pixels to the nearest point, px."""
    y, x = np.nonzero(mask)
    pixels = np.stack([x, y], 1)
    return float(np.linalg.norm(pixels[:, None] - points[None], axis=2).min(1).mean())


def pixels(points: np.ndarray) -> set[tuple[int, int]]:
    return {(int(x), int(y)) for x, y in points}


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    @pytest.mark.parametrize("count", [1, 2, 8, 72])
    @pytest.mark.parametrize(
        "mask",
        [DISC, ring(), np.any(BLOBS, axis=0), ~DISC, rectangle(10, 60, 190, 61), rectangle(0, 0, W, H)],
        ids=["disc", "ring", "blobs", "background", "line", "everything"],
    )
    def test_gives_so_many_different_pixels_of_the_mask(self, method, mask, count):
        points = sample_points(mask, count, method, IMAGE)
        assert points.shape == (count, 2)
        assert points.dtype == np.float32
        assert on(mask, points).all()
        assert len(pixels(points)) == count

    @pytest.mark.parametrize("image", [IMAGE, FLAT], ids=["texture", "flat"])
    @pytest.mark.parametrize("box", [(50, 50, 51, 51), (0, 0, 2, 1), (197, 118, 200, 120)])
    def test_gives_every_pixel_of_a_mask_that_has_fewer(self, method, box, image):
        mask = rectangle(*box)
        points = sample_points(mask, 8, method, image)
        assert pixels(points) == {(x, y) for y, x in np.argwhere(mask)}
        assert len(points) == mask.sum()

    def test_gives_nothing_for_an_empty_mask_or_none_wanted(self, method):
        for points in (
            sample_points(rectangle(0, 0, 0, 0), 8, method, IMAGE),
            sample_points(DISC, 0, method, IMAGE),
        ):
            assert points.shape == (0, 2)
            assert points.dtype == np.float32

    def test_a_one_pixel_image(self, method):
        points = sample_points(np.ones((1, 1), bool), 8, method, np.zeros((1, 1, 3), np.uint8))
        assert points.tolist() == [[0, 0]]

    def test_same_seed_same_points(self, method):
        first, second = (sample_points(DISC, 8, method, IMAGE, seed=5) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_leaves_its_input_alone(self, method):
        mask, image = DISC.copy(), IMAGE.copy()
        sample_points(mask, 8, method, image)
        np.testing.assert_array_equal(mask, DISC)
        np.testing.assert_array_equal(image, IMAGE)

    def test_gives_more_points_than_k_medoids_looks_at(self, method):
        count = sampling.CLUSTERED_PIXELS + 50
        assert len(pixels(sample_points(DISC, count, method, IMAGE))) == count


@pytest.mark.parametrize("method", ["random", "k_medoids", "mixed"])
def test_other_seed_other_points(method):
    one, other = (pixels(sample_points(DISC, 8, method, IMAGE, seed)) for seed in (0, 1))
    assert one != other


def test_random_points_are_all_over_the_mask_alike():
    points = np.concatenate([sample_points(DISC, 8, "random", seed=seed) for seed in range(100)])
    y, x = np.nonzero(DISC)
    np.testing.assert_allclose(points.mean(0), (x.mean(), y.mean()), atol=4)
    np.testing.assert_allclose(points.std(0), (x.std(), y.std()), rtol=0.1)


class TestMedoids:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("count", [3, 8])
    def test_every_part_gets_a_point(self, count, seed):
        points = sample_points(np.any(BLOBS, axis=0), count, "k_medoids", seed=seed)
        assert all(on(blob, points).any() for blob in BLOBS)

    @pytest.mark.parametrize("seed", range(5))
    def test_a_part_gets_its_share(self, seed):
        """Park and Jun's start leaves all eight in the large part: central objects, nearest to all others."""
        small = rectangle(170, 10, 190, 30)
        points = sample_points(rectangle(0, 40, 60, 100) | small, 8, "k_medoids", seed=seed)
        assert on(small, points).sum() in (1, 2)

    @pytest.mark.parametrize("mask", [DISC, ring(), np.any(BLOBS, axis=0)], ids=["disc", "ring", "blobs"])
    def test_cover_the_mask_better_than_random_points(self, mask):
        ours, random = (
            [cover(mask, sample_points(mask, 8, method, seed=seed)) for seed in range(10)]
            for method in ("k_medoids", "random")
        )
        assert np.mean(ours) < 0.8 * np.mean(random)
        assert max(ours) < min(random)

    def test_one_of_a_disc_is_about_its_middle(self):
        assert np.linalg.norm(sample_points(DISC, 1, "k_medoids")[0] - (80, 60)) < 8

    def test_of_a_line_are_as_near_to_it_as_can_be(self):
        """160 px, four points: each the middle of 40 px, 10 px away from them on average."""
        line = rectangle(20, 60, 180, 61)
        assert cover(line, sample_points(line, 4, "k_medoids")) == pytest.approx(10, rel=0.02)

    def test_of_a_small_mask_are_the_best_there_are(self):
        """No single exchange with another pixel brings the pixels nearer: five in a row and one apart."""
        mask = rectangle(10, 10, 15, 11) | rectangle(60, 10, 61, 11)
        assert pixels(sample_points(mask, 2, "k_medoids")) == {(12, 10), (60, 10)}

    def test_of_a_ring_are_spread_around_it(self):
        points = sample_points(ring(), 8, "k_medoids")
        angles = np.sort(np.arctan2(points[:, 1] - 60, points[:, 0] - 100))
        gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
        assert gaps.max() < 2 * np.pi / 8 * 1.6

    def test_need_no_image(self):
        np.testing.assert_array_equal(
            sample_points(DISC, 8, "k_medoids"), sample_points(DISC, 8, "k_medoids", IMAGE)
        )


class TestShiTomasi:
    SQUARE = rectangle(60, 40, 101, 81)

    def drawn(self) -> np.ndarray:
        image = FLAT.copy()
        image[self.SQUARE] = (200, 220, 240)
        return image

    def test_finds_the_corners_of_a_square(self):
        points = sample_points(DISC, 4, "shi_tomasi", self.drawn())
        for corner in ((60, 40), (100, 40), (60, 80), (100, 80)):
            assert np.linalg.norm(points - corner, axis=1).min() < 3, corner

    def test_fills_up_with_medoids_where_corners_are_few(self):
        """The square's corners, then the others spread over the disc."""
        corners, points = (sample_points(DISC, count, "shi_tomasi", self.drawn()) for count in (4, 12))
        np.testing.assert_allclose(points[:4], corners)
        assert cover(DISC, points) < 0.7 * cover(DISC, corners)
        assert cover(DISC, points) < 1.2 * cover(DISC, sample_points(DISC, 12, "k_medoids"))

    def test_without_any_structure_is_k_medoids(self):
        np.testing.assert_array_equal(
            sample_points(DISC, 8, "shi_tomasi", FLAT), sample_points(DISC, 8, "k_medoids")
        )

    def test_the_outline_makes_no_corners(self):
        """An even object before another background: all of its structure is its outline."""
        points = sample_points(self.SQUARE, 8, "shi_tomasi", self.drawn())
        np.testing.assert_array_equal(points, sample_points(self.SQUARE, 8, "k_medoids"))

    def test_keeps_off_the_border(self):
        points = sample_points(DISC, 8, "shi_tomasi", IMAGE)
        inside = cv2.distanceTransform(DISC.astype(np.uint8), cv2.DIST_C, 5)
        x, y = points.astype(int).T
        assert (inside[y, x] > sampling.CORNER_MARGIN).all()

    def test_takes_the_corners_of_a_mask_that_is_all_border(self):
        line = rectangle(20, 59, 180, 61)
        image = FLAT.copy()
        image[59, [100, 120]] = 255
        image = cv2.GaussianBlur(image, (0, 0), 1.0)
        assert pixels(sample_points(line, 2, "shi_tomasi", image)) == {(100, 59), (120, 59)}

    def test_corners_are_not_all_in_one_place(self):
        """Strong texture in one corner, weaker texture everywhere: eight points within 20 px tell little."""
        image = (FLAT + 0.4 * (IMAGE.astype(np.float32) - IMAGE.mean())).astype(np.uint8)
        image[50:70, 50:70] = IMAGE[50:70, 50:70]
        points = sample_points(DISC, 8, "shi_tomasi", image)
        distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(8)
        assert distance.min() >= 0.5 * np.sqrt(DISC.sum() / 8)

    def test_moves_with_image_and_mask(self):
        """Only part of the image is looked at; which part must not matter."""
        mask = rectangle(20, 15, 70, 65)
        points = sample_points(mask, 8, "shi_tomasi", IMAGE)
        mask, image = (np.roll(array, (37, 90), axis=(0, 1)) for array in (mask, IMAGE))
        np.testing.assert_array_equal(
            sample_points(mask, 8, "shi_tomasi", image), points + np.float32([90, 37])
        )


class TestMixed:
    @pytest.mark.parametrize("seed", range(4))
    def test_one_point_is_a_random_one(self, seed):
        np.testing.assert_array_equal(
            sample_points(DISC, 1, "mixed", IMAGE, seed), sample_points(DISC, 1, "random", seed=seed)
        )

    @pytest.mark.parametrize(
        ("count", "shares"),
        [(2, [1, 0, 1]), (3, [1, 1, 1]), (4, [1, 1, 2]), (8, [3, 2, 3]), (9, [3, 3, 3])],
    )
    def test_each_method_has_its_third(self, count, shares):
        """What one method has drawn is not drawn again by the next."""
        free = rectangle(90, 40, 112, 62)  # few enough pixels for K-medoids to need no random numbers
        points = sample_points(free, count, "mixed", IMAGE, seed=7)
        for share, method in zip(shares, ("k_medoids", "shi_tomasi", "random"), strict=True):
            np.testing.assert_array_equal(points[:share], sample_points(free, share, method, IMAGE, seed=7))
            x, y = points[:share].astype(int).T
            free[y, x] = False
            points = points[share:]
        assert len(points) == 0

    def test_missing_corners_become_random_points(self):
        """Not medoids: a flat image has 24 of these and 48 random ones."""
        points = sample_points(DISC, 72, "mixed", FLAT)
        random = np.mean([cover(DISC, sample_points(DISC, 48, "random", seed=s)) for s in range(20)])
        assert cover(DISC, points[24:]) == pytest.approx(random, rel=0.2)


class TestNegatives:
    @pytest.mark.parametrize("count", [1, 72])
    def test_are_off_the_object(self, count):
        points = sample_negatives(DISC, count, IMAGE)
        assert len(points) == count
        assert not on(DISC, points).any()

    def test_are_mixed(self):
        np.testing.assert_array_equal(
            sample_negatives(DISC, 9, IMAGE, seed=3), sample_points(~DISC, 9, "mixed", IMAGE, seed=3)
        )

    def test_there_are_none_off_an_object_that_fills_the_image(self):
        assert sample_negatives(np.ones((H, W), bool), 72, IMAGE).shape == (0, 2)


class TestRefuses:
    @pytest.mark.parametrize("mask", [np.zeros(5, bool), np.zeros((2, H, W), bool)])
    def test_masks_of_another_shape(self, mask):
        for call in (lambda: sample_points(mask), lambda: sample_negatives(mask, 1, IMAGE)):
            with pytest.raises(ValueError, match=r"mask must be \(H, W\), but got \("):
                call()

    def test_masks_that_are_not_bool(self):
        """~ of an int mask would not be its background."""
        for call in (sample_points, lambda mask: sample_negatives(mask, 1, IMAGE)):
            with pytest.raises(TypeError, match="mask must be bool, but got uint8"):
                call(DISC.astype(np.uint8))

    def test_negative_counts(self):
        for call in (lambda: sample_points(DISC, -1), lambda: sample_negatives(DISC, -1, IMAGE)):
            with pytest.raises(ValueError, match="count must not be negative, but got -1"):
                call()

    def test_unknown_methods(self):
        with pytest.raises(
            ValueError, match="one of random, k_medoids, shi_tomasi, mixed, but got 'k_means'"
        ):
            sample_points(DISC, 8, "k_means")

    @pytest.mark.parametrize("count", [0, 1, 8])
    @pytest.mark.parametrize("method", ["shi_tomasi", "mixed"])
    def test_to_find_corners_without_an_image(self, method, count):
        with pytest.raises(ValueError, match=f'image must be .* for the method "{method}", but got None'):
            sample_points(DISC, count, method)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("image", [IMAGE[:-1], IMAGE[..., 0], IMAGE[..., :2]])
    def test_images_of_another_size(self, method, image):
        with pytest.raises(ValueError, match=r"image must be \(H, W, 3\) = \(120, 200, 3\) as the mask"):
            sample_points(DISC, 8, method, image)

    def test_images_that_are_not_uint8(self):
        with pytest.raises(TypeError, match="image must be uint8, but got float32"):
            sample_points(DISC, 8, "shi_tomasi", IMAGE.astype(np.float32))
