from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.config import MaskerConfig
from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.masks.dense_motion import (
    DenseMotion,
    DenseMotionEstimator,
    photometric_error,
)


def estimator() -> DenseMotionEstimator:
    config = MaskerConfig()
    return DenseMotionEstimator(config.steepness, config.threshold, config.colour_tolerance)


def play(film, frames: int = 6) -> DenseMotion:
    estimate = estimator()
    for _ in range(frames):
        motion = estimate(film.next(), film.background())
    return motion


class TestDenseMotionEstimator:
    def test_the_first_frame_says_nothing(self, make_film):
        film = make_film((100, 60, 5, 0))
        motion = estimator()(film.next(), film.background())
        assert motion.flow is None
        assert not motion.known.any()
        assert not motion.logit.any()

    def test_shapes_and_types(self, make_film):
        film = make_film((100, 60, 5, 0))
        motion = play(film, 3)
        assert motion.logit.shape == motion.known.shape == film.size
        assert motion.flow.shape == (*film.size, 2)
        assert (motion.logit.dtype, motion.known.dtype, motion.flow.dtype) == (np.float32, bool, np.float32)

    def test_flow_leads_from_the_newest_frame_to_the_one_before(self, make_film):
        film = make_film((60, 60, 6, 0), pan=(-3, 1))
        flow = play(film, 3).flow
        labels = film.labels(film.index)
        np.testing.assert_allclose(
            np.median(flow[20:140, 20:220][labels[20:140, 20:220] == 0], 0), [3, -1], atol=0.3
        )
        np.testing.assert_allclose(np.median(flow[labels == 1], 0), [-6, 0], atol=0.5)

    @pytest.mark.parametrize("step", [(7, 0), (-4, -2), (2, 6)])
    def test_a_moving_square_stands_out(self, make_film, step):
        film = make_film((90, 60, *step))
        motion = play(film)
        truth = film.labels(film.index) == 1
        assert np.median(motion.logit[truth]) > 0.5
        assert (motion.logit[truth] > 0).mean() > 0.75
        assert (motion.logit[~truth] > 0).mean() < 0.1

    @pytest.mark.parametrize(("pan", "at_most"), [((2, 1), 0.001), ((0, 0), 0.001), ((-6, 3), 0.035)])
    def test_without_a_mover_nothing_stands_out(self, make_film, pan, at_most):
        """In a fast pan the flow errs by the borders: 2.7 % measured, four fifths within 12 px of them."""
        motion = play(make_film(pan=pan))
        assert motion.known.mean() > 0.8
        assert (motion.logit > 0).mean() <= at_most

    def test_the_side_that_has_just_come_into_sight_is_unknown(self, make_film):
        film = make_film(pan=(20, 0))
        motion = play(film, 2)
        assert not motion.known[:, :18].any()
        assert motion.known[10:150, 30:].all()
        assert not motion.logit[~motion.known].any()

    def test_without_background_motion_nothing_is_known(self, make_film):
        film = make_film((90, 60, 7, 0))
        estimate = estimator()
        for _ in range(3):
            motion = estimate(film.next(), BackgroundMotion({}, {}, 0.1))
        assert not motion.known.any()
        assert not motion.logit.any()

    @pytest.mark.parametrize(("frames", "gap"), [(2, 1), (4, 2), (10, 2)])
    def test_beside_is_the_motion_per_frame_beside_the_background(self, make_film, frames, gap):
        """By it touching objects are told apart, so a mover's must have its sign and size, at any gap.

        Over 4 frames DIS loses what goes 20 px and more in the image.
        """
        film = make_film((70, 60, 4, 0), pan=(2, 1))
        motion = play(film, frames)
        truth = film.labels(film.index)
        assert motion.beside_gap == gap
        assert motion.beside.shape == (*film.size, 2)
        np.testing.assert_allclose(np.median(motion.beside[truth == 1], 0), [2, -1], atol=0.4)
        np.testing.assert_allclose(np.median(motion.beside[truth == 0], 0), [0, 0], atol=0.1)

    def test_beside_is_unknown_in_the_first_frame(self, make_film):
        motion = play(make_film((70, 60, 5, -1)), 1)
        assert motion.beside is None
        assert motion.beside_gap == 0

    def test_reset_starts_over(self, make_film):
        estimate = estimator()
        seen = []
        for _ in range(2):
            film = make_film((90, 60, 7, 0))
            seen.append([estimate(film.next(), film.background()).logit for _ in range(4)][-1])
            estimate.reset()
        np.testing.assert_array_equal(*seen)


class TestPhotometricError:
    @staticmethod
    def shift(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    def test_an_image_explains_itself(self):
        lab = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
        error = photometric_error(lab, lab, np.eye(3))
        assert error.shape == (40, 50)
        assert error.dtype == np.float32
        assert not error.any()

    @pytest.mark.parametrize("step", [(4, 0), (-3, 2)])
    def test_the_homography_leads_into_the_earlier_image(self, step):
        earlier = np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)
        lab = np.roll(earlier, step, axis=(1, 0))
        inner = np.s_[12:-12, 12:-12]
        assert not photometric_error(lab, earlier, self.shift(-step[0], -step[1]))[inner].any()
        assert photometric_error(lab, earlier, self.shift(*step))[inner].mean() > 10

    def test_a_pixel_of_misalignment_is_forgiven(self):
        earlier = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
        lab = np.roll(earlier, 1, axis=1)
        assert not photometric_error(lab, earlier, np.eye(3))[6:-6, 6:-6].any()

    def test_it_counts_summed_lab_levels(self):
        earlier = np.full((20, 20, 3), 100, np.uint8)
        lab = earlier + np.uint8([10, 20, 0])
        np.testing.assert_allclose(photometric_error(lab, earlier, np.eye(3)), 30)
        np.testing.assert_allclose(photometric_error(earlier, lab, np.eye(3)), 30)


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 40), (8, 8), (12, 12), (16, 16), (24, 24), (12, 200), (200, 12)]
)
def test_tiny_images_are_an_answer(size):
    """The background is known (from somewhere), however small the image."""
    estimate, window = estimator(), SlidingWindow(4, 432)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for _ in range(3):
        window.push(Frame(image))
        gaps = range(1, len(window))
        background = BackgroundMotion(
            {gap: np.eye(3) for gap in gaps}, {gap: np.zeros((20, 2), np.float32) for gap in gaps}, 0.01
        )
        motion = estimate(window, background)
        assert motion.logit.shape == size
        assert np.isfinite(motion.logit).all()
