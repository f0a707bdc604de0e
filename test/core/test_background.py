from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.background import agreement, fit_background, relative_log
from motionseg_ros.core.types import Tracks

SIZE = (480, 640)
# One frame of a camera that turns, comes nearer and tilts: newest frame -> frame before, px.
STEP = np.array([[1.004, 0.006, -2.0], [-0.006, 1.004, 1.5], [4e-6, -3e-6, 1.0]])


def warp(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(points[None].astype(np.float64), homography)[0]


def scene(frames: int = 9, noise: float = 0.0, n: int = 200, movers: int = 30, velocity=(3.0, -1.0)):
    """Positions (n, frames, 2) of a plane seen by the camera; the first `movers` go by `velocity` px/frame."""
    rng = np.random.default_rng(0)
    newest = rng.uniform((20, 20), (620, 460), (n, 2))
    positions = np.zeros((n, frames, 2))
    for gap in range(frames):
        there = newest.copy()
        there[:movers] -= gap * np.array(velocity)
        positions[:, frames - 1 - gap] = warp(there, np.linalg.matrix_power(STEP, gap))
    return positions + rng.normal(0, noise, positions.shape) if noise else positions


class TestFitBackground:
    @pytest.mark.parametrize("gap", [1, 2, 4, 8])
    def test_recovers_the_cameras_homography_among_movers(self, make_tracks, gap):
        background = fit_background(make_tracks(scene(noise=0.1)), SIZE, (gap,))
        corners = np.array([[0, 0], [639, 0], [0, 479], [639, 479], [320, 240]], float)
        expected = warp(corners, np.linalg.matrix_power(STEP, gap))
        found = warp(corners, background.homographies[gap])
        assert np.linalg.norm(found - expected, axis=1).max() < 0.3

    def test_residual_is_what_a_mover_does_beside_the_background(self, make_tracks):
        background = fit_background(make_tracks(scene()), SIZE, (2,))
        residual = background.residuals[2]
        assert np.linalg.norm(residual[30:], axis=1).max() < 0.05
        # Two frames ago it was two steps behind; the homography turns and stretches that by under 3 %.
        np.testing.assert_allclose(residual[:30], np.tile([-6.0, 2.0], (30, 1)), atol=0.25)

    @pytest.mark.parametrize("velocity", [(3.0, -1.0), (-2.0, 0.0), (0.0, 2.5)])
    def test_velocity_is_in_px_per_frame_with_the_movers_sign(self, make_tracks, velocity):
        background = fit_background(make_tracks(scene(velocity=velocity)), SIZE, (1, 2, 4, 8))
        found = background.velocity(200)
        np.testing.assert_allclose(found[:30], np.tile(velocity, (30, 1)), atol=0.2)
        np.testing.assert_allclose(found[30:], 0, atol=0.05)

    def test_motions_are_per_frame_over_every_gap(self, make_tracks):
        background = fit_background(make_tracks(scene()), SIZE, (1, 2, 4, 8))
        motions = background.motions(200)
        assert motions.shape == (200, 4, 2)
        np.testing.assert_allclose(motions[:30], np.tile([3.0, -1.0], (30, 4, 1)), atol=0.3)
        np.testing.assert_allclose(motions[30:], 0, atol=0.05)

    def test_step_is_the_motion_per_frame_over_one_gap(self, make_tracks):
        background = fit_background(make_tracks(scene()), SIZE, (1, 4))
        np.testing.assert_allclose(background.step(200, 4)[:30], np.tile([3.0, -1.0], (30, 1)), atol=0.3)
        np.testing.assert_array_equal(background.step(200, 1), background.motions(200)[:, 0])
        for unknown in (0, 2):
            assert background.step(200, unknown).shape == (200, 2)
            assert np.isnan(background.step(200, unknown)).all()

    def test_excess_parts_movers_from_the_rest(self, make_tracks):
        background = fit_background(make_tracks(scene(noise=0.2)), SIZE, (1, 2, 4, 8))
        excess = background.excess(200)
        assert excess.dtype == np.float32
        assert excess[:30].min() > 1.5
        assert np.abs(np.median(excess[30:])) < 0.3
        assert excess[30:].max() < excess[:30].min()

    def test_spread_is_the_median_residual(self, make_tracks):
        background = fit_background(make_tracks(scene(noise=0.2)), SIZE, (4,))
        lengths = np.linalg.norm(background.residuals[4], axis=1)
        assert background.spread(4) == pytest.approx(np.median(lengths), rel=1e-5)

    def test_gaps_longer_than_the_window_are_left_out(self, make_tracks):
        background = fit_background(make_tracks(scene(frames=4)), SIZE, (8, 3, 4, 1))
        assert background.gaps == (1, 3)
        assert set(background.residuals) == {1, 3}

    def test_a_trajectory_not_visible_in_both_frames_is_nan_there(self, make_tracks):
        positions = scene(frames=5)
        visible = np.ones(positions.shape[:2], bool)
        visible[50, 2] = visible[60, :4] = visible[70, 4] = False
        positions[~visible] = np.nan
        background = fit_background(make_tracks(positions, visible), SIZE, (1, 2))
        unknown = {gap: set(np.flatnonzero(np.isnan(background.residuals[gap]).any(1))) for gap in (1, 2)}
        assert unknown == {1: {60, 70}, 2: {50, 60, 70}}
        assert set(np.flatnonzero(np.isnan(background.excess(200)))) == {60, 70}
        assert set(np.flatnonzero(np.isnan(background.velocity(200)).any(1))) == {60, 70}
        np.testing.assert_allclose(background.velocity(200)[50], 0, atol=0.05)  # from the shorter gap

    def test_only_the_static_trajectories_are_fitted(self, make_tracks):
        """Most trajectories lie on a near object: the wish says which plane is the background."""
        positions = scene(movers=140)
        static = np.arange(200) >= 140
        background = fit_background(make_tracks(positions), SIZE, (2,), static)
        assert np.linalg.norm(background.residuals[2][140:], axis=1).max() < 0.1
        assert np.linalg.norm(background.residuals[2][:140], axis=1).min() > 5

    def test_all_are_fitted_where_hardly_any_is_static(self, make_tracks):
        positions = scene()
        static = np.zeros(200, bool)
        static[:3] = True
        background = fit_background(make_tracks(positions), SIZE, (1,), static)
        assert np.linalg.norm(background.residuals[1][30:], axis=1).max() < 0.1

    @pytest.mark.parametrize(("n", "frames"), [(0, 0), (0, 5), (11, 5), (200, 1)])
    def test_too_little_gives_no_gap(self, make_tracks, n, frames):
        background = fit_background(make_tracks(np.zeros((n, frames, 2))), SIZE, (1, 2))
        assert background.gaps == ()
        assert np.isnan(background.excess(n)).all()
        assert background.excess(n).shape == (n,)
        assert np.isnan(background.velocity(n)).all()
        assert background.velocity(n).shape == (n, 2)
        assert background.motions(n).shape == (n, 0, 2)

    def test_too_few_common_trajectories_leave_out_just_that_gap(self, make_tracks):
        positions = scene(frames=5)
        visible = np.ones(positions.shape[:2], bool)
        visible[10:, 2] = False
        background = fit_background(make_tracks(positions, visible), SIZE, (1, 2, 3))
        assert background.gaps == (1, 3)

    def test_points_in_one_place_give_finite_values_or_no_gap(self, make_tracks):
        background = fit_background(make_tracks(np.full((40, 3, 2), 7.0)), SIZE, (1, 2))
        for gap in background.gaps:
            assert np.isfinite(background.homographies[gap]).all()
            assert np.isfinite(background.residuals[gap]).all()

    def test_noise_and_excess_scale_with_the_image(self, make_tracks):
        small = fit_background(make_tracks(scene(noise=0.1)), SIZE, (2, 4))
        large = fit_background(make_tracks(2 * scene(noise=0.1)), (960, 1280), (2, 4))
        assert large.noise == pytest.approx(2 * small.noise)
        np.testing.assert_allclose(large.excess(200), small.excess(200), atol=0.15)

    def test_same_tracks_same_answer(self, make_tracks):
        tracks: Tracks = make_tracks(scene(noise=0.3))
        first, again = (fit_background(tracks, SIZE, (1, 4)) for _ in range(2))
        for gap in (1, 4):
            np.testing.assert_array_equal(first.homographies[gap], again.homographies[gap])


@pytest.mark.parametrize(
    ("residual", "spread", "noise", "expected"),
    [(0.0, 0.0, 0.5, 0.0), (3.0, 3.0, 0.5, 0.0), (3.0, 1.0, 1.0, np.log(2)), (0.0, 1.0, 1.0, -np.log(2))],
)
def test_relative_log(residual, spread, noise, expected):
    assert relative_log(np.array([residual]), spread, noise)[0] == pytest.approx(expected)


class TestAgreement:
    @staticmethod
    def tracks(make_tracks, end: np.ndarray, start: np.ndarray) -> Tracks:
        return make_tracks(np.stack([start, end], axis=1).astype(np.float32))

    def test_of_points_in_a_fast_pan(self, make_tracks):
        start = np.random.default_rng(1).uniform((20, 20), (620, 460), (40, 2))
        assert agreement(self.tracks(make_tracks, start + np.array([90, 5]), start), SIZE) > 0.95

    def test_of_points_found_by_chance(self, make_tracks):
        rng = np.random.default_rng(2)
        start, end = rng.uniform((20, 20), (620, 460), (2, 40, 2))
        assert agreement(self.tracks(make_tracks, end, start), SIZE) < 0.4

    def test_too_few_points_tell_nothing(self, make_tracks):
        start = np.random.default_rng(1).uniform((20, 20), (620, 460), (11, 2))
        assert agreement(self.tracks(make_tracks, start, start), SIZE) is None

    def test_one_frame_tells_nothing(self, make_tracks):
        points = np.random.default_rng(1).uniform((20, 20), (620, 460), (40, 1, 2)).astype(np.float32)
        assert agreement(make_tracks(points), SIZE) is None
