from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.synthesis import Renderer, get_scene
from motionseg_ros.tracking.lucas_kanade import LucasKanadeTracker
from motionseg_ros.trajectories.geometric import GeometricClassifier

SIZE = (480, 640)
# A `parallax` so high that the epipolar step never applies.
NEVER = 1000.0
STEP = np.array([[1.004, 0.006, -2.0], [-0.006, 1.004, 1.5], [4e-6, -3e-6, 1.0]])


def tracks_of(positions: np.ndarray, visible: np.ndarray | None = None) -> Tracks:
    n, t = positions.shape[:2]
    visible = np.ones((n, t), bool) if visible is None else visible
    return Tracks(
        positions.astype(np.float32),
        visible,
        visible.astype(np.float32),
        visible.astype(np.float32),
        visible.argmax(1).astype(np.int64) if t else np.zeros(n, np.int64),
        np.arange(n, dtype=np.int64),
    )


def plane(
    movers: int, velocity=(2.5, -1.0), frames: int = 12, n: int = 300, noise: float = 0.15, seed: int = 0
):
    """Positions (n, frames, 2) on a plane before a moving camera; the first `movers` are one object.

    Returns the positions and (n,) bool, which of them move.
    """
    rng = np.random.default_rng(seed)
    newest = rng.uniform((20, 20), (620, 460), (n, 2))
    newest[:movers] = rng.uniform((250, 180), (350, 260), (movers, 2))
    positions = np.zeros((n, frames, 2))
    for gap in range(frames):
        there = newest.copy()
        there[:movers] -= gap * np.array(velocity)
        homography = np.linalg.matrix_power(STEP, gap)
        positions[:, frames - 1 - gap] = cv2.perspectiveTransform(there[None], homography)[0]
    return positions + rng.normal(0, noise, positions.shape), np.arange(n) < movers


def true_trajectories(renderer: Renderer, last: int, frames: int = 12, noise: float = 0.1):
    """Where the static surface points seen in frame `last` were before, (N, frames, 2) px, and (N, frames) visible.

    A point is visible where it lies in the image and is no deeper than what the renderer sees there.
    """
    rng = np.random.default_rng(0)
    scene = renderer.scene
    points = scene.surface_points(10000, rng, object_id=0)
    positions, visible = [], []
    for index in range(last - frames + 1, last + 1):
        at, depth = scene.image_points(points, scene.time_of(index))
        seen = renderer.render(index).depth
        height, width = seen.shape
        inside = (depth > 0.2) & (at > 1).all(1) & (at < (width - 2, height - 2)).all(1)
        column, row = np.rint(np.where(inside[:, None], at, 0)).astype(int).T
        visible.append(inside & (np.abs(depth - seen[row, column]) < 0.02 * depth))
        positions.append(at)
    shown = np.flatnonzero(visible[-1])
    shown = shown[rng.permutation(len(shown))[:800]]
    positions, visible = np.stack(positions, 1)[shown], np.stack(visible, 1)[shown]
    return positions + rng.normal(0, noise, positions.shape), visible


def deep(velocity, movers: int = 30, n: int = 400, frames: int = 12, noise: float = 0.15):
    """Like `plane`, but things at all depths, a few very near, pass a camera that goes sideways.

    The static ones move along the epipolar lines, (1, 0.1), each as fast as it is near.
    """
    rng = np.random.default_rng(0)
    newest = rng.uniform((20, 20), (620, 460), (n, 2))
    newest[:movers] = rng.uniform((250, 180), (330, 260), (movers, 2))
    inverse_depth = np.where(rng.random(n) < 0.05, 3.5, rng.uniform(0.5, 1.5, n))
    inverse_depth[:movers] = 1.0
    step = inverse_depth[:, None] * (4.0, 0.4)
    step[:movers] += velocity
    positions = newest[:, None] - np.arange(frames - 1, -1, -1)[None, :, None] * step[:, None]
    return positions + rng.normal(0, noise, positions.shape), np.arange(n) < movers


@pytest.fixture(scope="module")
def street() -> Renderer:
    """The library's static scene at 320x240."""
    return Renderer(get_scene("static", width=320, height=240))


@pytest.fixture(scope="module")
def street_as_tracked(street) -> list[Tracks]:
    """What the classifier is given on that scene: the tracker's window at every second frame."""
    config = Config()
    tracker = LucasKanadeTracker(config.tracker, config.window.length, config.window.stride)
    window = SlidingWindow(config.window.length, config.image.working_size)
    windows = []
    for index in range(90):
        window.push(Frame(street.render(index).image))
        tracker.push(window)
        tracks = tracker.window()
        if index and index % config.window.stride == 0:
            windows.append(tracks[tracks.visible.sum(1) >= 3])
    return windows


