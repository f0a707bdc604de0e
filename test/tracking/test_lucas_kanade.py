from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from motionseg_ros.core.config import TrackerConfig
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.tracking.lucas_kanade import LucasKanadeTracker, lucas_kanade

HEIGHT, WIDTH = 240, 320
CENTRE = np.array([WIDTH / 2, HEIGHT / 2])


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise with structure at several scales, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for sigma, weight in ((1.0, 40), (3.0, 60), (9.0, 70)):
        total += (
            weight * sigma * cv2.GaussianBlur(rng.normal(0, 1, total.shape).astype(np.float32), (0, 0), sigma)
        )
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def about_centre(angle: float = 0.0, zoom: float = 1.0, shift: Sequence[float] = (0, 0)) -> np.ndarray:
    """(3, 3): turn by `angle` degrees and zoom about the image's centre, then shift, px."""
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(tuple(CENTRE.tolist()), angle, zoom)
    matrix[:2, 2] += shift
    return matrix


def move(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(np.asarray(points, np.float64).reshape(1, -1, 2), matrix)[0]


def film(step: np.ndarray, frames: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images of one texture moved by `step` from frame to frame, and where frame 0's pixels are in each."""
    margin = 200
    canvas = texture(HEIGHT + 2 * margin, WIDTH + 2 * margin)
    off = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1.0]])
    maps = [np.linalg.matrix_power(step, k) for k in range(frames)]
    return [cv2.warpPerspective(canvas, m @ off, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for m in maps], maps


class Player:
    """A tracker and its window; keeps what the tracker said after each frame."""

    def __init__(self, length: int = 8, stride: int = 2, working_size: int = 432, **config: object) -> None:
        self.tracker = LucasKanadeTracker(TrackerConfig(**config), length, stride)
        self.window = SlidingWindow(length, working_size)

    def push(self, image: np.ndarray) -> Tracks:
        self.window.push(Frame(image))
        self.tracker.push(self.window)
        return self.tracker.window()

    def play(self, images: Sequence[np.ndarray]) -> list[Tracks]:
        return [self.push(image) for image in images]


def errors(tracks: Tracks, maps: Sequence[np.ndarray]) -> np.ndarray:
    """Distance (px) of every visible position to where the point of its query frame truly is.

    `maps` are those of the window's frames.
    """
    found = []
    for row in range(len(tracks)):
        birth = int(tracks.birth[row])
        start = tracks.positions[row, birth]
        for t in np.flatnonzero(tracks.visible[row]):
            truth = move(start, maps[t] @ np.linalg.inv(maps[birth]))[0]
            found.append(np.linalg.norm(tracks.positions[row, t] - truth))
    return np.array(found)


MOTIONS = {
    "still": about_centre(),
    "half a pixel": about_centre(shift=(0.5, -0.25)),
    "slow shift": about_centre(shift=(2.3, 1.1)),
    "fast shift": about_centre(shift=(-17.0, 6.0)),
    "turn": about_centre(angle=2.5),
    "zoom in": about_centre(zoom=1.03),
    "zoom out": about_centre(zoom=0.97),
    "all at once": about_centre(angle=-1.5, zoom=1.015, shift=(3, -2)),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_follows_known_motion(name):
    frames = 6
    images, maps = film(MOTIONS[name], frames)
    tracks = Player(length=frames).play(images)[-1]
    error = errors(tracks, maps)
    assert np.median(error) < 0.3
    assert np.percentile(error, 95) < 1.5
    oldest = tracks.birth == 0
    assert oldest.sum() > 0.4 * (HEIGHT // 12) * (WIDTH // 12)


@pytest.mark.parametrize("working_size", [160, 200])
def test_positions_are_those_of_the_full_image(working_size):
    """A point seen at half size is tracked half as exactly, but without any systematic shift."""
    images, maps = film(about_centre(angle=1, shift=(4, 2)), 5)
    tracks = Player(length=5, working_size=working_size).play(images)[-1]
    assert np.median(errors(tracks, maps)) < 0.3 * WIDTH / working_size
    newest = tracks.positions[:, -1]
    assert newest[:, 0].max() > 0.9 * WIDTH
    assert newest[:, 1].max() > 0.9 * HEIGHT


@pytest.mark.parametrize("spacing", [8, 12, 20])
def test_covers_a_textured_image_evenly(spacing):
    """Every window of two by two cells has a trajectory, and none has very many."""
    images, _ = film(about_centre(shift=(3, 1)), 7)
    for tracks in Player(spacing=spacing).play(images)[::6]:
        at = tracks.positions[tracks.visible[:, -1], -1]
        side = 2 * spacing
        counts, _, _ = np.histogram2d(
            at[:, 1], at[:, 0], [np.arange(0, HEIGHT + 1, side), np.arange(0, WIDTH + 1, side)]
        )
        assert (counts > 0).mean() > 0.97
        assert counts.max() <= 12


class TestIdentity:
    def test_ids_are_unique_ascending_and_never_change_hands(self):
        images, _ = film(about_centre(shift=(6, 0)), 12)
        before: dict[int, np.ndarray] = {}
        highest = -1
        for tracks in Player().play(images):
            ids = tracks.ids
            assert (np.diff(ids) > 0).all()
            new = [int(i) for i in ids if int(i) not in before]
            assert all(i > highest for i in new), "an id came back"
            highest = max([highest, *new])
            for row, i in enumerate(ids.tolist()):
                if i in before:
                    np.testing.assert_allclose(tracks.positions[row, -2], before[i], atol=1e-3)
            before = {int(i): tracks.positions[row, -1] for row, i in enumerate(ids)}

    def test_trajectories_outlive_the_window(self):
        images, maps = film(about_centre(angle=0.5), 14)
        seen = Player(length=4).play(images)
        first, last = set(seen[0].ids.tolist()), set(seen[-1].ids.tolist())
        assert len(first & last) > 0.5 * len(first)
        old = np.isin(seen[-1].ids, seen[0].ids)
        assert seen[-1].visible[old].all()
        assert (seen[-1].birth[old] == 0).all()
        start = {int(i): p for i, p in zip(seen[0].ids, seen[0].positions[:, -1], strict=True)}
        begun = np.array([start[int(i)] for i in seen[-1].ids[old]])
        drift = np.linalg.norm(seen[-1].positions[old, -1] - move(begun, maps[-1]), axis=1)
        assert np.median(drift) < 0.3

    def test_query_frames_come_every_stride(self):
        images, _ = film(about_centre(shift=(9, 4)), 8)
        for stride in (1, 3):
            tracks = Player(length=8, stride=stride, min_coverage=0.0).play(images)[-1]
            assert set(np.unique(tracks.birth).tolist()) <= set(range(0, 8, stride))
            assert len(np.unique(tracks.birth)) > 1

    def test_lost_coverage_is_made_good_at_once(self):
        """Between two query frames the image changes altogether."""
        player = Player(stride=64, min_coverage=0.3)
        player.push(texture(HEIGHT, WIDTH, 1))
        player.push(texture(HEIGHT, WIDTH, 1))
        tracks = player.push(texture(HEIGHT, WIDTH, 2))
        new = tracks.visible.sum(1) == 1
        assert new.sum() > 0.5 * (HEIGHT // 12) * (WIDTH // 12)


class TestLoss:
    def test_points_that_leave_the_image_are_let_go(self):
        images, maps = film(about_centre(shift=(40, 0)), 5)
        seen = Player().play(images)
        newest = seen[-1].positions[:, -1]
        assert (newest >= -0.5).all()
        assert (newest <= [WIDTH - 0.5, HEIGHT - 0.5]).all()
        where = {int(i): p for i, p in zip(seen[0].ids, seen[0].positions[:, -1], strict=True)}
        gone = [i for i, p in where.items() if move(p, maps[4])[0, 0] > WIDTH + 3]
        assert len(gone) > 50
        assert not set(gone) & set(seen[-1].ids.tolist())

    def test_a_cut_loses_nearly_all(self):
        player = Player(min_coverage=0.0, stride=64)
        before = player.push(texture(HEIGHT, WIDTH, 1))
        after = player.push(texture(HEIGHT, WIDTH, 2))
        assert len(after) < 0.1 * len(before)

    def test_points_that_a_passing_object_covers_are_let_go(self):
        images = [texture(HEIGHT, WIDTH) for _ in range(3)]
        cover = texture(100, 100, 5)
        images[2] = images[2].copy()
        images[2][60:160, 60:160] = cover
        player = Player(length=3, stride=64)
        before = player.play(images[:2])[-1]
        after = player.push(images[2])
        inside = ((before.positions[:, -1] > 70) & (before.positions[:, -1] < 150)).all(1)
        kept = np.isin(before.ids, after.ids)
        assert inside.sum() > 20
        assert kept[inside].mean() < 0.15
        assert kept[~inside].mean() > 0.85


class TestTracks:
    def test_confidence_and_visibility_are_probabilities(self):
        images, _ = film(about_centre(angle=1), 5)
        tracks = Player().play(images)[-1]
        for values in (tracks.confidence, tracks.visibility):
            assert (values >= 0).all()
            assert (values <= 1).all()
        assert (tracks.confidence[~tracks.visible] == 0).all()
        assert (tracks.confidence[tracks.visible] > 0).all()

    def test_noise_costs_confidence(self):
        def confidence(noise: float) -> float:
            images, _ = film(about_centre(shift=(1, 0)), 4)
            rng = np.random.default_rng(0)
            noisy = [np.clip(i + rng.normal(0, noise, i.shape), 0, 255).astype(np.uint8) for i in images]
            tracks = Player(length=4).play(noisy)[-1]
            return float(tracks.confidence[:, -1][tracks.birth == 0].mean())

        assert confidence(20) < confidence(0) - 0.1

    def test_birth_is_the_first_visible_frame_and_all_are_seen_now(self):
        images, _ = film(about_centre(shift=(8, 0)), 11)
        for tracks in Player(length=5).play(images):
            np.testing.assert_array_equal(tracks.birth, tracks.visible.argmax(1))
            assert tracks.visible[:, -1].all()

    def test_grows_to_the_windows_length(self):
        images, _ = film(about_centre(shift=(1, 0)), 7)
        assert [t.num_frames for t in Player(length=4).play(images)] == [1, 2, 3, 4, 4, 4, 4]

    def test_before_the_first_frame_there_is_nothing(self):
        tracks = LucasKanadeTracker(TrackerConfig(), 8, 2).window()
        assert (len(tracks), tracks.num_frames) == (0, 0)

    def test_what_was_handed_out_does_not_change_later(self):
        images, _ = film(about_centre(shift=(5, 0)), 4)
        player = Player(length=4)
        tracks = player.play(images[:3])[-1]
        copy = tracks.positions.copy(), tracks.visible.copy(), tracks.ids.copy()
        player.push(images[3])
        for value, before in zip((tracks.positions, tracks.visible, tracks.ids), copy, strict=True):
            np.testing.assert_array_equal(value, before)

    def test_the_number_of_trajectories_is_bounded_by_the_grid(self):
        images, _ = film(about_centre(angle=3, zoom=0.995), 40)
        cells = (HEIGHT // 4 + 1) * (
            WIDTH // 4 + 1
        )  # points may come together, but never into a third of a cell
        player, most = Player(length=4, stride=1), 0
        for tracks in player.play(images):
            most = max(most, len(tracks))
        assert most < 0.35 * cells

    def test_same_images_same_tracks(self):
        images, _ = film(about_centre(angle=1, shift=(2, 0)), 5)
        one, other = Player().play(images)[-1], Player().play(images)[-1]
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.ids, other.ids)


def test_reset_forgets_the_points_but_not_the_ids():
    images, _ = film(about_centre(shift=(2, 0)), 4)
    player = Player()
    before = player.play(images)[-1]
    player.tracker.reset()
    player.window.clear()
    assert len(player.tracker.window()) == 0
    after = player.push(texture(60, 80, 3))  # another size is welcome now
    assert after.num_frames == 1
    assert len(after) > 0
    assert after.ids.min() > before.ids.max()


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (8, 8), (12, 12), (16, 16), (12, 200), (33, 47)])
@pytest.mark.parametrize("spacing", [4, 12, 128])
def test_tiny_images(size, spacing):
    player = Player(spacing=spacing)
    for k in range(4):
        tracks = player.push(np.roll(texture(*size, 1), k, axis=1))
    assert tracks.num_frames == 4
    assert np.isfinite(tracks.positions[tracks.visible]).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_without_texture_has_no_trajectories(value):
    for tracks in Player().play([np.full((HEIGHT, WIDTH, 3), value, np.uint8)] * 4):
        assert len(tracks) == 0


def test_only_the_textured_part_is_tracked():
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[60:180, 80:240] = texture(120, 160)
    for tracks in Player().play([image] * 3):
        at = tracks.positions[:, -1]
        assert len(at) > 60
        assert ((at >= [76, 56]) & (at <= [244, 184])).all()


def test_sparse_texture_does_not_reseed_the_same_places():
    """Hardly any cell can have a point, so coverage is always low: that must not pile points up."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[100:140, 100:140] = texture(40, 40)
    seen = Player().play([image] * 10)
    assert len(seen[-1]) <= len(seen[0]) + 2


class TestLucasKanade:
    @staticmethod
    def pyramid(image: np.ndarray) -> tuple[np.ndarray, ...]:
        window = SlidingWindow(1, 432)
        window.push(Frame(image))
        return window.newest.pyramid

    @pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.5), (3.0, 2.0), (12.0, -9.0)])
    def test_finds_the_shift(self, shift):
        (first, second), _ = film(about_centre(shift=shift), 2)
        grid = np.stack(np.meshgrid(np.arange(60, 260, 20), np.arange(60, 180, 20)), -1).reshape(-1, 2)
        points = grid.astype(np.float32)
        found, ok = lucas_kanade(self.pyramid(first), self.pyramid(second), points, points)
        assert found.dtype == np.float32
        assert ok.mean() > 0.95
        error = np.linalg.norm(found - points - shift, axis=1)
        assert np.median(error[ok]) < 0.1

    def test_a_good_guess_helps_over_a_distance_that_is_too_far_otherwise(self):
        (first, second), _ = film(about_centre(shift=(70, 0)), 2)
        points = np.stack(np.meshgrid(np.arange(40, 220, 20), np.arange(60, 180, 20)), -1).reshape(-1, 2)
        points = points.astype(np.float32)
        found, _ = lucas_kanade(
            self.pyramid(first), self.pyramid(second), points, points + np.float32([68, 1])
        )
        assert np.median(np.linalg.norm(found - points - [70, 0], axis=1)) < 0.3

    def test_no_points(self):
        (first, second), _ = film(about_centre(), 2)
        none = np.zeros((0, 2), np.float32)
        found, ok = lucas_kanade(self.pyramid(first), self.pyramid(second), none, none)
        assert found.shape == (0, 2)
        assert ok.shape == (0,)