def classify(tracks: Tracks, size: tuple[int, int] = SIZE, parallax: float | None = None) -> np.ndarray:
    values = {} if parallax is None else {"classifier.parallax": parallax}
    return GeometricClassifier(Config().with_values(values).classifier)(tracks, size)


def called_moving(windows: list[Tracks], parallax: float | None = None) -> float:
    """The share of the trajectories of all windows, 320x240, that are called moving."""
    alarms = sum(int((classify(tracks, (240, 320), parallax) >= 0.5).sum()) for tracks in windows)
    return alarms / sum(len(tracks) for tracks in windows)


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    truth = truth[np.argsort(-score, kind="stable")]
    return float((np.cumsum(truth) / np.arange(1, len(truth) + 1))[truth].mean())


class TestPlaneAndMovers:
    @pytest.mark.parametrize("movers", [8, 40, 90])
    @pytest.mark.parametrize("velocity", [(2.5, -1.0), (0.0, 4.0), (-20.0, 3.0)])
    def test_the_movers_come_first_and_over_one_half(self, movers, velocity):
        positions, truth = plane(movers, velocity)
        probability = classify(tracks_of(positions))
        assert average_precision(probability, truth) == 1.0
        assert probability[truth].min() > 0.5
        assert probability[~truth].max() < 0.5

    def test_two_objects_that_go_different_ways(self):
        one, truth = plane(30, (4.0, 0.0))
        other, _ = plane(30, (0.0, -4.0), seed=1)
        positions = np.concatenate([one, other[:30] + np.array([120, 60])])
        truth = np.concatenate([truth, np.ones(30, bool)])
        assert average_precision(classify(tracks_of(positions)), truth) == 1.0

    @pytest.mark.parametrize("frames", [2, 3, 5, 16])
    def test_any_length_of_window(self, frames):
        positions, truth = plane(40, (6.0, 2.0), frames)
        assert average_precision(classify(tracks_of(positions)), truth) == 1.0


class TestNothingMoves:
    @pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
    def test_on_a_plane(self, noise):
        positions, _ = plane(0, noise=noise)
        assert classify(tracks_of(positions)).max() < 0.5

    def test_before_a_camera_at_rest(self):
        positions = np.repeat(np.random.default_rng(0).uniform(20, 460, (200, 1, 2)), 10, axis=1)
        assert classify(tracks_of(positions)).max() < 0.5

    def test_between_planes_at_two_depths(self):
        """A quarter of the scene is nearer and moves half as far again in the image.

        Measured: 3.0 %, all on the nearer plane. The median residual is that of the farther one and so hardly above
        noise, which is why the epipolar step does not apply.
        """
        rng = np.random.default_rng(0)
        newest = rng.uniform((20, 20), (620, 460), (300, 2))
        step = np.where(newest[:, :1] < 180, 3.0, 2.0) * np.array([1.0, 0.1])
        positions = newest[:, None] - np.arange(11, -1, -1)[None, :, None] * step[:, None]
        assert (classify(tracks_of(positions + rng.normal(0, 0.15, positions.shape))) >= 0.5).mean() <= 0.04


class TestParallax:
    """The library's static street: the camera drives close by a crate and an advertising pillar.

    This classifier is a first yardstick, and the bounds are a little above what it measures: they keep it from
    getting worse. Nearly half of what it calls moving is the pillar in frames 42 to 57, 1.1 to 1.8 m away before a
    background at 5 to 9 m; most of the rest is the crate at 2 to 3 m and outlines before the sky. So near, residuals
    stand out of the parallax of everything else, and an epipolar geometry that is fitted to everything else is too
    loose there to take them back. Where the median residual is small beside the far background, it does not apply.
    """

    @pytest.mark.parametrize(("last", "at_most"), [(20, 0.05), (55, 0.04)])
    def test_true_trajectories(self, street, last, at_most):
        """Without any tracking error. Measured: 4.0 % and 2.8 %."""
        positions, visible = true_trajectories(street, last)
        assert len(positions) > 300
        assert (classify(tracks_of(positions, visible), (240, 320)) >= 0.5).mean() <= at_most

    def test_as_the_tracker_sees_it(self, street_as_tracked):
        """Over the whole drive. Measured: 2.6 %; the worst is 9 % in frames 50 to 57."""
        assert sum(len(tracks) for tracks in street_as_tracked) > 15000
        assert called_moving(street_as_tracked) <= 0.03

    def test_away_from_the_pillar(self, street_as_tracked):
        """Frames 66 to 88, when it is behind the camera. Measured: 0.9 %."""
        assert called_moving(street_as_tracked[-12:]) <= 0.015

    def test_epipolar_geometry_takes_most_false_alarms_back(self, street_as_tracked):
        """Measured: from 7.0 % to 2.6 %."""
        without = called_moving(street_as_tracked, NEVER)
        assert without > 0.04
        assert called_moving(street_as_tracked) < 0.5 * without

    def test_it_takes_near_things_back_and_keeps_what_crosses_epipolar_lines(self):
        positions, moves = deep((0.0, 8.0))
        tracks = tracks_of(positions)
        without, probability = classify(tracks, parallax=NEVER), classify(tracks)
        assert (without[~moves] >= 0.5).mean() > 0.04
        assert (probability[~moves] >= 0.5).mean() < 0.015
        assert (probability[moves] > 0.5).all()

    @pytest.mark.parametrize("parallax", [None, 0.0])
    @pytest.mark.parametrize("velocity", [(1.2, 0.5), (2.5, -1.0), (0.0, 4.0)])
    def test_it_does_not_silence_a_mover_in_a_planar_scene(self, velocity, parallax):
        """Nor would it if it were always applied: a geometry fitted to the plane and the mover would fit both, but
        what already stands out has no part in the fit."""
        positions, moves = plane(60, velocity)
        assert (classify(tracks_of(positions), parallax=parallax)[moves] > 0.5).all()

    def test_in_a_planar_scene_it_does_not_apply(self):
        tracks = tracks_of(plane(60)[0])
        np.testing.assert_array_equal(classify(tracks), classify(tracks, parallax=NEVER))


class TestShape:
    def test_returns_one_probability_each(self):
        positions, _ = plane(40)
        probability = classify(tracks_of(positions))
        assert probability.shape == (300,)
        assert probability.dtype == np.float32
        assert ((probability >= 0) & (probability <= 1)).all()

    @pytest.mark.parametrize(("n", "frames"), [(0, 0), (0, 8), (1, 8), (5, 8), (300, 1)])
    def test_too_little_to_tell_is_static(self, n, frames):
        probability = classify(tracks_of(np.random.default_rng(0).uniform(0, 400, (n, frames, 2))))
        assert probability.shape == (n,)
        assert probability.dtype == np.float32
        assert (probability < 0.5).all()

    def test_the_order_of_the_trajectories_does_not_matter(self):
        positions, _ = plane(40, (4, 1))
        order = np.random.default_rng(1).permutation(300)
        np.testing.assert_allclose(
            classify(tracks_of(positions[order])), classify(tracks_of(positions))[order], atol=0.05
        )

    def test_the_resolution_does_not_matter(self):
        positions, _ = plane(40, (4, 1))
        half = classify(tracks_of(positions / 2), (240, 320))
        np.testing.assert_allclose(half, classify(tracks_of(positions)), atol=0.05)

    def test_same_tracks_same_answer(self):
        tracks = tracks_of(plane(40)[0])
        np.testing.assert_array_equal(classify(tracks), classify(tracks))

    def test_does_not_change_its_input(self):
        tracks = tracks_of(plane(40)[0])
        before = tracks.positions.copy()
        classify(tracks)
        np.testing.assert_array_equal(tracks.positions, before)


class TestVisibility:
    def test_positions_of_what_is_not_visible_do_not_count(self):
        positions, truth = plane(40, (4, 1))
        visible = np.random.default_rng(2).random(positions.shape[:2]) > 0.2
        visible[:, -1] = True
        positions[~visible] = np.nan
        probability = classify(tracks_of(positions, visible))
        assert np.isfinite(probability).all()
        seen = visible.sum(1) >= 6
        assert average_precision(probability[seen], truth[seen]) > 0.99

    def test_a_trajectory_that_has_just_begun_is_static(self):
        positions, _ = plane(40, (4, 1))
        visible = np.ones(positions.shape[:2], bool)
        visible[:5, :-1] = False
        probability = classify(tracks_of(positions, visible))
        assert (probability[:5] < 0.5).all()
        assert (probability[5:40] > 0.5).all()

    def test_one_that_is_hidden_now_is_static(self):
        positions, _ = plane(40, (4, 1))
        visible = np.ones(positions.shape[:2], bool)
        visible[:5, -1] = False
        assert (classify(tracks_of(positions, visible))[:5] < 0.5).all()


def test_a_higher_threshold_calls_less_moving():
    positions, _ = plane(40, (0.8, 0.3))
    tracks = tracks_of(positions)
    values = [
        GeometricClassifier(Config().with_values({"classifier.threshold": t}).classifier)(tracks, SIZE)
        for t in (0.5, 1.5, 3.0)
    ]
    assert (values[0] >= values[1]).all()
    assert (values[1] >= values[2]).all()
    assert values[0].mean() > values[2].mean()
